// Decoders: what a kernel engineer reads in a line and in the tree, for each protocol; and that no bytes at all throw.

import { describe, expect, it } from "vitest";
import { Conversations } from "../src/live/decode/conversation";
import { decode, PLAIN } from "../src/live/decode/decode";
import type { Dissection } from "../src/live/decode/dissection";
import { ipv6Text } from "../src/live/decode/dissection";
import { ascii, type Bytes, eth, hexBytes, icmp, ip4, ipv4, packet, tcp, u16, u32, udp } from "./packet_kit";

const read = (bytes: Bytes, of = {}): Dissection => decode(packet(bytes, of), PLAIN, true);
const line = (bytes: Bytes) => {
  const d = read(bytes);
  return [d.protocol, d.info];
};
const names = (d: Dissection) => d.layers.map((layer) => layer.id);
const field = (d: Dissection, name: string) =>
  d.layers.flatMap((layer) => layer.fields).find((one) => one[0] === name)?.[1];

const PING = eth(0x0800, ipv4(1, icmp(8, 0, [...u16(0x1234), ...u16(3), ...ascii("abcdefgh")])));

describe("a ping", () => {
  it("is read to its end", () => {
    const d = read(PING);
    expect(names(d)).toEqual(["eth", "ip", "icmp"]);
    expect([d.source, d.destination]).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect([d.protocol, d.info]).toEqual(["ICMP", "Echo request seq=3 id=0x1234 ttl=64 len=8"]);
    expect(field(d, "Checksum")).toMatch(/right$/);
    expect(d.flow).toBe("icmp 10.0.0.1 10.0.0.2 4660");
  });

  it("says what the bytes of each field are", () => {
    const fields = read(PING).layers.flatMap((layer) => layer.fields);
    const at = (name: string) => fields.find((one) => one[0] === name)?.slice(2);
    expect(at("Time to live")).toEqual([22, 23]);
    expect(at("Sequence")).toEqual([40, 42]);
    for (const [, , from, to] of fields) expect(from < to && to <= PING.length).toBe(true);
  });

  it("with a changed byte has a wrong checksum, and one that is cut is not judged", () => {
    const broken = [...PING.slice(0, -1), 0];
    expect(field(read(broken), "Data")).toBe("8 bytes");
    const sums = read(broken).layers.flatMap((l) => l.fields.filter((f) => f[0] === "Checksum").map((f) => f[1]));
    expect(sums[0]).toMatch(/right$/);
    expect(sums[1]).toMatch(/wrong$/);
    const cut = read(PING.slice(0, -2), { bytes: PING.length });
    expect(cut.layers.flatMap((l) => l.fields.filter((f) => f[0] === "Checksum"))[1]?.[1]).toMatch(
      /not verified: cut$/,
    );
  });

  it("that is cut says so, and what was read stays", () => {
    const d = read(PING.slice(0, 36), { bytes: PING.length });
    expect(d.layers.at(-1)).toMatchObject({ id: "icmp", cut: "cut" });
    expect(d.info).toBe("Echo request [cut]");
    const short = read(eth(0x0800, ipv4(17, udp(3333, 53, ascii("aaaa")))));
    expect(short.layers.at(-1)).toMatchObject({ id: "dns", cut: "ends early" });
  });
});

describe("checksums that the card makes", () => {
  const pseudo = (() => {
    // sum of addresses, protocol and length, as CHECKSUM_PARTIAL leaves it
    const words = [0x0a00, 0x0001, 0x0a00, 0x0002, 6, 20];
    let sum = words.reduce((a, b) => a + b, 0);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    return sum;
  })();

  it("are not called wrong: the kernel says so, or leaves its mark", () => {
    const told = read(eth(0x0800, ipv4(6, tcp(1, 2, { sum: 0x1111 }))), { unfinished: true });
    expect(told.layers.at(-1)?.fields.find((f) => f[0] === "Checksum")?.[1]).toMatch(/left to the card/);
    const seen = read(eth(0x0800, ipv4(6, tcp(1, 2, { sum: pseudo }))));
    expect(seen.layers.at(-1)?.fields.find((f) => f[0] === "Checksum")?.[1]).toMatch(/left to the card/);
    const wrong = read(eth(0x0800, ipv4(6, tcp(1, 2, { sum: 0x1111 }))));
    expect(wrong.layers.at(-1)?.fields.find((f) => f[0] === "Checksum")?.[1]).toMatch(/wrong/);
  });
});

