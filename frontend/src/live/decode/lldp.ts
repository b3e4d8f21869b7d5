// LLDP (802.1AB): who is at the other end of this cable.

import { type Dissection, hexText, macText, type Reader, readable } from "./dissection";

const NAMES: Readonly<Record<number, string>> = {
  1: "Chassis",
  2: "Port",
  3: "Time to live",
  4: "Port description",
  5: "System name",
  6: "System description",
  7: "Capabilities",
  8: "Management address",
  127: "Organisation's own",
};
const MAC_SUBTYPES: Readonly<Record<number, number>> = { 1: 4, 2: 3 };

export function lldp(d: Dissection, r: Reader): void {
  const layer = d.layer("lldp", "LLDP", r.at);
  d.say("LLDP", "");
  const told = new Map<number, string>();
  while (r.left > 0) {
    const at = r.at;
    const head = r.u16();
    const [kind, length] = [head >> 9, head & 0x1ff];
    if (kind === 0) break;
    const value = valueWords(kind, r.take(length));
    told.set(kind, value);
    d.field(NAMES[kind] ?? `type ${kind}`, value, at, r.at);
    if (kind === 5) d.keep("lldp.name", value);
    layer.summary = [told.get(5) ?? told.get(1), told.get(2)].filter(Boolean).join(", port ");
    d.say("LLDP", layer.summary);
  }
  layer.to = r.at;
}

function valueWords(kind: number, bytes: Uint8Array): string {
  if (kind === 3) return `${(bytes[0] ?? 0) * 256 + (bytes[1] ?? 0)} s`;
  if (kind === 1 || kind === 2) {
    const isMac = bytes[0] === MAC_SUBTYPES[kind] && bytes.length === 7;
    return isMac ? macText(bytes.subarray(1)) : readable(bytes.subarray(1));
  }
  return kind >= 4 && kind <= 6 ? readable(bytes) : hexText(bytes);
}
