// What filters can ask for, with words for the suggestions. The names are Wireshark's where it has one.

export type FieldKind = "flag" | "number" | "address" | "text";

export interface FilterField {
  name: string;
  kind: FieldKind;
  words: string;
}

const all = (kind: FieldKind, fields: Readonly<Record<string, string>>): FilterField[] =>
  Object.entries(fields).map(([name, words]) => ({ name, kind, words }));

export const FIELDS: readonly FilterField[] = [
  ...all("flag", {
    tcp: "TCP",
    udp: "UDP",
    icmp: "ICMP",
    icmpv6: "ICMPv6: echo, neighbour discovery",
    arp: "ARP",
    ip: "IPv4",
    ip6: "IPv6",
    dns: "DNS",
    mdns: "multicast DNS",
    dhcp: "DHCP",
    dhcpv6: "DHCPv6",
    http: "HTTP's first lines",
    tls: "TLS",
    quic: "QUIC",
    wg: "WireGuard",
    vxlan: "VXLAN",
    gre: "GRE",
    igmp: "IGMP",
    vlan: "with a VLAN tag",
    dsa: "with a switch tag",
    stp: "spanning tree",
    lldp: "LLDP",
    ptp: "PTP",
    eth: "Ethernet",
    "tcp.flags.syn": "SYN is set",
    "tcp.flags.ack": "ACK is set",
    "tcp.flags.fin": "FIN is set",
    "tcp.flags.rst": "RST is set",
    "tcp.flags.psh": "PSH is set",
    "tcp.flags.urg": "URG is set",
    "tcp.flags.ece": "ECE is set",
    "tcp.flags.cwr": "CWR is set",
    "ip.flags.df": "do not fragment",
    "ip.flags.mf": "more fragments follow",
    "dns.flags.response": "a response",
    "frame.out": "sent, not received",
  }),
  ...all("address", {
    "ip.addr": "either address; 10.0.0.0/24 too",
    "ip.src": "sender's address",
    "ip.dst": "receiver's address",
    "ipv6.addr": "either IPv6 address",
    "ipv6.src": "sender's IPv6 address",
    "ipv6.dst": "receiver's IPv6 address",
    "arp.ip": "an address in ARP",
    "arp.src.ip": "the sender in ARP",
    "arp.dst.ip": "the target in ARP",
    "icmpv6.target": "target of neighbour discovery",
    "eth.addr": "either MAC address",
    "eth.src": "sender's MAC address",
    "eth.dst": "receiver's MAC address",
  }),
  ...all("number", {
    port: "either port, TCP or UDP",
    "tcp.port": "either port",
    "tcp.srcport": "sender's port",
    "tcp.dstport": "receiver's port",
    "tcp.seq": "sequence number",
    "tcp.ack": "acknowledgment number",
    "tcp.len": "bytes of payload",
    "tcp.window": "window as sent",
    "tcp.mss": "maximum segment size",
    "udp.port": "either port",
    "udp.srcport": "sender's port",
    "udp.dstport": "receiver's port",
    "udp.length": "length",
    "ip.proto": "protocol number",
    "ip.ttl": "time to live",
    "ip.id": "identification",
    "ip.len": "total length",
    "ip.frag_offset": "fragment offset",
    "ip.dscp": "DSCP",
    "ip.ecn": "ECN; 3 is CE",
    "ipv6.hlim": "hop limit",
    "ipv6.nxt": "next header",
    "ipv6.flow": "flow label",
    "ipv6.plen": "payload length",
    "icmp.type": "8 asks, 0 answers",
    "icmp.code": "code",
    "icmp.ident": "identifier of an echo",
    "icmp.seq": "sequence of an echo",
    "icmpv6.type": "128 asks, 129 answers",
    "icmpv6.code": "code",
    "icmpv6.ident": "identifier of an echo",
    "icmpv6.seq": "sequence of an echo",
    "arp.opcode": "1 asks, 2 answers",
    "vlan.id": "VLAN",
    "vlan.priority": "priority",
    "dsa.port": "port in a switch tag",
    "eth.type": "EtherType",
    "vxlan.vni": "VXLAN network",
    "wg.type": "1 to 4",
    "wg.sender": "sender index",
    "wg.receiver": "receiver index",
    "ptp.type": "message",
    "ptp.seq": "sequence",
    "dns.id": "identifier",
    "dns.rcode": "3: no such name",
    "quic.version": "version",
    "frame.len": "bytes on the wire",
    "frame.number": "number in the capture",
  }),
  ...all("text", {
    "tcp.analysis": "sent again, missing, duplicate ACK",
    "dns.qry.name": "name asked for",
    "dns.resp.name": "name answered",
    "tls.sni": "server name",
    "http.line": "first line",
    "dhcp.type": "Discover, Offer, …",
    "dhcp.mac": "client's MAC",
    "dhcp.id": "transaction",
    "lldp.name": "neighbour's name",
    "stp.root": "root bridge",
    "quic.type": "Initial, Handshake, …",
    "arp.src.hw": "sender's MAC in ARP",
    "arp.dst.hw": "target's MAC in ARP",
    "ssh.line": "SSH's first line",
  }),
];

export const FIELD_BY_NAME: ReadonlyMap<string, FilterField> = new Map(FIELDS.map((field) => [field.name, field]));

/** What else people type for the same. */
export const SAME_AS: Readonly<Record<string, string>> = {
  host: "ip.addr",
  src: "ip.src",
  dst: "ip.dst",
  ipv4: "ip",
  ipv6: "ip6",
  wireguard: "wg",
  "ip.version": "ip",
  "ether.host": "eth.addr",
  "tcp.flags.reset": "tcp.flags.rst",
  "tcp.flags.push": "tcp.flags.psh",
  "ip.hlim": "ipv6.hlim",
  "tls.handshake.extensions_server_name": "tls.sni",
};

/** The nearest of the names there are; "" when none is near. */
export function nearestField(wanted: string): string {
  let [best, distance] = ["", Math.max(2, Math.floor(wanted.length / 3))];
  for (const { name } of FIELDS) {
    const d = editDistance(wanted, name);
    if (d < distance || (d === distance && !best)) [best, distance] = [name, d];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
