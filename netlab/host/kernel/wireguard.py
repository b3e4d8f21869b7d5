"""WireGuard interfaces by generic netlink: keys, peers, and what their counters say. Used inside a node's namespace.

The kernel computes public keys, so no cryptography is needed here. Constants: include/uapi/linux/wireguard.h.
"""

import ipaddress
import os
import socket
import struct
from dataclasses import dataclass, field
from typing import Any

from netlab.host.kernel import genetlink
from netlab.host.kernel.genetlink import attributes
from netlab.host.kernel.netlink import attribute

FAMILY = "wireguard"
WG_CMD_GET_DEVICE, WG_CMD_SET_DEVICE = 0, 1
WGDEVICE_A_IFNAME, WGDEVICE_A_PRIVATE_KEY, WGDEVICE_A_PUBLIC_KEY = 2, 3, 4
WGDEVICE_A_FLAGS, WGDEVICE_A_LISTEN_PORT, WGDEVICE_A_PEERS = 5, 6, 8
WGDEVICE_F_REPLACE_PEERS = 1
WGPEER_A_PUBLIC_KEY, WGPEER_A_FLAGS, WGPEER_A_ENDPOINT = 1, 3, 4
WGPEER_A_LAST_HANDSHAKE_TIME, WGPEER_A_RX_BYTES, WGPEER_A_TX_BYTES, WGPEER_A_ALLOWEDIPS = 6, 7, 8, 9
WGPEER_F_REPLACE_ALLOWEDIPS = 2
WGALLOWEDIP_A_FAMILY, WGALLOWEDIP_A_IPADDR, WGALLOWEDIP_A_CIDR_MASK = 1, 2, 3
NLA_F_NESTED = 0x8000
KEY_BYTES = 32


@dataclass(frozen=True)
class Peer:
    """`handshake_at` is Unix time, 0 for never."""

    public_key: bytes
    rx_bytes: int = 0
    tx_bytes: int = 0
    handshake_at: float = 0.0
    allowed_ips: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tunnel:
    """A WireGuard interface as it is."""

    public_key: bytes
    peers: list[Peer] = field(default_factory=list)


def new_private_key() -> bytes:
    """Clamped as RFC 7748 wants it."""
    key = bytearray(os.urandom(KEY_BYTES))
    key[0] &= 248
    key[31] = key[31] & 127 | 64
    return bytes(key)


def open_socket() -> tuple[socket.socket, int]:
    """A socket of the namespace one is in, and the family's number. Raises FileNotFoundError where there is no WireGuard."""
    sock = genetlink.open_socket()
    family = genetlink.family_id(sock, FAMILY)
    if family is None:
        sock.close()
        raise FileNotFoundError("this kernel has no WireGuard")
    return sock, family


def set_key(sock: socket.socket, family: int, name: str, private_key: bytes, listen_port: int) -> bytes:
    """The public key that belongs to it."""
    body = _name(name) + attribute(WGDEVICE_A_PRIVATE_KEY, private_key)
    body += attribute(WGDEVICE_A_LISTEN_PORT, struct.pack("=H", listen_port))
    genetlink.request(sock, family, WG_CMD_SET_DEVICE, body)
    return tunnel(sock, family, name).public_key


def set_peers(sock: socket.socket, family: int, name: str, peers: list[dict[str, Any]]) -> None:
    """`peers`: each with public_key (bytes), allowed_ips and endpoint ([address, port] or None). Others are taken out."""
    packed = b"".join(attribute(NLA_F_NESTED | number, _peer(peer)) for number, peer in enumerate(peers))
    body = _name(name) + attribute(WGDEVICE_A_FLAGS, struct.pack("=I", WGDEVICE_F_REPLACE_PEERS))
    genetlink.request(sock, family, WG_CMD_SET_DEVICE, body + attribute(NLA_F_NESTED | WGDEVICE_A_PEERS, packed))


def _peer(peer: dict[str, Any]) -> bytes:
    allowed = b"".join(attribute(NLA_F_NESTED | number, _prefix(one)) for number, one in enumerate(peer["allowed_ips"]))
    body = attribute(WGPEER_A_PUBLIC_KEY, peer["public_key"])
    body += attribute(WGPEER_A_FLAGS, struct.pack("=I", WGPEER_F_REPLACE_ALLOWEDIPS))
    if peer["endpoint"]:
        body += attribute(WGPEER_A_ENDPOINT, _socket_address(*peer["endpoint"]))
    return body + attribute(NLA_F_NESTED | WGPEER_A_ALLOWEDIPS, allowed)


def _prefix(text: str) -> bytes:
    network = ipaddress.ip_network(text)
    family = socket.AF_INET if network.version == 4 else socket.AF_INET6
    body = attribute(WGALLOWEDIP_A_FAMILY, struct.pack("=H", family))
    body += attribute(WGALLOWEDIP_A_IPADDR, network.network_address.packed)
    return body + attribute(WGALLOWEDIP_A_CIDR_MASK, struct.pack("=B", network.prefixlen))


def _socket_address(host: str, port: int) -> bytes:
    """struct sockaddr_in or sockaddr_in6."""
    address = ipaddress.ip_address(host)
    if address.version == 4:
        return struct.pack("=H", socket.AF_INET) + struct.pack(">H", port) + address.packed + bytes(8)
    return struct.pack("=H", socket.AF_INET6) + struct.pack(">HI", port, 0) + address.packed + bytes(4)


def tunnel(sock: socket.socket, family: int, name: str) -> Tunnel:
    """Raises OSError(ENODEV), or EOPNOTSUPP for an interface of another kind."""
    public_key, peers = b"", []
    for answer in genetlink.request(sock, family, WG_CMD_GET_DEVICE, _name(name), dump=True):
        for kind, value in attributes(answer):
            if kind == WGDEVICE_A_PUBLIC_KEY:
                public_key = value
            elif kind == WGDEVICE_A_PEERS:
                peers += [_peer_from(inside) for _, inside in attributes(value)]
    return Tunnel(public_key, peers)


def _peer_from(data: bytes) -> Peer:
    said = dict(attributes(data))
    seconds, nanoseconds = struct.unpack_from("=qq", said.get(WGPEER_A_LAST_HANDSHAKE_TIME, bytes(16)))
    received, sent = (int.from_bytes(said.get(kind, b""), "little") for kind in (WGPEER_A_RX_BYTES, WGPEER_A_TX_BYTES))
    allowed = tuple(_prefix_from(inside) for _, inside in attributes(said.get(WGPEER_A_ALLOWEDIPS, b"")))
    return Peer(said[WGPEER_A_PUBLIC_KEY], received, sent, seconds + nanoseconds / 1e9, allowed)


def _prefix_from(data: bytes) -> str:
    said = dict(attributes(data))
    return f"{ipaddress.ip_address(said[WGALLOWEDIP_A_IPADDR])}/{said[WGALLOWEDIP_A_CIDR_MASK][0]}"


def _name(name: str) -> bytes:
    return attribute(WGDEVICE_A_IFNAME, name.encode() + b"\0")
