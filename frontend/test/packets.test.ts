// What the packets pane is made of, without the pane: the store, the file reader, filters, lines with holes, two ends.

import { describe, expect, it } from "vitest";
import type { Packet } from "../src/api/types";
import { Conversations } from "../src/live/decode/conversation";
import { decode, PLAIN } from "../src/live/decode/decode";
import { readPcapng } from "../src/live/decode/pcapng";
import { merged, PACKETS_KEPT, PacketStore, type SeenPacket } from "../src/live/packets";
import { suggestionsFor } from "../src/workspace/packets/FilterBox";
import { FIELDS } from "../src/workspace/packets/fields";
import { parseFilter } from "../src/workspace/packets/filter";
import { Lines, linesOf, notShown, type PacketLine } from "../src/workspace/packets/lines";
import { type End, pairUp } from "../src/workspace/packets/pairs";
import { placesOf } from "../src/workspace/packets/places";
import { delayWords, secondsWords } from "../src/workspace/packets/times";
import { type Bytes, eth, hexBytes, icmp, ipv4, packet, tcp, u16, u32, udp } from "./packet_kit";

const ping = (seq: number, of: { ttl?: number; id?: number } = {}) =>
  eth(0x0800, ipv4(1, icmp(8, 0, [...u16(1), ...u16(seq)]), of));
const told = (number: number): Packet => ({
  number,
  at_s: 1,
  at_ns: 0,
  bytes: 4,
  outgoing: true,
  head: "AQIDBA==",
  unfinished: false,
});
const event = { run: "r", generation: 1, at: 0, command: null };
const EVERY = () => true;

describe("the store", () => {
  const fill = (store: PacketStore, from: number, to: number) =>
    store.takePackets({
      ...event,
      kind: "packets",
      capture: "c1",
      node: "a",
      more: 0,
      packets: Array.from({ length: to - from + 1 }, (_, i) => told(from + i)),
    });

  it("is bounded, and says that it let go", () => {
    const store = new PacketStore();
    for (let from = 1; from <= PACKETS_KEPT + 300; from += 100) fill(store, from, from + 99);
    const { packets, letGo } = store.of("c1");
    expect([packets.length, packets[0]?.number, letGo]).toEqual([PACKETS_KEPT, 301, true]);
  });

  it("is filled by a file where live packets are missing; the longer bytes and what only the kernel said stay", () => {
    const live = packet([1], { number: 5, unfinished: true, whole: false });
    const file = [3, 4, 5, 6].map((number) => packet([1, 2, 3], { number }));
    const all = merged([packet([9], { number: 4 }), live], file);
    expect(all.map((p) => p.number)).toEqual([3, 4, 5, 6]);
    expect(all[2]).toMatchObject({ unfinished: true, whole: true });
    expect(all[1]?.data).toEqual(Uint8Array.from([9]));
  });

  it("counts holes, and forgets captures that are gone", () => {
    const store = new PacketStore();
    fill(store, 1, 3);
    fill(store, 10, 12);
    expect(notShown(store.of("c1").packets, 12)).toBe(6);
    const kinds = linesOf(new Lines(PLAIN).of(store.of("c1")), EVERY, "").map((l) =>
      l.kind === "hole" ? l.count : ".",
    );
    expect(kinds).toEqual([".", ".", ".", 6, ".", ".", "."]);
    store.takeCaptures({ ...event, kind: "captures", captures: [] });
    expect(store.of("c1").packets).toEqual([]);
  });
});

describe("the reader of pcapng", () => {
  const block = (kind: number, body: Bytes) => {
    const words = (n: number) => u32(n).reverse();
    return [...words(kind), ...words(body.length + 12), ...body, ...words(body.length + 12)];
  };
  const section = block(0x0a0d0d0a, hexBytes("4d3c2b1a 0100 0000 ffffffffffffffff"));
  const iface = block(1, hexBytes("0100 0000 00010000 0900 0100 09000000 0000 0000"));
  const at = 1_700_000_000_123_456_789n;
  const words = (n: bigint) => u32(Number(n)).reverse();
  const one = (data: Bytes, length: number, flags: number) =>
    block(6, [
      ...hexBytes("00000000"),
      ...words(at >> 32n),
      ...words(at & 0xffffffffn),
      ...words(BigInt(data.length)),
      ...words(BigInt(length)),
      ...data,
      ...Array<number>(-data.length & 3).fill(0),
      ...hexBytes("0200 0400"),
      flags,
      0,
      0,
      0,
      ...hexBytes("00000000"),
    ]);
  const file = [...section, ...iface, ...one([1, 2, 3, 4, 5], 90, 2), ...one([7], 1, 1)];

  it("gives packets with the kernel's nanoseconds and their direction", () => {
    const read = readPcapng(Uint8Array.from(file));
    expect(read?.linkType).toBe(1);
    expect(read?.packets.map((p) => [p.number, p.atS, p.atNs, p.bytes, p.outgoing, [...p.data]])).toEqual([
      [1, 1_700_000_000, 123_456_789, 90, true, [1, 2, 3, 4, 5]],
      [2, 1_700_000_000, 123_456_789, 1, false, [7]],
    ]);
  });

  it("gives what is whole of a file that is cut anywhere, and nothing of what is none", () => {
    for (let n = 0; n < file.length; n++)
      expect(readPcapng(Uint8Array.from(file.slice(0, n)))?.packets.length ?? 0).toBeLessThan(2);
    expect(readPcapng(Uint8Array.from([...Array(200).keys()]))).toBeNull();
  });
});