describe("lines", () => {
  const arp = (code: number, from: string, to: string) =>
    eth(0x0806, [
      ...hexBytes("0001 0800 06 04"),
      ...u16(code),
      ...hexBytes("020000000001"),
      ...ip4(from),
      ...hexBytes("000000000000"),
      ...ip4(to),
    ]);
  const options = hexBytes("020405b4 0402 080a 00000064 00000000 01 030307");

  it.each<[string, Bytes, string, string | RegExp]>([
    ["ARP asks", arp(1, "10.0.0.1", "10.0.0.2"), "ARP", "Who has 10.0.0.2? Tell 10.0.0.1"],
    ["ARP answers", arp(2, "10.0.0.2", "10.0.0.1"), "ARP", "10.0.0.2 is at 02:00:00:00:00:01"],
    ["ARP probes", arp(1, "0.0.0.0", "10.0.0.2"), "ARP", "Who has 10.0.0.2? (probe)"],
    ["gratuitous ARP", arp(1, "10.0.0.1", "10.0.0.1"), "ARP", /^Gratuitous ARP for 10.0.0.1/],
    [
      "a SYN with options",
      eth(0x0800, ipv4(6, tcp(4000, 80, { flags: 2, options }))),
      "TCP",
      "4000 → 80 [SYN] Seq=1000 Win=500 Len=0 MSS=1460 SACK_PERM TSval=100 TSecr=0 WS=128",
    ],
    [
      "an ACK with SACK",
      eth(0x0800, ipv4(6, tcp(80, 4000, { ack: 5, options: hexBytes("0101 050a 0000000a 00000014") }))),
      "TCP",
      /Ack=5 .*SACK=10–20$/,
    ],
    [
      "HTTP",
      eth(0x0800, ipv4(6, tcp(4000, 80, { flags: 0x18 }, ascii("GET /a HTTP/1.1\r\nHost: x\r\n")))),
      "HTTP",
      "GET /a HTTP/1.1",
    ],
    ["a UDP datagram", eth(0x0800, ipv4(17, udp(5000, 5001, ascii("hello")))), "UDP", "5000 → 5001 Len=5"],
    [
      "port unreachable, with what it is about",
      eth(0x0800, ipv4(1, icmp(3, 3, [0, 0, 0, 0, ...ipv4(17, udp(5000, 9, []))]))),
      "ICMP",
      "Destination unreachable (port): UDP 10.0.0.1:5000 → 10.0.0.2:9",
    ],
    [
      "a fragment",
      eth(0x0800, ipv4(17, Array<number>(8).fill(1), { word: 185, id: 9 })),
      "UDP",
      "Fragment 1480–1487, id 0x0009; 8 bytes",
    ],
    [
      "a DNS question",
      eth(
        0x0800,
        ipv4(17, udp(3333, 53, hexBytes(`abcd 0100 0001 0000 0000 0000 06 6e65746c6162 03 6f7267 00 001c 0001`))),
      ),
      "DNS",
      "Query 0xabcd AAAA netlab.org",
    ],
    [
      "a DNS answer with a pointer back",
      eth(
        0x0800,
        ipv4(
          17,
          udp(
            53,
            3333,
            hexBytes(`abcd 8180 0001 0001 0000 0000 02 6162 00 0001 0001 c00c 0001 0001 0000003c 0004 0a000005`),
          ),
        ),
      ),
      "DNS",
      "Response 0xabcd A ab A 10.0.0.5",
    ],
    [
      "a QUIC Initial",
      eth(0x0800, ipv4(17, udp(3333, 443, hexBytes("c3 00000001 04 01020304 00 00")))),
      "QUIC",
      "Initial, DCID=01020304, SCID=none",
    ],
    [
      "a WireGuard handshake",
      eth(0x0800, ipv4(17, udp(3333, 51820, [...hexBytes("01000000 78563412"), ...Array<number>(140).fill(7)]))),
      "WireGuard",
      "Handshake initiation, sender 0x12345678",
    ],
    [
      "WireGuard data on another port",
      eth(
        0x0800,
        ipv4(17, udp(3333, 4444, [...hexBytes("04000000 01000000 0500000000000000"), ...Array<number>(32).fill(7)])),
      ),
      "WireGuard",
      "Transport data, receiver 0x00000001, counter 5, 16 bytes",
    ],
    [
      "what is inside VXLAN",
      eth(0x0800, ipv4(17, udp(3333, 4789, [...hexBytes("08000000 00002a00"), ...PING]))),
      "ICMP",
      /^Echo request/,
    ],
    ["a VLAN's packet", [...PING.slice(0, 12), ...hexBytes("8100 600a"), ...PING.slice(12)], "ICMP", /^Echo request/],
    [
      "an EDSA tag",
      [...PING.slice(0, 12), ...hexBytes("dada 0000 c0100001"), ...PING.slice(12)],
      "ICMP",
      /^Echo request/,
    ],
    [
      "PTP",
      eth(0x88f7, [
        ...hexBytes("00 02 002c 00 00 0200 0000000000000000 00000000"),
        ...hexBytes("0200000000000001 0001 0005 00 00"),
        ...Array<number>(10).fill(0),
      ]),
      "PTP",
      "Sync, seq 5, two step",
    ],
    [
      "spanning tree",
      [
        ...PING.slice(0, 12),
        ...u16(38),
        ...hexBytes("424203 0000 02 02 3c 8000 020000000001 00000000 8000 020000000001 8001 0000 1400 0200 0f00"),
      ],
      "RSTP",
      /^Rapid, root 32768\/02:00:00:00:00:01, cost 0, port 0x8001/,
    ],
    [
      "LLDP",
      eth(0x88cc, [...hexBytes("0207 04 020000000001 0405 05 65746830 0a03 737731 0000")]),
      "LLDP",
      "sw1, port eth0",
    ],
    ["an unknown EtherType", eth(0x1234, [1, 2, 3]), "0x1234", "EtherType 0x1234, 3 bytes"],
  ])("of %s", (_what, bytes, protocol, info) => {
    const [told, words] = line(bytes);
    expect(told).toBe(protocol);
    if (typeof info === "string") expect(words).toBe(info);
    else expect(words).toMatch(info);
  });
});

