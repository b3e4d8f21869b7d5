// Ethernet and what stands between it and IP: VLAN tags, switch tags, ARP, LLC with spanning tree, LLDP, pause frames.

import { tagFields } from "../../workspace/switches/tag_layout";
import { arp } from "./arp";
import { type Dissection, flowOf, hex, hexText, Reader } from "./dissection";
import { ip } from "./ip";
import { lldp } from "./lldp";
import { ptp } from "./ptp";
import { stp } from "./stp";

const LENGTH_MAX = 1500;
const VLAN_TYPES: ReadonlyMap<number, string> = new Map([
  [0x8100, "802.1Q"],
  [0x88a8, "802.1ad"],
  [0x9100, "QinQ"],
]);
const EDSA = 0xdada;
const DSA_MODES = ["TO_CPU", "FROM_CPU", "TO_SNIFFER", "FORWARD"];
const TRAILER_BYTES = 4;
const NAMES: Readonly<Record<number, string>> = {
  2048: "IPv4",
  2054: "ARP",
  34525: "IPv6",
  34887: "MPLS",
  34888: "MPLS multicast",
  34915: "PPPoE discovery",
  34916: "PPPoE session",
  34958: "802.1X",
  35020: "LLDP",
  35045: "MACsec",
  35063: "PTP",
  34824: "MAC control",
  34825: "Slow protocols (LACP)",
  36864: "Loopback test",
};

export interface OnTheWire {
  tagger: string;
  outgoing: boolean;
}

export function ethernet(d: Dissection, r: Reader, wire: OnTheWire): void {
  const from = r.at;
  const layer = d.layer("eth", "Ethernet", from);
  const to = r.mac();
  d.value("eth.dst", "Destination", to, from, r.at, macWords(to));
  d.keep("eth.addr", to);
  const source = r.mac();
  d.value("eth.src", "Source", source, from + 6, r.at, macWords(source));
  d.keep("eth.addr", source);
  layer.summary = `${source} → ${to}`;
  d.ends(source, to);
  d.flow = flowOf("eth", source, to);
  let inside = r;
  if (wire.tagger === "trailer" && r.end <= r.bytes.length && r.end - r.at > TRAILER_BYTES) {
    inside = new Reader(r.bytes, r.at, r.end - TRAILER_BYTES);
  }
  if (wire.tagger === "dsa") dsaTag(d, r, "dsa");
  etherType(d, inside, wire, layer);
  if (inside !== r) trailerTag(d, new Reader(r.bytes, inside.end, r.end), wire.outgoing);
}

/** VLAN and switch tags one after the other, then what they are before. */
function etherType(d: Dissection, r: Reader, wire: OnTheWire, layer: { to: number }): void {
  const at = r.at;
  const type = r.u16();
  layer.to = Math.min(layer.to, r.at);
  if (type === EDSA) {
    d.field("Type", "0xdada, switch tag with EtherType (EDSA)", at, r.at);
    r.skip(2);
    dsaTag(d, r, "edsa");
    etherType(d, r, wire, layer);
    return;
  }
  const vlan = VLAN_TYPES.get(type);
  if (vlan) {
    d.field("Type", `${hex(type, 4)}, ${vlan}`, at, r.at);
    vlanTag(d, r, vlan);
    etherType(d, r, wire, { to: r.at + 2 });
    return;
  }
  if (type <= LENGTH_MAX) {
    d.field("Length", type, at, r.at);
    llc(d, r.part(type));
    return;
  }
  d.value("eth.type", "Type", type, at, r.at, `${hex(type, 4)}${NAMES[type] ? `, ${NAMES[type]}` : ""}`);
  payload(d, r, type);
}

function payload(d: Dissection, r: Reader, type: number): void {
  switch (type) {
    case 0x0800:
    case 0x86dd:
      ip(d, r);
      return;
    case 0x0806:
      arp(d, r);
      return;
    case 0x88cc:
      lldp(d, r);
      return;
    case 0x88f7:
      ptp(d, r);
      return;
    case 0x8808: {
      const layer = d.layer("pause", "MAC control", r.at);
      const at = r.at;
      const code = r.u16();
      layer.summary = code === 1 ? `PAUSE ${r.u16()} quanta` : `opcode ${hex(code, 4)}`;
      d.field("Opcode", hex(code, 4), at, at + 2);
      d.say("PAUSE", layer.summary);
      return;
    }
    default:
      d.say(NAMES[type] ?? hex(type, 4), `EtherType ${hex(type, 4)}, ${Math.max(0, r.end - r.at)} bytes`);
  }
}

