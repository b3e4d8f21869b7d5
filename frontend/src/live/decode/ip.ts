// IPv4 and IPv6 with their extension headers, down to the protocol that they carry.

import { type Pseudo, pseudoHeader, sumOf, verdict } from "./checksum";
import { type Dissection, flagWords, flowOf, hex, Reader } from "./dissection";
import { icmp, icmpv6 } from "./icmp";
import { tcp } from "./tcp";
import { udp } from "./udp";

export const PROTOCOLS: Readonly<Record<number, string>> = {
  1: "ICMP",
  2: "IGMP",
  4: "IPv4",
  6: "TCP",
  17: "UDP",
  41: "IPv6",
  47: "GRE",
  50: "ESP",
  51: "AH",
  58: "ICMPv6",
  89: "OSPF",
  112: "VRRP",
  132: "SCTP",
  255: "reserved",
};
const DSCP: Readonly<Record<number, string>> = { 0: "CS0", 8: "CS1", 10: "AF11", 46: "EF", 48: "CS6", 56: "CS7" };
const ECN = ["not ECN", "ECT(1)", "ECT(0)", "CE"];
const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const NO_NEXT = 59;
const DESTINATION = 60;
const EXTENSIONS: ReadonlyMap<number, string> = new Map([
  [HOP_BY_HOP, "Hop-by-hop options"],
  [ROUTING, "Routing header"],
  [DESTINATION, "Destination options"],
  [135, "Mobility header"],
]);

/** What carries a transport's packet, as far as that must know. */
export interface Carrier {
  source: string;
  destination: string;
  pseudo: Pseudo | null;
  /** IPv4's identification; it tells a packet from its repetition. */
  id: number;
  /** Not the first fragment: there is no header. */
  fragment: boolean;
}

export function ip(d: Dissection, r: Reader): void {
  const version = (r.bytes[r.at] ?? 0) >> 4;
  if (r.left > 0 && version === 4) {
    ipv4(d, r);
    return;
  }
  if (r.left > 0 && version === 6) {
    ipv6(d, r);
    return;
  }
  d.layer("ip", "IP", r.at, r.left > 0 ? `version ${version}` : "");
  d.say("IP", `version ${version}`);
  r.u8();
}

function ipv4(d: Dissection, r: Reader): void {
  const from = r.at;
  const layer = d.layer("ip", "IPv4", from);
  d.say("IPv4", "");
  const headerBytes = (r.u8() & 0xf) * 4;
  d.field("Header length", `${headerBytes} bytes`, from, r.at);
  trafficClass(d, r.u8(), from + 1, r.at);
  const total = r.u16();
  // a segment that is too large for the field says 0: BIG TCP, and some cards
  const length = total || r.end - from;
  d.value("ip.len", "Total length", length, from + 2, r.at);
  const id = r.u16();
  d.value("ip.id", "Identification", id, from + 4, r.at, `${hex(id, 4)} (${id})`);
  const word = r.u16();
  const [offset, more] = [(word & 0x1fff) * 8, Boolean(word & 0x2000)];
  d.keep("ip.flags.df", word & 0x4000 ? 1 : 0);
  d.keep("ip.flags.mf", more ? 1 : 0);
  d.field("Flags", flagWords(word >> 13, ["more fragments", "don't fragment"]) || "none", from + 6, from + 7);
  d.value("ip.frag_offset", "Fragment offset", offset, from + 6, r.at);
  d.value("ip.ttl", "Time to live", r.u8(), from + 8, r.at);
  const protocol = r.u8();
  d.value("ip.proto", "Protocol", protocol, from + 9, r.at, `${protocol}, ${PROTOCOLS[protocol] ?? "unknown"}`);
  const checksum = r.u16();
  const header = r.bytes.subarray(from, from + headerBytes);
  const told = hex(checksum, 4);
  const whole = header.length === headerBytes && headerBytes >= 20;
  d.field("Checksum", whole ? verdict(told, sumOf(header)) : told, from + 10, r.at);
  const source = r.ipv4();
  d.value("ip.src", "Source", source, from + 12, r.at);
  const destination = r.ipv4();
  d.value("ip.dst", "Destination", destination, from + 16, r.at);
  addresses(d, "ip", source, destination);
  layer.summary = `${source} → ${destination}`;
  if (headerBytes > 20) d.field("Options", r.hex(headerBytes - 20), from + 20, r.at);
  layer.to = r.at;
  const inside = new Reader(r.bytes, r.at, Math.min(r.end, from + length));
  const pseudo =
    more || offset ? null : pseudoHeader(r.bytes.subarray(from + 12, from + 20), protocol, length - headerBytes);
  const carrier: Carrier = { source, destination, pseudo, id, fragment: offset > 0 };
  d.identity = `${source} ${destination} ${protocol} ${id} ${offset}`;
  transport(d, inside, protocol, carrier);
  if (offset || more) d.info = `Fragment ${offset}–${offset + length - headerBytes - 1}, id ${hex(id, 4)}; ${d.info}`;
}

