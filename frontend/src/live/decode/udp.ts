// UDP, and what is recognised in it: by its port, QUIC and WireGuard by their first byte as well.

import { checksumWords } from "./checksum";
import { dhcp, dhcpv6 } from "./dhcp";
import { type Dissection, flowOf, hexText, Reader } from "./dissection";
import { dns } from "./dns";
import type { Carrier } from "./ip";
import { ptp } from "./ptp";
import { isQuic, quic } from "./quic";
import { vxlan } from "./vxlan";
import { isWireGuard, wireguard } from "./wireguard";

const HEADER_BYTES = 8;
const IDENTITY_BYTES = 16;
const PORTS: ReadonlyMap<number, (d: Dissection, r: Reader) => void> = new Map([
  [53, (d: Dissection, r: Reader) => dns(d, r, "DNS")],
  [5353, (d: Dissection, r: Reader) => dns(d, r, "mDNS")],
  [5355, (d: Dissection, r: Reader) => dns(d, r, "LLMNR")],
  [67, dhcp],
  [68, dhcp],
  [546, dhcpv6],
  [547, dhcpv6],
  [319, ptp],
  [320, ptp],
  [4789, vxlan],
  [8472, vxlan],
]);

export function udp(d: Dissection, r: Reader, carrier: Carrier): void {
  const from = r.at;
  const layer = d.layer("udp", "UDP", from);
  d.say("UDP", "");
  const [source, to] = [r.u16(), r.u16()];
  d.value("udp.srcport", "Source port", source, from, from + 2);
  d.value("udp.dstport", "Destination port", to, from + 2, r.at);
  for (const port of [source, to]) {
    d.keep("udp.port", port);
    d.keep("port", port);
  }
  d.flow = flowOf("udp", `${carrier.source}:${source}`, `${carrier.destination}:${to}`);
  const length = r.u16();
  d.value("udp.length", "Length", length, from + 4, r.at);
  layer.summary = `${source} → ${to} Len=${Math.max(0, length - HEADER_BYTES)}`;
  d.say("UDP", layer.summary);
  const checksum = r.u16();
  d.field("Checksum", checksum ? checksumWords(d, checksum, from, carrier.pseudo) : "none", from + 6, r.at);
  layer.to = r.at;
  d.identity += ` ${source} ${to} ${length} ${hexText(r.bytes.subarray(r.at, r.at + IDENTITY_BYTES))}`;
  const inside = new Reader(r.bytes, r.at, Math.min(r.end, Math.max(r.at, from + length)));
  if (inside.end > inside.at) recognise(d, inside, source, to);
}

function recognise(d: Dissection, r: Reader, source: number, to: number): void {
  const known = PORTS.get(to) ?? PORTS.get(source);
  if (known) {
    known(d, r);
    return;
  }
  if (isWireGuard(r, source, to)) {
    wireguard(d, r);
    return;
  }
  if (isQuic(r, source, to)) {
    quic(d, r);
    return;
  }
  if (r.left <= 0) return;
  const layer = d.layer("data", "Data", r.at, `${r.end - r.at} bytes`);
  layer.to = Math.min(r.end, r.bytes.length);
}