function vlanTag(d: Dissection, r: Reader, name: string): void {
  const from = r.at;
  const layer = d.layer("vlan", name, from);
  const tag = r.u16();
  layer.to = r.at;
  layer.summary = `VLAN ${tag & 0xfff}, priority ${tag >> 13}${tag & 0x1000 ? ", drop eligible" : ""}`;
  d.value("vlan.priority", "Priority", tag >> 13, from, from + 1);
  d.field("Drop eligible", (tag >> 12) & 1, from, from + 1);
  d.value("vlan.id", "VLAN", tag & 0xfff, from, r.at);
}

/** The four bytes that DSA and EDSA share, as net/dsa/tag_dsa.c reads them. */
function dsaTag(d: Dissection, r: Reader, tagger: "dsa" | "edsa"): void {
  const from = r.at;
  const layer = d.layer("dsa", tagger === "edsa" ? "EDSA tag" : "DSA tag", from);
  const bytes = r.take(4);
  layer.to = r.at;
  const [first, second] = bytes as unknown as [number, number];
  const mode = DSA_MODES[first >> 6] ?? "";
  const [device, port] = [first & 0x1f, second >> 3];
  layer.summary = `${mode}, device ${device}, port ${port}`;
  d.keep("dsa.port", port);
  const fields: [string, string][] = [
    ["mode", mode],
    ["tagged", first & 0x20 ? "yes" : "no"],
  ];
  const before = tagger === "edsa" ? 32 : 0; // tag_layout counts from the EtherType there
  for (const field of tagFields({ tagger, direction: "to_cpu", fields })) {
    if (!field.name || (field.at[0]?.first ?? 0) < before) continue;
    const bits = field.at.map(({ first: bit, count }) => bitsOf(bytes, bit - before, count)).join("");
    const value = field.name === "mode" ? mode : String(Number.parseInt(bits, 2));
    const [low, high] = [
      Math.min(...field.at.map((b) => b.first)),
      Math.max(...field.at.map((b) => b.first + b.count)),
    ];
    d.field(field.name, value, from + ((low - before) >> 3), from + ((high - before + 7) >> 3));
  }
}

function trailerTag(d: Dissection, r: Reader, outgoing: boolean): void {
  const from = r.at;
  const layer = d.layer("dsa", "Trailer tag", from);
  const bytes = r.take(TRAILER_BYTES);
  const port = (bytes[1] as number) & (outgoing ? 0xff : 7);
  layer.summary = outgoing ? `to ports ${port.toString(2).padStart(8, "0")}` : `from port ${port}`;
  if (!outgoing) d.keep("dsa.port", port);
  d.field("mark", hex(bytes[0] as number, 2), from, from + 1);
  d.field(outgoing ? "ports" : "port", port, from + 1, from + 2);
  d.field("rest", hexText(bytes.subarray(2)), from + 2, from + 4);
}

function bitsOf(bytes: Uint8Array, first: number, count: number): string {
  const all = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return all.slice(first, first + count);
}

/** IEEE 802.2: of what is sent so, spanning tree is what labs show. */
function llc(d: Dissection, r: Reader): void {
  const from = r.at;
  const layer = d.layer("llc", "LLC", from);
  const [to, source] = [r.u8(), r.u8()];
  const control = r.u8();
  layer.to = r.at;
  layer.summary = `${hex(to, 2)} ← ${hex(source, 2)}`;
  d.field("Destination service", hex(to, 2), from, from + 1);
  d.field("Source service", hex(source, 2), from + 1, from + 2);
  d.field("Control", hex(control, 2), from + 2, from + 3);
  if (to === 0x42) {
    stp(d, r);
    return;
  }
  d.say("LLC", layer.summary);
}

const GROUPS: Readonly<Record<string, string>> = {
  "ff:ff:ff:ff:ff:ff": "broadcast",
  "01:80:c2:00:00:00": "spanning tree",
  "01:80:c2:00:00:0e": "LLDP and PTP",
  "01:1b:19:00:00:00": "PTP",
};

function macWords(mac: string): string {
  if (GROUPS[mac]) return `${mac}, ${GROUPS[mac]}`;
  if (mac.startsWith("33:33:")) return `${mac}, IPv6 multicast`;
  if (mac.startsWith("01:00:5e:")) return `${mac}, IPv4 multicast`;
  return mac;
}
