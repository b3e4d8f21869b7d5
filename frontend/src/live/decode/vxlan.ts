// VXLAN (RFC 7348): the frame inside is taken apart like any other, and the line becomes its.

import { type Dissection, hex, type Reader } from "./dissection";
import { ethernet } from "./ethernet";

const DEPTH_MAX = 4;

export function vxlan(d: Dissection, r: Reader): void {
  const from = r.at;
  const layer = d.layer("vxlan", "VXLAN", from);
  d.say("VXLAN", "");
  d.field("Flags", hex(r.u8(), 2), from, r.at);
  r.skip(3);
  const vni = r.u24();
  d.value("vxlan.vni", "Network (VNI)", vni, from + 4, r.at);
  r.skip(1);
  layer.to = r.at;
  layer.summary = `VNI ${vni}`;
  d.say("VXLAN", layer.summary);
  const depth = d.layers.filter((one) => one.id === "vxlan").length;
  if (depth <= DEPTH_MAX && r.left > 0) ethernet(d, r, { tagger: "", outgoing: false });
}
