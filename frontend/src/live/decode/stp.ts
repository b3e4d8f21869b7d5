// Spanning tree (802.1D, 802.1w): bridge protocol data units behind LLC.

import { type Dissection, flagWords, hex, type Reader } from "./dissection";

const KINDS: Readonly<Record<number, string>> = { 0: "Configuration", 128: "Topology change", 2: "Rapid" };
const FLAGS = ["topology change", "proposal", "", "", "learning", "forwarding", "agreement", "TC acknowledged"];
const PART = 256;

export function stp(d: Dissection, r: Reader): void {
  const from = r.at;
  const layer = d.layer("stp", "Spanning tree", from);
  d.say("STP", "");
  d.field("Protocol", r.u16(), from, r.at);
  const version = r.u8();
  d.field("Version", version, from + 2, r.at);
  const kind = r.u8();
  const name = KINDS[kind] ?? `type ${hex(kind, 2)}`;
  d.field("Type", name, from + 3, r.at);
  const protocol = version >= 2 ? "RSTP" : "STP";
  layer.summary = name;
  d.say(protocol, name);
  if (kind === 128) return;
  d.field("Flags", flagWords(r.u8(), FLAGS) || "none", from + 4, r.at);
  const root = bridge(r);
  d.value("stp.root", "Root", root, from + 5, r.at);
  const cost = r.u32();
  d.field("Cost to root", cost, from + 13, r.at);
  d.field("Bridge", bridge(r), from + 17, r.at);
  const port = r.u16();
  d.field("Port", hex(port, 4), from + 25, r.at);
  layer.summary = `${name}, root ${root}, cost ${cost}, port ${hex(port, 4)}`;
  d.say(protocol, layer.summary);
  for (const timer of ["Message age", "Max age", "Hello time", "Forward delay"]) {
    const at = r.at;
    d.field(timer, `${r.u16() / PART} s`, at, r.at);
  }
  layer.to = r.at;
}

function bridge(r: Reader): string {
  return `${r.u16()}/${r.mac()}`;
}
