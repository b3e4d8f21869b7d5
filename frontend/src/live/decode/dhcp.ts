// DHCP for IPv4 (RFC 2131) with its options; of DHCPv6 (RFC 8415) the message.

import { type Dissection, hexText, type Reader, readable } from "./dissection";

const MESSAGES = ["", "Discover", "Offer", "Request", "Decline", "ACK", "NAK", "Release", "Inform"];
const V6 = [
  "",
  "Solicit",
  "Advertise",
  "Request",
  "Confirm",
  "Renew",
  "Rebind",
  "Reply",
  "Release",
  "Decline",
  "Reconfigure",
];
const COOKIE = 0x63825363;
const OPTIONS: Readonly<Record<number, string>> = {
  1: "Subnet mask",
  3: "Router",
  6: "DNS servers",
  12: "Host name",
  15: "Domain",
  26: "MTU",
  28: "Broadcast",
  50: "Requested address",
  51: "Lease time",
  53: "Message",
  54: "Server",
  55: "Parameters asked for",
  57: "Largest message",
  60: "Vendor class",
  61: "Client",
};
const ADDRESSES: ReadonlySet<number> = new Set([1, 3, 6, 28, 50, 54]);
const TEXTS: ReadonlySet<number> = new Set([12, 15, 60]);
const END = 255;

export function dhcp(d: Dissection, r: Reader): void {
  const from = r.at;
  const layer = d.layer("dhcp", "DHCP", from);
  d.say("DHCP", "");
  const operation = r.u8();
  d.field("Operation", operation === 1 ? "request" : "reply", from, r.at);
  r.skip(3);
  const transaction = `0x${r.hex(4)}`;
  d.value("dhcp.id", "Transaction", transaction, from + 4, r.at);
  d.field("Seconds", r.u16(), from + 8, r.at);
  d.field("Flags", r.u16() & 0x8000 ? "broadcast" : "none", from + 10, r.at);
  const told = ["Client's address", "Your address", "Server's address", "Relay's address"].map((name, i) => {
    const address = r.ipv4();
    d.field(name, address, from + 12 + 4 * i, r.at);
    return address;
  });
  d.value("dhcp.mac", "Client's MAC", r.mac(), from + 28, r.at);
  layer.summary = `transaction ${transaction}`;
  d.say("DHCP", layer.summary);
  r.skip(10 + 64 + 128);
  if (r.u32() !== COOKIE) return;
  options(d, r, transaction, told[1] ?? "");
  layer.to = r.at;
}

function options(d: Dissection, r: Reader, transaction: string, yours: string): void {
  const layer = d.layers.at(-1);
  while (r.left > 0) {
    const at = r.at;
    const kind = r.u8();
    if (kind === END) break;
    if (kind === 0) continue;
    const bytes = r.take(r.u8());
    const value = valueWords(kind, bytes);
    d.field(OPTIONS[kind] ?? `Option ${kind}`, value, at, r.at);
    if (kind !== 53) continue;
    d.keep("dhcp.type", value);
    const address = yours && yours !== "0.0.0.0" ? ` ${yours}` : "";
    if (layer) layer.summary = `${value}${address}, transaction ${transaction}`;
    d.say("DHCP", layer?.summary ?? value);
  }
}

function valueWords(kind: number, bytes: Uint8Array): string {
  if (kind === 53) return MESSAGES[bytes[0] ?? 0] ?? `message ${bytes[0]}`;
  if (ADDRESSES.has(kind)) {
    return Array.from({ length: bytes.length >> 2 }, (_, i) => bytes.subarray(4 * i, 4 * i + 4).join(".")).join(", ");
  }
  if (TEXTS.has(kind)) return readable(bytes);
  if (kind === 51) return `${bytes.reduce((sum, byte) => sum * 256 + byte, 0)} s`;
  if (kind === 55) return bytes.join(", ");
  return hexText(bytes);
}

export function dhcpv6(d: Dissection, r: Reader): void {
  const from = r.at;
  const layer = d.layer("dhcpv6", "DHCPv6", from);
  const kind = r.u8();
  const name = V6[kind] ?? `message ${kind}`;
  d.field("Message", name, from, r.at);
  d.field("Transaction", `0x${r.hex(3)}`, from + 1, r.at);
  layer.summary = name;
  d.say("DHCPv6", name);
}
