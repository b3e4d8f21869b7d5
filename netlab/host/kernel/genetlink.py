"""Generic netlink by hand: a socket of the namespace one is in, a family's number, one request and its answers.

Used for what the kernel says only there: WireGuard's peers. It knows no family.
"""

import errno
import itertools
import os
import socket
import struct
from collections.abc import Iterator

from netlab.host.kernel.netlink import attribute

NETLINK_GENERIC = 16
GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 16, 3, 1, 2
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLA_TYPE_MASK = 0x3FFF
RECEIVE_BYTES = 64 * 1024
TIMEOUT_S = 5

_HEADER = struct.Struct("=IHHIIBBxx")
_NETLINK_HEADER = struct.Struct("=IHHI4x")
_NETLINK_HEADER_BYTES = _NETLINK_HEADER.size
_questions = itertools.count(1)


def open_socket() -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_GENERIC)
    sock.settimeout(TIMEOUT_S)
    return sock


def family_id(sock: socket.socket, name: str) -> int | None:
    """None when the kernel has no such family (its module is not loaded)."""
    try:
        answers = request(sock, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, attribute(CTRL_ATTR_FAMILY_NAME, name.encode() + b"\0"))
    except OSError as refused:
        if refused.errno == errno.ENOENT:
            return None
        raise
    return int.from_bytes(dict(attributes(answers[0]))[CTRL_ATTR_FAMILY_ID], "little")


def request(sock: socket.socket, family: int, command: int, body: bytes, *, dump: bool = False, version: int = 1) -> list[bytes]:
    """The attributes of every answer. Raises OSError with the kernel's errno.

    What is left of an earlier question is passed over: one whose answers have an end of their own is acknowledged as well.
    """
    flags = NLM_F_REQUEST | (NLM_F_DUMP if dump else NLM_F_ACK)
    asked = next(_questions) & 0xFFFFFFFF
    sock.send(_HEADER.pack(_HEADER.size + len(body), family, flags, asked, 0, command, version) + body)
    found: list[bytes] = []
    while True:
        data, at = sock.recv(RECEIVE_BYTES), 0
        while at + _NETLINK_HEADER_BYTES <= len(data):
            length, kind, _, question = _NETLINK_HEADER.unpack_from(data, at)
            if question == asked and kind == NLMSG_DONE:
                return found
            if question == asked and kind == NLMSG_ERROR:
                (code,) = struct.unpack_from("=i", data, at + _NETLINK_HEADER_BYTES)
                if code:
                    raise OSError(-code, os.strerror(-code))
                return found
            if question == asked:
                found.append(data[at + _HEADER.size : at + length])
            at += (length + 3) & ~3


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            return
        yield kind & NLA_TYPE_MASK, data[at + 4 : at + length]
        at += (length + 3) & ~3
