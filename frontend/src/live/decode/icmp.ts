// ICMP and ICMPv6: echo, errors with the packet that they are about, neighbour discovery, multicast listeners.

import { checksumWords } from "./checksum";
import { type Dissection, flagWords, flowOf, hex, type Reader } from "./dissection";
import type { Carrier } from "./ip";

const V4: Readonly<Record<number, string>> = {
  0: "Echo reply",
  3: "Destination unreachable",
  5: "Redirect",
  8: "Echo request",
  9: "Router advertisement",
  10: "Router solicitation",
  11: "Time exceeded",
  12: "Parameter problem",
  13: "Timestamp request",
  14: "Timestamp reply",
};
const UNREACHABLE: Readonly<Record<number, string>> = {
  0: "network",
  1: "host",
  2: "protocol",
  3: "port",
  4: "fragmentation needed",
  9: "network prohibited",
  10: "host prohibited",
  13: "prohibited by filter",
};
const V6: Readonly<Record<number, string>> = {
  1: "Destination unreachable",
  2: "Packet too big",
  3: "Time exceeded",
  4: "Parameter problem",
  128: "Echo request",
  129: "Echo reply",
  130: "Multicast listener query",
  131: "Multicast listener report",
  132: "Multicast listener done",
  133: "Router solicitation",
  134: "Router advertisement",
  135: "Neighbour solicitation",
  136: "Neighbour advertisement",
  137: "Redirect",
  143: "Multicast listener report v2",
};
const UNREACHABLE_V6: Readonly<Record<number, string>> = {
  0: "no route",
  1: "prohibited",
  3: "address",
  4: "port",
  5: "source address failed policy",
};
const RECORDS = ["", "is include", "is exclude", "to include", "to exclude", "allow new", "block old"];
const OPTIONS: Readonly<Record<number, string>> = {
  1: "Source link-layer address",
  2: "Target link-layer address",
  3: "Prefix",
  4: "Redirected header",
  5: "MTU",
  14: "Nonce",
  25: "DNS servers",
};

export function icmp(d: Dissection, r: Reader, carrier: Carrier): void {
  const from = r.at;
  const layer = d.layer("icmp", "ICMP", from);
  const type = r.u8();
  const name = V4[type] ?? `type ${type}`;
  layer.summary = name;
  d.say("ICMP", name);
  d.value("icmp.type", "Type", type, from, r.at, `${type}, ${name}`);
  const code = r.u8();
  const why = type === 3 ? (UNREACHABLE[code] ?? "") : type === 11 ? (code ? "reassembly" : "in transit") : "";
  d.value("icmp.code", "Code", code, from + 1, r.at, why ? `${code}, ${why}` : String(code));
  const sum = r.u16();
  const all = carrier.pseudo && { sum: 0, length: carrier.pseudo.length };
  d.field("Checksum", checksumWords(d, sum, from, all), from + 2, r.at);
  if (type === 0 || type === 8 || type === 13 || type === 14) {
    echo(d, r, name, carrier);
    return;
  }
  const rest = r.u32();
  if (type === 3 && code === 4) d.field("MTU", rest & 0xffff, from + 6, r.at);
  else if (type !== 5) d.field("Unused", hex(rest, 8), from + 4, r.at);
  const gateway = type === 5 ? [24, 16, 8, 0].map((shift) => (rest >>> shift) & 255).join(".") : "";
  if (gateway) d.field("Gateway", gateway, from + 4, r.at);
  const words = [
    name,
    why && `(${why})`,
    gateway && `to ${gateway}`,
    type === 3 && code === 4 && `MTU ${rest & 0xffff}`,
  ];
  layer.summary = words.filter(Boolean).join(" ");
  d.say("ICMP", layer.summary);
  layer.to = r.at;
  if (type === 3 || type === 5 || type === 11 || type === 12) about(d, r);
}

export function icmpv6(d: Dissection, r: Reader, carrier: Carrier): void {
  const from = r.at;
  const layer = d.layer("icmpv6", "ICMPv6", from);
  const type = r.u8();
  const name = V6[type] ?? `type ${type}`;
  layer.summary = name;
  d.say("ICMPv6", name);
  d.value("icmpv6.type", "Type", type, from, r.at, `${type}, ${name}`);
  const code = r.u8();
  d.value("icmpv6.code", "Code", code, from + 1, r.at);
  d.field("Checksum", checksumWords(d, r.u16(), from, carrier.pseudo), from + 2, r.at);
  if (type === 128 || type === 129) {
    echo(d, r, name, carrier);
    return;
  }
  if (type >= 133 && type <= 137) {
    neighbours(d, r, type, name);
    return;
  }
  if (type === 143) {
    listeners(d, r, name);
    return;
  }
  const rest = r.u32();
  if (type >= 130 && type <= 132) {
    const group = r.ipv6();
    d.field("Group", group, from + 8, r.at);
    layer.summary = `${name} ${group}`;
    d.say("ICMPv6", layer.summary);
    return;
  }
  if (type === 2) d.field("MTU", rest, from + 4, r.at);
  const why = type === 1 ? (UNREACHABLE_V6[code] ?? "") : "";
  layer.summary = `${name}${why && ` (${why})`}${type === 2 ? `, MTU ${rest}` : ""}`;
  d.say("ICMPv6", layer.summary);
  layer.to = r.at;
  if (type >= 1 && type <= 4) about(d, r);
}

