// TLS records, and of a ClientHello the name that it asks for.

import { Cut, type Dissection, hex, type Reader } from "./dissection";

const RECORDS: Readonly<Record<number, string>> = {
  20: "Change cipher spec",
  21: "Alert",
  22: "Handshake",
  23: "Application data",
};
const HANDSHAKES: Readonly<Record<number, string>> = {
  1: "Client hello",
  2: "Server hello",
  4: "New session ticket",
  8: "Encrypted extensions",
  11: "Certificate",
  12: "Server key exchange",
  14: "Server hello done",
  16: "Client key exchange",
  20: "Finished",
};
const VERSIONS: Readonly<Record<number, string>> = { 769: "TLS 1.0", 770: "TLS 1.1", 771: "TLS 1.2", 772: "TLS 1.3" };
const RECORD_BYTES_MAX = 0x4800;
const SERVER_NAME = 0;
const SUPPORTED_VERSIONS = 43;

export function isTls(r: Reader): boolean {
  const [kind, major, minor, high, low] = r.bytes.subarray(r.at, r.at + 5);
  if (kind === undefined || low === undefined || high === undefined || minor === undefined) return false;
  return kind >= 20 && kind <= 23 && major === 3 && minor <= 4 && high * 256 + low <= RECORD_BYTES_MAX;
}

export function tls(d: Dissection, r: Reader): void {
  const names: string[] = [];
  while (r.left >= 5 && isTls(r)) {
    const from = r.at;
    const layer = d.layer("tls", "TLS", from);
    const kind = r.u8();
    const version = r.u16();
    const length = r.u16();
    const name = RECORDS[kind] ?? "";
    d.field("Record", name, from, from + 1);
    d.field("Version", VERSIONS[version] ?? hex(version, 4), from + 1, from + 3);
    d.field("Length", length, from + 3, from + 5);
    layer.summary = name;
    names.push(name);
    d.say("TLS", names.join(", "));
    layer.to = Math.min(r.at + length, r.bytes.length);
    const record = r.part(length);
    if (kind !== 22) continue;
    layer.summary = names[names.length - 1] = handshake(d, record);
    d.say("TLS", names.join(", "));
  }
}

function handshake(d: Dissection, r: Reader): string {
  const at = r.at;
  const kind = r.u8();
  const name = HANDSHAKES[kind] ?? "Encrypted handshake";
  d.field("Handshake", name, at, r.at);
  if (kind !== 1) return name;
  try {
    const asked = clientHello(d, r);
    return asked ? `${name} (${asked})` : name;
  } catch (error) {
    if (!(error instanceof Cut)) throw error;
    const layer = d.layers.at(-1);
    if (layer) layer.cut = d.end;
    return name;
  }
}

function clientHello(d: Dissection, r: Reader): string {
  r.skip(3 + 2 + 32);
  r.skip(r.u8()); // session
  r.skip(r.u16()); // cipher suites
  r.skip(r.u8()); // compression
  let left = r.u16();
  while (left >= 4 && r.left > 0) {
    const at = r.at;
    const kind = r.u16();
    const length = r.u16();
    left -= 4 + length;
    const part = r.part(length);
    if (kind === SUPPORTED_VERSIONS) {
      const versions: string[] = [];
      for (part.skip(1); part.left >= 2; ) {
        const version = VERSIONS[part.u16()];
        if (version) versions.push(version);
      }
      d.field("Versions offered", versions.join(", "), at, at + 4 + length);
    }
    if (kind !== SERVER_NAME) continue;
    part.skip(3);
    const name = part.text(part.u16());
    d.value("tls.sni", "Server name", name, at, at + 4 + length);
    return name;
  }
  return "";
}
