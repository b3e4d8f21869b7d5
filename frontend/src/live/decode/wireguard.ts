// WireGuard's four messages (its whitepaper, section 5.4).

import { type Dissection, hex, type Reader } from "./dissection";

const PORT = 51820;
const MESSAGES = ["", "Handshake initiation", "Handshake response", "Cookie reply", "Transport data"];
const SIZES = [0, 148, 92, 64, 32];
const OVERHEAD_BYTES = 32;

/** Its messages begin with their type and three zeros, and have their sizes. */
export function isWireGuard(r: Reader, source: number, to: number): boolean {
  const [kind, a, b, c] = r.bytes.subarray(r.at, r.at + 4);
  if (kind === undefined || kind < 1 || kind > 4 || a || b || c) return false;
  const size = r.end - r.at;
  const fits = kind === 4 ? size >= OVERHEAD_BYTES && size % 16 === 0 : size === SIZES[kind];
  return fits || source === PORT || to === PORT;
}

export function wireguard(d: Dissection, r: Reader): void {
  const from = r.at;
  const layer = d.layer("wg", "WireGuard", from);
  const kind = r.u8();
  const name = MESSAGES[kind] ?? `type ${kind}`;
  layer.summary = name;
  d.say("WireGuard", name);
  d.value("wg.type", "Message", kind, from, r.at, `${kind}, ${name}`);
  r.skip(3);
  const first = r.little32();
  const index = hex(first, 8);
  if (kind === 1) {
    d.value("wg.sender", "Sender", first, from + 4, r.at, index);
    layer.summary = `${name}, sender ${index}`;
    d.say("WireGuard", layer.summary);
    for (const [field, bytes] of [
      ["Ephemeral key", 32],
      ["Static key, encrypted", 48],
      ["Timestamp, encrypted", 28],
    ] as const) {
      const at = r.at;
      d.field(field, r.hex(bytes), at, r.at);
    }
    macs(d, r);
  } else if (kind === 2) {
    const receiver = r.little32();
    d.value("wg.sender", "Sender", first, from + 4, from + 8, index);
    d.value("wg.receiver", "Receiver", receiver, from + 8, r.at, hex(receiver, 8));
    layer.summary = `${name}, sender ${index}, receiver ${hex(receiver, 8)}`;
    d.say("WireGuard", layer.summary);
    d.field("Ephemeral key", r.hex(32), from + 12, r.at);
    d.field("Nothing, encrypted", r.hex(16), from + 44, r.at);
    macs(d, r);
  } else {
    d.value("wg.receiver", "Receiver", first, from + 4, r.at, index);
    if (kind !== 4) return;
    const low = r.little32();
    const counter = BigInt(r.little32()) * 0x1_0000_0000n + BigInt(low);
    const inside = Math.max(0, r.end - r.at - 16);
    d.field("Counter", String(counter), from + 8, r.at);
    d.field("Encrypted packet", inside ? `${inside} bytes` : "none: keepalive", r.at, Math.min(r.end, r.bytes.length));
    layer.summary = inside
      ? `${name}, receiver ${index}, counter ${counter}, ${inside} bytes`
      : `Keepalive, receiver ${index}, counter ${counter}`;
    d.say("WireGuard", layer.summary);
  }
}

function macs(d: Dissection, r: Reader): void {
  for (const name of ["MAC 1", "MAC 2"]) {
    const at = r.at;
    d.field(name, r.hex(16), at, r.at);
  }
}