function echo(d: Dissection, r: Reader, name: string, carrier: Carrier): void {
  const layer = d.layers.at(-1);
  const from = r.at;
  const id = r.u16();
  d.value(`${layer?.id}.ident`, "Identifier", id, from, r.at, `${hex(id, 4)} (${id})`);
  const sequence = r.u16();
  d.value(`${layer?.id}.seq`, "Sequence", sequence, from + 2, r.at);
  const data = r.end - r.at;
  d.flow = `${flowOf(layer?.id ?? "icmp", carrier.source, carrier.destination)} ${id}`;
  d.identity += ` ${name} ${id} ${sequence}`;
  const ttl = d.values.get("ip.ttl")?.at(-1) ?? d.values.get("ipv6.hlim")?.at(-1);
  const words = `${name} seq=${sequence} id=${hex(id, 4)}`;
  if (layer) layer.summary = words;
  d.say(layer?.name ?? "ICMP", `${words} ttl=${ttl} len=${data}`);
  if (data > 0) d.field("Data", `${data} bytes`, r.at, Math.min(r.end, r.bytes.length));
}

/** The packet that an error answers: its layers are shown, the line stays the error's. */
function about(d: Dissection, r: Reader): void {
  if (r.left < 1) return;
  const { protocol, info, source, destination, identity } = d;
  const layer = d.layer("quoted", "The packet that this is about", r.at);
  const from = r.at;
  const version = r.u8() >> 4;
  if (version === 4) {
    const headerBytes = ((r.bytes[from] ?? 0) & 0xf) * 4;
    r.skip(7);
    const ttl = r.u8();
    const carried = r.u8();
    r.skip(2);
    quote(d, r, r.ipv4(), r.ipv4(), carried, from, headerBytes - 20);
    d.field("Time to live", ttl, from + 8, from + 9);
  } else {
    r.skip(5);
    const carried = r.u8();
    r.skip(1);
    quote(d, r, r.ipv6(), r.ipv6(), carried, from, 0);
  }
  layer.to = r.at;
  Object.assign(d, { protocol, source, destination, identity });
  d.info = `${info}: ${layer.summary}`;
}

function quote(
  d: Dissection,
  r: Reader,
  source: string,
  destination: string,
  carried: number,
  from: number,
  options: number,
) {
  const layer = d.layers.at(-1);
  const name = { 1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6" }[carried] ?? `protocol ${carried}`;
  d.field("Source", source, from, r.at);
  d.field("Destination", destination, from, r.at);
  d.field("Protocol", name, from, r.at);
  if (options > 0) r.skip(options);
  let ports = ["", ""];
  if ((carried === 6 || carried === 17) && r.left >= 4) {
    const at = r.at;
    ports = [`:${r.u16()}`, `:${r.u16()}`];
    d.field("Ports", ports.join(" → ").replaceAll(":", ""), at, r.at);
  }
  if (layer) layer.summary = `${name} ${source}${ports[0]} → ${destination}${ports[1]}`;
}

function neighbours(d: Dissection, r: Reader, type: number, name: string): void {
  const layer = d.layers.at(-1);
  const from = r.at;
  const word = r.u32();
  let words = name;
  if (type === 134) {
    d.field("Hop limit", word >>> 24, from, from + 1);
    d.field("Router lifetime", `${word & 0xffff} s`, from + 2, r.at);
    r.skip(8);
  } else if (type !== 133) {
    if (type === 136) {
      const flags = flagWords(word >>> 29, ["override", "solicited", "router"]);
      d.field("Flags", flags || "none", from, r.at);
    }
    const target = r.ipv6();
    d.value("icmpv6.target", "Target", target, from + 4, r.at);
    words = type === 135 ? `${name}: who has ${target}?` : `${name} ${target}`;
    if (type === 137) d.field("Destination", r.ipv6(), from + 20, r.at);
  }
  if (layer) layer.summary = words;
  d.say("ICMPv6", words);
  while (r.left > 0) {
    const at = r.at;
    const kind = r.u8();
    const bytes = r.u8() * 8;
    if (bytes === 0) break;
    const address = kind === 1 || kind === 2 ? r.mac() : "";
    r.skip(bytes - 2 - (address ? 6 : 0));
    d.field(OPTIONS[kind] ?? `Option ${kind}`, address || `${bytes} bytes`, at, r.at);
    if (address) words += type === 136 ? ` is at ${address}` : ` from ${address}`;
    if (layer) layer.summary = words;
    d.say("ICMPv6", words);
  }
}

function listeners(d: Dissection, r: Reader, name: string): void {
  const layer = d.layers.at(-1);
  r.skip(2);
  const count = r.u16();
  const words: string[] = [];
  for (let i = 0; i < count && r.left > 0; i++) {
    const at = r.at;
    const kind = RECORDS[r.u8()] ?? "unknown";
    const more = r.u8() * 4;
    const sources = r.u16();
    const group = r.ipv6();
    r.skip(sources * 16 + more);
    words.push(`${kind} ${group}`);
    d.field("Record", `${kind} ${group}, ${sources} sources`, at, r.at);
    if (layer) layer.summary = `${name}: ${words.join(", ")}`;
    d.say("ICMPv6", layer?.summary ?? name);
  }
}