describe("IPv6", () => {
  const v6 = (next: number, inside: Bytes) => [
    ...hexBytes("60000000"),
    ...u16(inside.length),
    next,
    255,
    ...hexBytes("fe800000000000000000000000000001 ff0200000000000000000001ff000002"),
    ...inside,
  ];

  it("asks for a neighbour", () => {
    const ask = v6(58, hexBytes("87000000 00000000 fe800000000000000000000000000002 0101 020000000001"));
    expect(line(eth(0x86dd, ask))).toEqual([
      "ICMPv6",
      "Neighbour solicitation: who has fe80::2? from 02:00:00:00:00:01",
    ]);
  });

  it("has extension headers in their order", () => {
    const report = hexBytes("3a00 05020000 0100 8f000000 00000001 04000000 ff0200000000000000000001ff000002");
    const d = read(eth(0x86dd, v6(0, report)));
    expect(names(d)).toEqual(["eth", "ip6", "ip6ext", "icmpv6"]);
    expect(d.info).toBe("Multicast listener report v2: to exclude ff02::1:ff00:2");
  });

  it("is written as RFC 5952 says", () => {
    const text = (hex: string) => ipv6Text(Uint8Array.from(hexBytes(hex)));
    expect(text("00000000000000000000000000000000")).toBe("::");
    expect(text("20010db8000000000001000000000001")).toBe("2001:db8::1:0:0:1");
    expect(text("20010db8000000010001000100010001")).toBe("2001:db8:0:1:1:1:1:1");
  });
});

