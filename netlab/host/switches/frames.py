"""What is inside a frame, in a few words: 'ARP who-has 10.0.0.2', 'ICMP echo request 10.0.0.1 > 10.0.0.2'.

Called by `watch` with the beginning of a frame whose switch tag is off. Pure; it never raises, whatever the bytes are, and
does not try to be tcpdump: one line that tells frames apart.
"""

import struct
from ipaddress import IPv4Address, IPv6Address

MAC_BYTES = 6
LENGTH_MAX = 1500
"""Below 0x600 the field behind the addresses is a length (802.3), not a type."""
VLANS_MAX = 2
IPV6_EXTENSIONS_MAX = 4

ETHERTYPES = {
    0x0800: "IPv4", 0x0806: "ARP", 0x86DD: "IPv6", 0x8809: "slow protocol (LACP)", 0x88CC: "LLDP", 0x88F7: "PTP",
    0x8899: "Realtek", 0x888E: "802.1X", 0x88E5: "MACsec", 0x8847: "MPLS", 0x88FB: "HSR", 0x892F: "HSR", 0x9000: "loopback",
}
ICMP = {0: "echo reply", 3: "unreachable", 5: "redirect", 8: "echo request", 11: "time exceeded"}
ICMP6 = {
    1: "unreachable", 2: "packet too big", 3: "time exceeded", 128: "echo request", 129: "echo reply", 130: "MLD query",
    131: "MLD report", 132: "MLD done", 133: "router solicitation", 134: "router advertisement", 135: "neighbour solicitation",
    136: "neighbour advertisement", 143: "MLDv2 report",
}
IP_PROTOCOLS = {2: "IGMP", 4: "IPv4 in IP", 41: "IPv6 in IP", 47: "GRE", 50: "ESP", 89: "OSPF", 112: "VRRP", 132: "SCTP"}
UDP_PORTS = {
    53: "DNS", 67: "DHCP", 68: "DHCP", 123: "NTP", 319: "PTP event", 320: "PTP general", 546: "DHCPv6", 547: "DHCPv6",
    1900: "SSDP", 4789: "VXLAN", 5353: "mDNS", 51820: "WireGuard",
}
TCP_FLAGS = ((0x02, "SYN"), (0x10, "ACK"), (0x01, "FIN"), (0x04, "RST"), (0x08, "PSH"))
STP_BPDUS = {0x00: "configuration", 0x02: "rapid", 0x80: "topology change"}
IPV6_EXTENSIONS = frozenset({0, 43, 60})
"""Hop-by-hop, routing, destination options: a MLD report has one before it."""
TCP, UDP, ICMP_PROTOCOL, ICMP6_PROTOCOL = 6, 17, 1, 58


def addresses(frame: bytes) -> tuple[str, str]:
    """Source and destination."""
    return frame[MAC_BYTES:2 * MAC_BYTES].hex(":"), frame[:MAC_BYTES].hex(":")


def describe(frame: bytes) -> str:
    """Of a frame from its destination address on, cut anywhere."""
    try:
        return _ethernet(frame, 2 * MAC_BYTES)
    except struct.error:
        return "cut off"


def _ethernet(frame: bytes, at: int) -> str:
    words = []
    for _ in range(VLANS_MAX):
        (kind,) = struct.unpack_from("!H", frame, at)
        if kind not in (0x8100, 0x88A8):
            break
        (control,) = struct.unpack_from("!H", frame, at + 2)
        words.append(f"VLAN {control & 0xFFF}")
        at += 4
    (kind,) = struct.unpack_from("!H", frame, at)
    return " ".join([*words, _payload(kind, frame[at + 2:])])


def _payload(kind: int, data: bytes) -> str:
    if kind <= LENGTH_MAX:
        return _llc(data)
    try:
        if kind == 0x0806:
            return _arp(data)
        if kind == 0x0800:
            return _ipv4(data)
        if kind == 0x86DD:
            return _ipv6(data)
    except struct.error:
        return f"{ETHERTYPES[kind]}, cut off"
    return ETHERTYPES.get(kind, f"EtherType 0x{kind:04x}")


def _llc(data: bytes) -> str:
    if data[:3] == b"\x42\x42\x03":
        return f"STP {STP_BPDUS.get(data[6], '')}".rstrip() if len(data) > 6 else "STP"
    if data[:2] == b"\xaa\xaa":
        return "802.3 SNAP"
    return "802.3 LLC"


def _arp(data: bytes) -> str:
    operation, hardware, sender, _, target = struct.unpack_from("!6xH6s4s6s4s", data)
    if operation == 1:
        asked = IPv4Address(target)
        return f"ARP announces {asked}" if sender == target else f"ARP who-has {asked} tell {IPv4Address(sender)}"
    if operation == 2:
        return f"ARP reply {IPv4Address(sender)} is-at {hardware.hex(':')}"
    return f"ARP operation {operation}"


def _ipv4(data: bytes) -> str:
    head, fragment, protocol, source, target = struct.unpack_from("!B5xH1xB2x4s4s", data)
    if head >> 4 != 4:
        return "IPv4, malformed"
    ends = str(IPv4Address(source)), str(IPv4Address(target))
    if fragment & 0x1FFF:
        return f"IPv4 fragment {ends[0]} > {ends[1]}"
    return _transport(protocol, data[(head & 15) * 4:], ends)


def _ipv6(data: bytes) -> str:
    head, protocol, source, target = struct.unpack_from("!B5xBx16s16s", data)
    if head >> 4 != 6:
        return "IPv6, malformed"
    rest = data[40:]
    for _ in range(IPV6_EXTENSIONS_MAX):
        if protocol not in IPV6_EXTENSIONS:
            break
        protocol, length = struct.unpack_from("!BB", rest)
        rest = rest[8 * (length + 1):]
    return _transport(protocol, rest, (str(IPv6Address(source)), str(IPv6Address(target))))


def _transport(protocol: int, data: bytes, ends: tuple[str, str]) -> str:
    source, target = ends
    if protocol == ICMP_PROTOCOL:
        (kind,) = struct.unpack_from("!B", data)
        return f"ICMP {ICMP.get(kind, f'type {kind}')} {source} > {target}"
    if protocol == ICMP6_PROTOCOL:
        return _icmp6(data, source, target)
    if protocol == TCP:
        sport, dport, flags = struct.unpack_from("!HH9xB", data)
        said = " ".join(name for bit, name in TCP_FLAGS if flags & bit)
        return f"TCP {_end(source, sport)} > {_end(target, dport)} {said}".rstrip()
    if protocol == UDP:
        sport, dport = struct.unpack_from("!HH", data)
        service = UDP_PORTS.get(dport) or UDP_PORTS.get(sport)
        return f"{f'{service}, ' if service else ''}UDP {_end(source, sport)} > {_end(target, dport)}"
    return f"{IP_PROTOCOLS.get(protocol, f'IP protocol {protocol}')} {source} > {target}"


def _icmp6(data: bytes, source: str, target: str) -> str:
    (kind,) = struct.unpack_from("!B", data)
    words = f"ICMPv6 {ICMP6.get(kind, f'type {kind}')}"
    if kind in (135, 136):
        (about,) = struct.unpack_from("!8x16s", data)
        return f"{words} {IPv6Address(about)}"
    return f"{words} {source} > {target}"


def _end(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