describe("filters", () => {
  const syn = eth(0x0800, ipv4(6, tcp(4000, 80, { flags: 2 })));
  const dns = eth(
    0x0800,
    ipv4(17, udp(3333, 53, hexBytes("abcd 0100 0001 0000 0000 0000 06 6e65746c6162 00 0001 0001"))),
  );
  const all = { ping: ping(3), syn, dns };
  const passing = (text: string) => {
    const { test, wrong } = parseFilter(text);
    if (!test) throw new Error(wrong.message);
    return Object.entries(all)
      .filter(([, bytes]) => test(decode(packet(bytes), PLAIN, false)))
      .map(([name]) => name)
      .join(" ");
  };

  it.each([
    ["", "ping syn dns"],
    ["icmp", "ping"],
    ["tcp or udp", "syn dns"],
    ["not (tcp || icmp)", "dns"],
    ["!icmp && ip.addr == 10.0.0.1", "syn dns"],
    ["ip.src == 10.0.0.0/24 and ip.dst==10.0.0.2", "ping syn dns"],
    ["ip.addr == 10.0.1.0/24", ""],
    ["ip.addr != 10.0.0.1", ""],
    ["tcp.port == 80", "syn"],
    ["port == 53", "dns"],
    ["port 53", "dns"],
    ["host 10.0.0.2 and port 80", "syn"],
    ["tcp.flags.syn", "syn"],
    ["tcp.flags.syn == 1 and tcp.flags.ack == 0", "syn"],
    ["tcp.flags.ack", ""],
    ["frame.len > 50", "syn dns"],
    ["ip.id == 0x7 icmp", "ping"],
    ["dns.qry.name contains NETLAB", "dns"],
    ["icmp.seq >= 3", "ping"],
    ["echo request", "ping"],
    ['"seq=3"', "ping"],
    ["eth.src == 02-00-00-00-00-01 and syn", "syn"],
    ["AND_no_word", ""],
  ])("%s", (text, expected) => expect(passing(text)).toBe(expected));

  it.each([
    ["tcp.prt == 80", /no field tcp.prt/, /tcp.port/],
    ["tcp.port ==", /missing/, /tcp.port == 80/],
    ["tcp.port == http", /is a number/, /80/],
    ["ip.addr == 10.0.0", /no address/, /10\.0\.0\.1/],
    ["ip.addr > 10.0.0.1", /not larger/, /==/],
    ["(tcp or udp", /not closed/, /\)/],
    ["tcp and", /missing at the end/, /field/],
    ["or tcp", /missing before "or"/, /field/],
    ["tcp)", /too much/, /parenthesis/],
    ['info "abc', /quote/, /"/],
  ])("%s is told in a sentence with a hint", (text, message, hint) => {
    const { wrong } = parseFilter(text);
    expect(wrong?.message).toMatch(message);
    expect(wrong?.hint).toMatch(hint);
  });

  it("offers fields for the word that is being typed, and none for a value", () => {
    expect(suggestionsFor("icmp and tcp.fl").map((f) => f.name)).toContain("tcp.flags.syn");
    expect(suggestionsFor("tcp.port == 8")).toEqual([]);
    expect(suggestionsFor("")).toEqual([]);
    expect(suggestionsFor("icmp")).toEqual([]); // it is whole: the list below is what one wants to see
    expect(suggestionsFor("icmp.").map((f) => f.name)).toContain("icmp.seq");
    expect(new Set(FIELDS.map((f) => f.name)).size).toBe(FIELDS.length);
  });
});