function ipv6(d: Dissection, r: Reader): void {
  const from = r.at;
  const layer = d.layer("ip6", "IPv6", from);
  d.say("IPv6", "");
  const word = r.u32();
  trafficClass(d, (word >>> 20) & 0xff, from, from + 2);
  d.value("ipv6.flow", "Flow label", word & 0xfffff, from + 1, r.at, hex(word & 0xfffff, 5));
  const length = r.u16();
  d.value("ipv6.plen", "Payload length", length, from + 4, r.at);
  const next = r.u8();
  d.value(
    "ipv6.nxt",
    "Next header",
    next,
    from + 6,
    r.at,
    `${next}, ${PROTOCOLS[next] ?? EXTENSIONS.get(next) ?? "unknown"}`,
  );
  d.value("ipv6.hlim", "Hop limit", r.u8(), from + 7, r.at);
  const source = r.ipv6();
  d.value("ipv6.src", "Source", source, from + 8, r.at);
  const destination = r.ipv6();
  d.value("ipv6.dst", "Destination", destination, from + 24, r.at);
  addresses(d, "ipv6", source, destination);
  layer.summary = `${source} → ${destination}`;
  layer.to = r.at;
  const end = Math.min(r.end, length ? r.at + length : r.end);
  extensions(d, new Reader(r.bytes, r.at, end), next, { source, destination, from });
}

function extensions(
  d: Dissection,
  r: Reader,
  first: number,
  of: { source: string; destination: string; from: number },
): void {
  let next = first;
  let [offset, more, id] = [0, false, 0];
  while (EXTENSIONS.has(next) || next === FRAGMENT) {
    const at = r.at;
    const layer = d.layer("ip6ext", EXTENSIONS.get(next) ?? "Fragment header", at);
    const kind = next;
    next = r.u8();
    d.field("Next header", `${next}, ${PROTOCOLS[next] ?? EXTENSIONS.get(next) ?? "unknown"}`, at, r.at);
    const bytes = kind === FRAGMENT ? 8 : (r.u8() + 1) * 8;
    if (kind === FRAGMENT) {
      r.skip(1);
      const word = r.u16();
      [offset, more] = [word & 0xfff8, Boolean(word & 1)];
      id = r.u32();
      layer.summary = `offset ${offset}, ${more ? "more follow" : "the last"}, id ${hex(id, 8)}`;
      d.field("Offset", offset, at + 2, at + 4);
      d.field("More fragments", more ? "yes" : "no", at + 3, at + 4);
      d.field("Identification", hex(id, 8), at + 4, r.at);
    } else {
      layer.summary = kind === HOP_BY_HOP && r.bytes[r.at] === 5 ? "router alert" : `${bytes} bytes`;
      d.field("Length", `${bytes} bytes`, at + 1, at + 2);
      d.field("Content", r.hex(bytes - 2), at + 2, r.at);
    }
    layer.to = r.at;
  }
  const pair = r.bytes.subarray(of.from + 8, of.from + 40);
  const pseudo = offset || more ? null : pseudoHeader(pair, next, r.end - r.at);
  d.identity = `${of.source} ${of.destination} ${next} ${id} ${offset}`;
  transport(d, r, next, { source: of.source, destination: of.destination, pseudo, id, fragment: offset > 0 });
  if (offset || more) d.info = `Fragment ${offset}–, id ${hex(id, 8)}; ${d.info}`;
}

