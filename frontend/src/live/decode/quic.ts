// QUIC's headers (RFC 8999, 9000, 9369): what can be seen without keys.

import { type Dissection, hex, type Reader } from "./dissection";

const PORTS: ReadonlySet<number> = new Set([443, 4433, 8443]);
const LONG = 0x80;
const FIXED = 0x40;
const VERSION_1 = 1;
const VERSION_2 = 0x6b3343cf;
const TYPES_1 = ["Initial", "0-RTT", "Handshake", "Retry"];
const TYPES_2 = ["Retry", "Initial", "0-RTT", "Handshake"];
const ID_BYTES_MAX = 20;

/** A long header says its version; a short one says nothing, so only its port does. */
export function isQuic(r: Reader, source: number, to: number): boolean {
  const first = r.bytes[r.at];
  if (first === undefined) return false;
  if (first & LONG && r.left >= 7) {
    const version = versionAt(r);
    const known =
      version === VERSION_1 || version === VERSION_2 || (version === 0 && first & FIXED) || version >>> 8 === 0xff0000;
    if (known) return (r.bytes[r.at + 5] ?? 0xff) <= ID_BYTES_MAX;
  }
  return (first & (LONG | FIXED)) === FIXED && (PORTS.has(source) || PORTS.has(to));
}

export function quic(d: Dissection, r: Reader): void {
  const from = r.at;
  const layer = d.layer("quic", "QUIC", from);
  const first = r.u8();
  if (!(first & LONG)) {
    layer.summary = `Short header, spin ${(first >> 5) & 1}, ${r.end - r.at} bytes`;
    d.field("Header", "short", from, r.at);
    d.field("Spin bit", (first >> 5) & 1, from, r.at);
    d.say("QUIC", layer.summary);
    return;
  }
  const version = r.u32();
  const type =
    version === 0 ? "Version negotiation" : ((version === VERSION_2 ? TYPES_2 : TYPES_1)[(first >> 4) & 3] ?? "");
  d.value("quic.type", "Packet", type, from, from + 1);
  d.value("quic.version", "Version", version, from + 1, r.at, versionWords(version));
  layer.summary = `${type}, version ${versionWords(version)}`;
  d.say("QUIC", layer.summary);
  const to = connection(d, r, "Destination's connection");
  const source = connection(d, r, "Source's connection");
  layer.summary = `${type}, DCID=${to || "none"}, SCID=${source || "none"}`;
  d.say("QUIC", layer.summary);
  layer.to = Math.min(r.end, r.bytes.length);
}

function connection(d: Dissection, r: Reader, name: string): string {
  const at = r.at;
  const id = r.hex(r.u8());
  d.field(name, id || "none", at, r.at);
  return id;
}

function versionAt(r: Reader): number {
  return new DataView(r.bytes.buffer, r.bytes.byteOffset).getUint32(r.at + 1);
}

function versionWords(version: number): string {
  if (version === VERSION_1) return "1";
  if (version === VERSION_2) return "2";
  return version >>> 8 === 0xff0000 ? `draft ${version & 0xff}` : hex(version, 8);
}