describe("tags, tunnels and TLS", () => {
  it("tells VLAN, switch port and VXLAN network to filters", () => {
    expect(read([...PING.slice(0, 12), ...hexBytes("8100 600a"), ...PING.slice(12)]).values.get("vlan.id")).toEqual([
      10,
    ]);
    const edsa = read([...PING.slice(0, 12), ...hexBytes("dada 0000 c0100001"), ...PING.slice(12)]);
    expect(edsa.values.get("dsa.port")).toEqual([2]);
    expect(field(edsa, "mode")).toBe("FORWARD");
    const inner = read(eth(0x0800, ipv4(17, udp(1, 4789, [...hexBytes("08000000 00002a00"), ...PING]))));
    expect(names(inner)).toEqual(["eth", "ip", "udp", "vxlan", "eth", "ip", "icmp"]);
    expect(inner.values.get("vxlan.vni")).toEqual([42]);
  });

  it("reads a tag that nothing announces where the lab says that there is one", () => {
    const tagged = [...PING.slice(0, 12), ...hexBytes("c0100001"), ...PING.slice(12)];
    expect(decode(packet(tagged), { ...PLAIN, tagger: "dsa" }, true).layers.map((l) => l.id)).toEqual([
      "eth",
      "dsa",
      "ip",
      "icmp",
    ]);
    const behind = decode(
      packet([...PING, ...hexBytes("80020000")], { outgoing: false }),
      { ...PLAIN, tagger: "trailer" },
      true,
    );
    expect(behind.layers.at(-1)).toMatchObject({ id: "dsa", summary: "from port 2" });
  });

  it("finds the name that a ClientHello asks for", () => {
    const name = ascii("lab.example");
    const sni = [...u16(0), ...u16(name.length + 5), ...u16(name.length + 3), 0, ...u16(name.length), ...name];
    const body = [3, 3, ...Array<number>(32).fill(9), 0, ...u16(2), 0x13, 1, 1, 0, ...u16(sni.length), ...sni];
    const hello = [1, 0, ...u16(body.length), ...body];
    const d = read(eth(0x0800, ipv4(6, tcp(4000, 443, { flags: 0x18 }, [22, 3, 1, ...u16(hello.length), ...hello]))));
    expect([d.protocol, d.info]).toEqual(["TLS", "Client hello (lab.example)"]);
    expect(d.values.get("tls.sni")).toEqual(["lab.example"]);
  });

  it("begins with IP where the link is raw", () => {
    const d = decode(packet(PING.slice(14)), { ...PLAIN, linkType: "raw" }, true);
    expect(names(d)).toEqual(["ip", "icmp"]);
  });

  it("reads a DHCP offer", () => {
    const fixed = [
      ...hexBytes("02010600 deadbeef 0000 0000 00000000 0a000009 00000000 00000000 020000000001"),
      ...Array<number>(202).fill(0),
    ];
    const offer = [...fixed, ...hexBytes("63825363 350102 0304 0a000001 ff")];
    const d = read(eth(0x0800, ipv4(17, udp(67, 68, offer))));
    expect([d.protocol, d.info]).toEqual(["DHCP", "Offer 10.0.0.9, transaction 0xdeadbeef"]);
    expect(field(d, "Router")).toBe("10.0.0.1");
  });
});

describe("a conversation", () => {
  const story = (...segments: Bytes[]) => {
    const where = { ...PLAIN, conversations: new Conversations() };
    return segments.map((segment, i) => decode(packet(segment, { number: i + 1 }), where, false).info);
  };
  const there = (of: object, bytes = 0) => eth(0x0800, ipv4(6, tcp(4000, 80, of, Array<number>(bytes).fill(1))));
  const back = (of: object) => eth(0x0800, ipv4(6, tcp(80, 4000, of), { from: "10.0.0.2", to: "10.0.0.1" }));

  it("is counted from its first segment, also over the end of the numbers", () => {
    const told = story(
      there({ seq: 0xffff_fffe, flags: 2 }),
      back({ seq: 90, ack: 0xffff_ffff, flags: 0x12 }),
      there({ seq: 0xffff_ffff, ack: 91 }, 10),
      there({ seq: 9, ack: 91 }, 5),
    );
    expect(told.map((words) => /Seq=\d+( Ack=\d+)?/.exec(words)?.[0])).toEqual([
      "Seq=0",
      "Seq=0 Ack=1",
      "Seq=1 Ack=1",
      "Seq=11 Ack=1",
    ]);
  });

  it("has its window in bytes where both SYNs said how it counts", () => {
    const options = hexBytes("01 030307");
    const told = story(
      there({ seq: 1, flags: 2, options }),
      back({ seq: 1, ack: 2, flags: 0x12, options: hexBytes("01 030302") }),
      there({ seq: 2, ack: 2, window: 10 }),
      back({ seq: 2, ack: 2, window: 10 }),
    );
    expect(told.map((words) => /Win=(\d+)/.exec(words)?.[1])).toEqual(["500", "500", "1280", "40"]);
  });

  it("says what was sent again, what is missing, and what was acknowledged twice", () => {
    const told = story(
      there({ seq: 100 }, 10),
      there({ seq: 110 }, 10),
      there({ seq: 100 }, 10),
      there({ seq: 140 }, 10),
      there({ seq: 120 }, 10),
      back({ seq: 5, ack: 110 }),
      back({ seq: 5, ack: 110 }),
      back({ seq: 5, ack: 150, window: 0 }),
    );
    const remarks = told.map((words) => /^\[(.*?)\]/.exec(words.replace(/^\d+ → .*/, ""))?.[1] ?? "");
    expect(remarks).toEqual([
      "",
      "",
      "sent again",
      "a segment before is missing",
      "late or sent again",
      "",
      "duplicate ACK",
      "window is full",
    ]);
  });

  it("concludes nothing from packets that were not shown", () => {
    const conversations = new Conversations();
    const where = { ...PLAIN, conversations };
    decode(packet(there({ seq: 100 }, 10)), where, false);
    conversations.skip();
    expect(decode(packet(there({ seq: 5000 }, 10)), where, false).info).not.toContain("missing");
  });
});