function transport(d: Dissection, r: Reader, protocol: number, carrier: Carrier): void {
  const name = PROTOCOLS[protocol] ?? `protocol ${protocol}`;
  d.flow = flowOf(name.toLowerCase(), carrier.source, carrier.destination);
  if (carrier.fragment) {
    d.say(name, `${r.end - r.at} bytes`);
    return;
  }
  switch (protocol) {
    case 1:
      icmp(d, r, carrier);
      return;
    case 58:
      icmpv6(d, r, carrier);
      return;
    case 6:
      tcp(d, r, carrier);
      return;
    case 17:
      udp(d, r, carrier);
      return;
    case 4:
    case 41:
      ip(d, r);
      return;
    case 47:
      gre(d, r);
      return;
    case 2:
      igmp(d, r);
      return;
    case NO_NEXT:
      d.say("IPv6", "no next header");
      return;
    default:
      d.say(name, `${r.end - r.at} bytes`);
  }
}

function gre(d: Dissection, r: Reader): void {
  const from = r.at;
  const layer = d.layer("gre", "GRE", from);
  d.say("GRE", "");
  const flags = r.u16();
  const type = r.u16();
  d.field("Flags", hex(flags, 4), from, from + 2);
  d.field("Protocol type", hex(type, 4), from + 2, r.at);
  layer.summary = `carries ${hex(type, 4)}`;
  for (const [bit, name] of [
    [0x8000, "Checksum"],
    [0x2000, "Key"],
    [0x1000, "Sequence"],
  ] as const) {
    if (!(flags & bit)) continue;
    const at = r.at;
    d.field(name, hex(r.u32(), 8), at, r.at);
  }
  layer.to = r.at;
  if (type === 0x0800 || type === 0x86dd) ip(d, r);
  else d.say("GRE", layer.summary);
}

const IGMP: Readonly<Record<number, string>> = {
  17: "Membership query",
  18: "Membership report v1",
  22: "Membership report v2",
  23: "Leave group",
  34: "Membership report v3",
};

function igmp(d: Dissection, r: Reader): void {
  const from = r.at;
  const layer = d.layer("igmp", "IGMP", from);
  const kind = r.u8();
  const name = IGMP[kind] ?? `type ${hex(kind, 2)}`;
  layer.summary = name;
  d.say("IGMP", name);
  d.field("Type", name, from, r.at);
  r.skip(1);
  d.field("Checksum", hex(r.u16(), 4), from + 2, r.at);
  const group = r.ipv4();
  d.field(kind === 34 ? "Records" : "Group", kind === 34 ? Number(group.split(".")[3]) : group, from + 4, r.at);
  if (kind !== 34) d.say("IGMP", `${name} ${group}`);
}

function trafficClass(d: Dissection, value: number, from: number, to: number): void {
  const [dscp, ecn] = [value >> 2, value & 3];
  d.value("ip.dscp", "DSCP", dscp, from, to, DSCP[dscp] ? `${dscp}, ${DSCP[dscp]}` : String(dscp));
  d.value("ip.ecn", "ECN", ecn, from, to, `${ecn}, ${ECN[ecn]}`);
}

function addresses(d: Dissection, family: "ip" | "ipv6", source: string, destination: string): void {
  for (const address of [source, destination]) {
    d.keep("ip.addr", address);
    if (family === "ipv6") d.keep("ipv6.addr", address);
  }
  if (family === "ipv6") {
    d.keep("ip.src", source);
    d.keep("ip.dst", destination);
  }
  d.ends(source, destination);
}
