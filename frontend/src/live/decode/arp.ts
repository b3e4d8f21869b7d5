// ARP (RFC 826) of IPv4 over Ethernet.

import { type Dissection, flowOf, type Reader } from "./dissection";

const OPERATIONS: Readonly<Record<number, string>> = {
  1: "request",
  2: "reply",
  3: "reverse request",
  4: "reverse reply",
};
const ZERO = "0.0.0.0";

export function arp(d: Dissection, r: Reader): void {
  const from = r.at;
  const layer = d.layer("arp", "ARP", from);
  d.say("ARP", "");
  d.field("Hardware type", r.u16(), from, r.at);
  d.field("Protocol type", `0x${r.hex(2)}`, from + 2, r.at);
  const sizes = [r.u8(), r.u8()];
  d.field("Address sizes", sizes.join(", "), from + 4, r.at);
  const code = r.u16();
  d.value("arp.opcode", "Operation", code, from + 6, r.at, `${code}, ${OPERATIONS[code] ?? "unknown"}`);
  if (sizes[0] !== 6 || sizes[1] !== 4) {
    layer.summary = OPERATIONS[code] ?? `operation ${code}`;
    d.say("ARP", layer.summary);
    return;
  }
  const senderMac = r.mac();
  d.value("arp.src.hw", "Sender's address", senderMac, from + 8, r.at);
  const sender = r.ipv4();
  d.value("arp.src.ip", "Sender's IP", sender, from + 14, r.at);
  const targetMac = r.mac();
  d.value("arp.dst.hw", "Target's address", targetMac, from + 18, r.at);
  const target = r.ipv4();
  d.value("arp.dst.ip", "Target's IP", target, from + 24, r.at);
  layer.to = r.at;
  for (const address of [sender, target]) d.keep("arp.ip", address);
  d.flow = flowOf("arp", sender, target);
  layer.summary = words(code, sender, senderMac, target);
  d.say("ARP", layer.summary);
}

function words(code: number, sender: string, mac: string, target: string): string {
  if (sender === target) return `Gratuitous ARP for ${sender} is at ${mac}`;
  if (code === 1) return sender === ZERO ? `Who has ${target}? (probe)` : `Who has ${target}? Tell ${sender}`;
  if (code === 2) return `${sender} is at ${mac}`;
  return `${OPERATIONS[code] ?? `operation ${code}`} ${sender} → ${target}`;
}