describe("any bytes", () => {
  /** The same in each run. */
  function* numbers(seed: number): Generator<number> {
    for (let x = seed; ; ) {
      x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
      yield x >>> 8;
    }
  }

  const seeds: Bytes[] = [
    PING,
    eth(
      0x0800,
      ipv4(
        6,
        tcp(4000, 443, { options: hexBytes("020405b4 080a0000006400000000 0101") }, hexBytes("1603010040010000")),
      ),
    ),
    eth(
      0x0800,
      ipv4(
        17,
        udp(
          53,
          3333,
          hexBytes("abcd 8180 0001 0001 0000 0000 02 6162 00 0001 0001 c00c 0001 0001 0000003c 0004 0a000005"),
        ),
      ),
    ),
    eth(0x0800, ipv4(17, udp(67, 68, Array<number>(250).fill(0x63)))),
    eth(0x0800, ipv4(17, udp(3333, 4789, [...hexBytes("08000000 00002a00"), ...PING]))),
    eth(0x86dd, [
      ...hexBytes("60000000 0040 00 ff"),
      ...Array<number>(32).fill(1),
      ...hexBytes("3a00 05020000 0100 8f000000"),
      ...u32(9),
    ]),
    eth(0x88cc, hexBytes("0207 04 020000000001 0405 05 65746830 0a03 737731")),
    eth(0x88f7, Array<number>(44).fill(0xb)),
  ];

  it("are decoded without an error, and every field lies within them", () => {
    const random = numbers(7);
    const next = (below: number) => (random.next().value as number) % below;
    for (let round = 0; round < 6000; round++) {
      const bytes = [...(seeds[round % seeds.length] as Bytes)];
      for (let change = next(6); change >= 0; change--) bytes[next(bytes.length)] = next(256);
      const cut = bytes.slice(0, next(4) ? bytes.length : next(bytes.length + 1));
      const where = {
        linkType: next(8) ? ("ethernet" as const) : ("raw" as const),
        tagger: ["", "dsa", "trailer"][next(3)] ?? "",
        conversations: new Conversations(),
      };
      const d = decode(packet(cut, { bytes: next(3) ? bytes.length : next(70000) }), where, true);
      for (const layer of d.layers) {
        for (const [name, value, from, to] of layer.fields) {
          if (!(from >= 0 && to <= cut.length && from <= to))
            throw new Error(`${layer.id} ${name} ${from}–${to} of ${cut.length}`);
          if (value.includes("undefined") || value.includes("NaN")) throw new Error(`${layer.id} ${name}: ${value}`);
        }
      }
      if (/undefined|NaN/.test(d.info + d.protocol)) throw new Error(`${d.protocol} ${d.info}`);
    }
  });

  it("of each length are decoded", () => {
    for (const bytes of seeds)
      for (let n = 0; n <= bytes.length; n++)
        expect(read(bytes.slice(0, n), { bytes: bytes.length }).protocol).toBeTruthy();
  });
});