describe("two ends of a link", () => {
  const S = 1_700_000_000;
  const lines = (...list: [bytes: Bytes, ms: number, outgoing: boolean, more?: Partial<SeenPacket>][]): PacketLine[] =>
    new Lines({ ...PLAIN, conversations: new Conversations() }).of({
      letGo: false,
      filled: 0,
      packets: list.map(([bytes, ms, outgoing, more], i) =>
        packet(bytes, { number: i + 1, atS: S, atNs: ms * 1e6, outgoing, ...more }),
      ),
    });
  const end = (of: PacketLine[], startedAt = S - 1): End => ({ lines: of, running: true, startedAt, missed: 0 });
  const later = { atS: S + 60, atNs: 0 };
  const fates = (a: PacketLine[], b: PacketLine[], now = later) =>
    pairUp(end(a), end(b), now).map(
      (pair) => `${pair.a?.packet.number ?? "-"} ${pair.b?.packet.number ?? "-"} ${pair.fate}`,
    );

  it("belong together although TTL and checksums differ, with the delay in the direction that it went", () => {
    const a = lines(
      [ping(1), 1, true],
      [eth(0x0800, ipv4(1, icmp(0, 0, [...u16(1), ...u16(1)]), { from: "10.0.0.2", to: "10.0.0.1" })), 3.5, false],
    );
    const b = lines(
      [ping(1, { ttl: 63 }), 1.25, false],
      [eth(0x0800, ipv4(1, icmp(0, 0, [...u16(1), ...u16(1)]), { from: "10.0.0.2", to: "10.0.0.1" })), 3, true],
    );
    const pairs = pairUp(end(a), end(b), later);
    expect(pairs.map((p) => [p.fate, p.delayNs])).toEqual([
      ["both", 250_000],
      ["both", 500_000],
    ]);
  });

  it("show what was lost between others of its kind", () => {
    const a = lines([ping(1), 1, true], [ping(2), 2, true], [ping(3), 3, true]);
    expect(fates(a, lines([ping(1), 1.1, false], [ping(3), 3.1, false]))).toEqual(["1 1 both", "2 - lost", "3 2 both"]);
  });

  it("wait before they call it lost, and know when the other end was not looked at", () => {
    const a = lines([ping(1), 1, true]);
    expect(fates(a, [], { atS: S, atNs: 2e6 })).toEqual(["1 - waiting"]);
    expect(fates(a, [])).toEqual(["1 - lost"]);
    expect(pairUp(end(a), end([], S + 30), later).map((p) => p.fate)).toEqual(["unknown"]);
  });

  it("do not call lost what the other end only does not show", () => {
    const a = lines([ping(1), 1, true], [ping(2), 2, true], [ping(3), 3, true]);
    const b = lines([ping(1), 1.1, false], [ping(3), 3.1, false, { number: 9 }]);
    expect(fates(a, b)).toEqual(["1 1 both", "2 - unknown", "3 9 both"]);
    const begins = lines([ping(3), 3.1, false, { number: 9 }]);
    expect(fates(a, begins)).toEqual(["1 - unknown", "2 - unknown", "3 9 both"]);
    const some = end(lines([ping(1), 1.1, false], [ping(3), 3.1, false]));
    expect(pairUp(end(a), { ...some, missed: 4 }, later).map((p) => p.fate)).toEqual(["both", "unknown", "both"]);
  });

  it("match equal packets in their order; one that is long gone was lost", () => {
    const ask = eth(0x0806, hexBytes("0001080006040001020000000001 0a000001 000000000000 0a000002"));
    const a = lines([ask, 0, true], [ask, 900, true]);
    expect(fates(a, lines([ask, 0.1, false], [ask, 900.1, false]))).toEqual(["1 1 both", "2 2 both"]);
    const b = lines([ask, 900.1, false, { atS: S + 1 }]);
    expect(fates(lines([ask, 0, true], [ask, 900, true, { atS: S + 1 }]), b)).toEqual(["1 - lost", "2 1 both"]);
  });

  it("know the parts of a segment that was cut on its way", () => {
    const part = (seq: number, bytes: number, id: number) =>
      eth(0x0800, ipv4(6, tcp(1, 2, { seq }, Array<number>(bytes).fill(1)), { id }));
    const a = lines([part(100, 40, 7), 1, true]);
    const b = lines([part(100, 20, 7), 1.1, false], [part(120, 20, 8), 1.2, false]);
    expect(fates(a, b)).toEqual(["1 1 both", "- 2 part"]);
  });

  it("take tags for no difference", () => {
    const ask = hexBytes("0001080006040001020000000001 0a000001 000000000000 0a000002");
    const tagged = [...eth(0x8100, [...u16(10), ...u16(0x0806), ...ask])];
    expect(fates(lines([eth(0x0806, ask), 1, true]), lines([tagged, 1.1, false]))).toEqual(["1 1 both"]);
  });
});

describe("words and places", () => {
  it("write delays and times", () => {
    expect([850, 12_345, 1_234_567, 20_000_000, 1.5e9, -900].map(delayWords)).toEqual([
      "0.8 µs",
      "12.3 µs",
      "1.2 ms",
      "20.0 ms",
      "1.50 s",
      "−0.9 µs",
    ]);
    expect(secondsWords(1_000_002_000)).toBe("1.000002");
  });

  it("offer both ends of each link, and each interface once", () => {
    const lab = {
      nodes: [
        { name: "a", title: "a", interfaces: [], position: null },
        { name: "b", title: "b", interfaces: [], position: null },
      ],
      links: [{ kind: "veth", ends: ["a:eth0", "b:eth0"] }],
      switches: [],
    };
    const { links, interfaces } = placesOf(lab, null);
    expect(links).toEqual([["a:eth0", "b:eth0"]]);
    expect(interfaces.flat()).toEqual(["a:eth0", "a:lo", "b:eth0", "b:lo"]);
  });
});
