// From a packet's bytes to its layers: the way in for the pane. Any bytes give something and never an error: a layer whose
// bytes end too early says so. Pure.

import type { SeenPacket } from "../packets";
import type { Conversations } from "./conversation";
import { Cut, Dissection, Reader } from "./dissection";
import { ethernet } from "./ethernet";
import { ip } from "./ip";

export interface Circumstances {
  linkType: "ethernet" | "raw";
  /** The switch tag that frames carry here and that nothing in them announces: "dsa" or "trailer" on a conduit. */
  tagger: string;
  /** Of the packets before; null: each is seen by itself. */
  conversations: Conversations | null;
}

export const PLAIN: Circumstances = { linkType: "ethernet", tagger: "", conversations: null };

export function decode(packet: SeenPacket, where: Circumstances, wantsFields: boolean): Dissection {
  const d = new Dissection(packet.data, packet.bytes, packet.unfinished, wantsFields, where.conversations);
  d.keep("frame.number", packet.number);
  d.keep("frame.len", packet.bytes);
  d.keep("frame.out", packet.outgoing ? 1 : 0);
  const r = new Reader(d.bytes, 0, d.wireBytes);
  try {
    if (where.linkType === "raw") ip(d, r);
    else ethernet(d, r, { tagger: where.tagger, outgoing: packet.outgoing });
  } catch (error) {
    if (!(error instanceof Cut)) throw error;
    const last = d.layers.at(-1);
    if (last) last.cut = d.end;
    if (!d.info) d.info = last?.summary ?? "";
  }
  if (!d.protocol) d.say("?", `${packet.bytes} bytes`);
  const end = d.layers.at(-1)?.cut;
  if (end) d.info = `${d.info} [${end}]`.trimStart();
  for (const layer of d.layers) d.keep(layer.id, 1);
  return d;
}
