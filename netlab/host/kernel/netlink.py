"""rtnetlink messages packed by hand and sent many at a time: what makes a lab's wires in milliseconds.

Called by the fork server, inside the namespace that a socket belongs to. It reads nothing back but acknowledgements;
whatever looks things up uses pyroute2. It never chooses names or numbers: they come with the lab.

Three rules, each found by measuring: both ends' interface indexes are ours, so nothing is looked up; only the last
message of a batch asks for an acknowledgement (errors of the others arrive anyway, before it); a veth's peer must not
carry IFF_UP (ENOTCONN, and every refused creation costs an RCU grace period).
"""

import os
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

# include/uapi/linux/{rtnetlink,netlink,if_link,if_addr,veth}.h
NETLINK_ROUTE = 0
RTM_NEWLINK, RTM_DELLINK, RTM_SETLINK, RTM_NEWADDR, RTM_NEWROUTE = 16, 17, 19, 20, 24
NLM_F_REQUEST, NLM_F_ACK, NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
NLMSG_ERROR = 2
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINKINFO, IFLA_NET_NS_FD = 1, 3, 4, 18, 28
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS, IFA_F_NODAD = 1, 2, 8, 0x02
RTA_DST, RTA_GATEWAY = 1, 5
RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_UNIVERSE, RTN_UNICAST = 254, 4, 0, 1
IFF_UP = 1
LOOPBACK_IFINDEX = 1

BATCH_BYTES = 60_000
"""Below the default send buffer, so that a batch is one sendmsg."""
RECEIVE_BYTES = 65_536

_HEADER = struct.Struct("=IHHII")
_ERROR = struct.Struct("=IHHIIi")
_IFINFO = struct.Struct("=BxHiII")
_ATTRIBUTE = struct.Struct("=HH")


@dataclass(frozen=True)
class VethEnd:
    """One end of a veth pair; `netns_fd` is the namespace it is born in."""

    netns_fd: int
    name: str
    ifindex: int
    mac: str
    mtu: int | None


def attribute(kind: int, data: bytes) -> bytes:
    length = len(data) + 4
    return _ATTRIBUTE.pack(length, kind) + data + bytes(-length & 3)


def message(kind: int, flags: int, body: bytes) -> bytes:
    """Without its sequence number, which the batch sets."""
    return _HEADER.pack(16 + len(body), kind, NLM_F_REQUEST | flags, 0, 0) + body


def _end_attributes(end: VethEnd) -> bytes:
    mtu = attribute(IFLA_MTU, struct.pack("=I", end.mtu)) if end.mtu else b""
    return (
        attribute(IFLA_IFNAME, end.name.encode() + b"\0") + attribute(IFLA_ADDRESS, bytes.fromhex(end.mac.replace(":", "")))
        + attribute(IFLA_NET_NS_FD, struct.pack("=i", end.netns_fd)) + mtu
    )


def new_veth(a: VethEnd, b: VethEnd) -> bytes:
    peer = _IFINFO.pack(0, 0, b.ifindex, 0, 0) + _end_attributes(b)
    info = attribute(IFLA_INFO_KIND, b"veth\0") + attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, peer))
    body = _IFINFO.pack(0, 0, a.ifindex, 0, 0) + _end_attributes(a) + attribute(IFLA_LINKINFO, info)
    return message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)


def set_up(ifindex: int) -> bytes:
    return message(RTM_NEWLINK, 0, _IFINFO.pack(0, 0, ifindex, IFF_UP, IFF_UP))


def set_state(name: str, up: bool) -> bytes:
    body = _IFINFO.pack(0, 0, 0, IFF_UP if up else 0, IFF_UP) + attribute(IFLA_IFNAME, os.fsencode(name) + b"\0")
    return message(RTM_SETLINK, 0, body)


def delete_link(name: str) -> bytes:
    return message(RTM_DELLINK, 0, _IFINFO.pack(0, 0, 0, 0, 0) + attribute(IFLA_IFNAME, name.encode() + b"\0"))


def add_address(ifindex: int, address: str) -> bytes:
    """`address` is written with its prefix, like 10.0.0.1/24. IPv6 without duplicate detection: the wires are ours."""
    host, _, prefix = address.partition("/")
    family, packed = pack_address(host)
    flags = attribute(IFA_FLAGS, struct.pack("=I", IFA_F_NODAD)) if family == socket.AF_INET6 else b""
    body = struct.pack("=BBBBI", family, int(prefix), 0, 0, ifindex)
    body += attribute(IFA_LOCAL, packed) + attribute(IFA_ADDRESS, packed) + flags
    return message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, body)


def add_route(to: str, via: str) -> bytes:
    """`to` is a network with its prefix, or `default`."""
    family, gateway = pack_address(via)
    network, _, prefix = to.partition("/")
    length = 0 if to == "default" else int(prefix)
    body = struct.pack(
        "=BBBBBBBBI", family, length, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_UNIVERSE, RTN_UNICAST, 0
    )
    if length:
        body += attribute(RTA_DST, pack_address(network)[1])
    return message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, body + attribute(RTA_GATEWAY, gateway))


def pack_address(text: str) -> tuple[int, bytes]:
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return family, socket.inet_pton(family, text)


def route_socket() -> socket.socket:
    """Of the network namespace in which the caller is now."""
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_ROUTE)


def send_all(sock: socket.socket, messages: Iterable[bytes]) -> None:
    """In order, in as few sendmsg as fit. Raises OSError with the errno of the first message that was refused."""
    batch: list[bytes] = []
    size = 0
    for one in messages:
        if size + len(one) > BATCH_BYTES:
            _send_batch(sock, batch)
            batch, size = [], 0
        batch.append(one)
        size += len(one)
    if batch:
        _send_batch(sock, batch)


def _send_batch(sock: socket.socket, batch: list[bytes]) -> None:
    whole = bytearray()
    for number, one in enumerate(batch, start=1):
        at = len(whole)
        whole += one
        struct.pack_into("=I", whole, at + 8, number)
    (flags,) = struct.unpack_from("=H", whole, at + 6)
    struct.pack_into("=H", whole, at + 6, flags | NLM_F_ACK)
    sock.send(whole)
    _await_ack(sock, len(batch), batch)


def _await_ack(sock: socket.socket, last: int, batch: list[bytes]) -> None:
    failed: OSError | None = None
    while True:
        answer = sock.recv(RECEIVE_BYTES)
        at = 0
        while at < len(answer):
            length, kind, _, number, _, code = _ERROR.unpack_from(answer, at)
            if kind == NLMSG_ERROR:
                if code and failed is None:
                    (request,) = struct.unpack_from("=H", batch[number - 1], 4)
                    failed = OSError(-code, f"rtnetlink message {number} of {last} (type {request}): {os.strerror(-code)}")
                if number == last:
                    if failed:
                        raise failed
                    return
            at += (length + 3) & ~3
