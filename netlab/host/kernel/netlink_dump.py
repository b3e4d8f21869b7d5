"""rtnetlink dumps read by hand: for what is asked every second (attached programs) and what pyroute2 has no name for.

Called in a thread by `programs.attachments`, with a socket made inside a node. It only asks. Everything in an answer is
the kernel's, so lengths are trusted as far as struct goes.
"""

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from netlab.host.kernel.netlink import attribute

RTM_GETLINK = 18
RTM_GETQDISC, RTM_GETTFILTER = 38, 46
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
IFLA_IFNAME, IFLA_EXT_MASK, IFLA_XDP = 3, 29, 43
RTEXT_FILTER_SKIP_STATS = 1 << 3
IFLA_XDP_DRV_PROG_ID, IFLA_XDP_SKB_PROG_ID, IFLA_XDP_HW_PROG_ID = 5, 6, 7
TCA_KIND, TCA_OPTIONS, TCA_BPF_ID = 1, 2, 11
TC_H_ROOT = 0xFFFFFFFF
NLA_TYPE_MASK = 0x3FFF
RECEIVE_BYTES = 256 * 1024
TIMEOUT_S = 5
"""A dump is answered at once; this is for a socket that is not what it should be."""

_HEADER = struct.Struct("=IHHII")
_IFINFO = struct.Struct("=BxHiII")
TCMSG = struct.Struct("=BxxxiIII")


@dataclass(frozen=True)
class Link:
    index: int
    name: str
    xdp: dict[int, bytes]
    """IFLA_XDP_* -> value."""


def links(sock: socket.socket) -> list[Link]:
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + attribute(IFLA_EXT_MASK, struct.pack("=I", RTEXT_FILTER_SKIP_STATS))
    found = []
    for answer in dump(sock, RTM_GETLINK, body):
        said = attributes(answer[_IFINFO.size :])
        name = said.get(IFLA_IFNAME, b"").rstrip(b"\0").decode(errors="replace")
        found.append(Link(_IFINFO.unpack_from(answer)[2], name, attributes(said.get(IFLA_XDP, b""))))
    return found


@dataclass(frozen=True)
class RootQdisc:
    """What stands at the root of an interface; `handle` is 0 for the kernel's default."""

    ifindex: int
    kind: str
    handle: int


def qdiscs_as_they_come(sock: socket.socket) -> list[bytes]:
    """A tcmsg and its attributes each, for whoever reads their statistics."""
    return dump(sock, RTM_GETQDISC, TCMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0))


def root_qdiscs(sock: socket.socket) -> list[RootQdisc]:
    found = []
    for answer in qdiscs_as_they_come(sock):
        _, index, handle, parent, _ = TCMSG.unpack_from(answer)
        if parent == TC_H_ROOT:
            kind = attributes(answer[TCMSG.size :]).get(TCA_KIND, b"")
            found.append(RootQdisc(index, kind.rstrip(b"\0").decode(errors="replace"), handle))
    return found


def qdiscs(sock: socket.socket) -> list[tuple[int, str]]:
    """(interface index, kind) of each."""
    return [(index, kind) for index, kind, _ in _tc(sock, RTM_GETQDISC, 0, 0)]


def bpf_classifiers(sock: socket.socket, index: int, parent: int) -> list[int]:
    """Ids of the programs of cls_bpf filters; those with classic bytecode have none."""
    ids = []
    for _, kind, options in _tc(sock, RTM_GETTFILTER, index, parent):
        program = attributes(options).get(TCA_BPF_ID)
        if kind == "bpf" and program:
            ids.append(number(program))
    return ids


def filters(sock: socket.socket, index: int, parent: int) -> list[bytes]:
    """Each as it comes: a tcmsg and its attributes."""
    return dump(sock, RTM_GETTFILTER, TCMSG.pack(socket.AF_UNSPEC, index, 0, parent, 0))


def number(value: bytes) -> int:
    return int.from_bytes(value, "little")


def _tc(sock: socket.socket, kind: int, index: int, parent: int) -> Iterator[tuple[int, str, bytes]]:
    for answer in dump(sock, kind, TCMSG.pack(socket.AF_UNSPEC, index, 0, parent, 0)):
        said = attributes(answer[TCMSG.size :])
        name = said.get(TCA_KIND, b"").rstrip(b"\0").decode(errors="replace")
        yield TCMSG.unpack_from(answer)[1], name, said.get(TCA_OPTIONS, b"")


def dump(sock: socket.socket, kind: int, body: bytes) -> list[bytes]:
    """The bodies of all answers. Raises OSError with the kernel's errno."""
    sock.settimeout(TIMEOUT_S)
    sock.send(_HEADER.pack(_HEADER.size + len(body), kind, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + body)
    found: list[bytes] = []
    while True:
        data = sock.recv(RECEIVE_BYTES)
        at = 0
        while at + _HEADER.size <= len(data):
            length, answer, *_ = _HEADER.unpack_from(data, at)
            inside = data[at + _HEADER.size : at + length]
            if answer == NLMSG_DONE:
                return found
            if answer == NLMSG_ERROR:
                code = -struct.unpack_from("=i", inside)[0]
                if code:
                    raise OSError(code, os.strerror(code))
                return found
            found.append(inside)
            at += (length + 3) & ~3


def attributes(data: bytes) -> dict[int, bytes]:
    """The last of each kind."""
    found, at = {}, 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            break
        found[kind & NLA_TYPE_MASK] = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return found
