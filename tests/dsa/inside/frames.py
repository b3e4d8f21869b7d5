"""Ethernet frames and raw sockets in any network namespace, with 802.1Q tags as they were on the cable.

Used by all cases in this folder. Depends on nothing but Python: it runs in a guest.
"""

import ctypes
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

ETH_P_ALL = 0x0003
ETH_P_EXPERIMENT = 0x88B5
"""Local experimental EtherType: nothing in a kernel sends it, so that all frames with it are a test's."""
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 263, 1, 8, 23
PACKET_MR_PROMISC = 1
CLONE_NEWNET = 0x40000000
TP_STATUS_VLAN_VALID = 0x10
_libc = ctypes.CDLL(None, use_errno=True)
BROADCAST = "ff:ff:ff:ff:ff:ff"
ARRIVES_S = 20.0
QUIET_S = 0.12
"""How long to wait for a frame that must come, and for one that must not."""


def _setns(fd: int, kind: int) -> None:
    """As os.setns(), which Python 3.11 does not have."""
    if _libc.setns(fd, kind):
        raise OSError(ctypes.get_errno(), "setns")


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def frame(dest: str, source: str, payload: bytes = b"", vid: int | None = None, ethertype: int = ETH_P_EXPERIMENT,
          tpid: int = 0x8100) -> bytes:  # fmt: skip
    tag = b"" if vid is None else struct.pack("!HH", tpid, vid)
    return (mac(dest) + mac(source) + tag + struct.pack("!H", ethertype) + payload).ljust(60, b"\0")


def ipv4(source: str, dest: str, protocol: int = 17, payload: bytes = b"\0" * 8) -> bytes:
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0,
                         socket.inet_aton(source), socket.inet_aton(dest))  # fmt: skip
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@contextmanager
def namespace(name: str | None) -> Iterator[None]:
    """This thread is in that namespace meanwhile. None: the initial one, where it is anyway."""
    if name is None:
        yield
        return
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        _setns(there, CLONE_NEWNET)
        yield
        _setns(before, CLONE_NEWNET)
    finally:
        os.close(there)
        os.close(before)


class Tap:
    """A raw socket on an interface: sends, and remembers what came in since it was opened."""

    def __init__(self, interface: str, netns: str | None = None, promiscuous: bool = False, outgoing: bool = False) -> None:
        with namespace(netns):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self.index = socket.if_nametoindex(interface)
            self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            if not outgoing:
                self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            self.socket.bind((interface, 0))
            if promiscuous:
                member = struct.pack("iHH8s", self.index, PACKET_MR_PROMISC, 0, b"")
                self.socket.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, member)
        self.seen: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.socket.send(data)

    def receive(self, seconds: float) -> None:
        ready, _, _ = select.select([self.socket], [], [], max(seconds, 0))
        if not ready:
            return
        data, extra, _, _ = self.socket.recvmsg(1 << 16, 256)
        self.seen.append(_with_tag(data, extra))

    def got(self, token: bytes, seconds: float = ARRIVES_S) -> bytes | None:
        """The first frame with this in it."""
        end = time.monotonic() + seconds
        while True:
            for data in self.seen:
                if token in data:
                    return data
            if time.monotonic() >= end:
                return None
            self.receive(end - time.monotonic())

    def count(self, token: bytes) -> int:
        """How many came with this in them, after a quiet while."""
        end = time.monotonic() + QUIET_S
        while time.monotonic() < end:
            self.receive(end - time.monotonic())
        return sum(token in data for data in self.seen)

    def close(self) -> None:
        self.socket.close()


def _with_tag(data: bytes, extra: list[tuple[int, int, bytes]]) -> bytes:
    """The kernel has taken the 802.1Q tag out: put it back in."""
    for level, kind, value in extra:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", value[:20])
            if status & TP_STATUS_VLAN_VALID:
                return data[:12] + struct.pack("!HH", tpid or 0x8100, tci) + data[12:]
    return data


def vid_of(data: bytes) -> int | None:
    tpid, tci = struct.unpack("!HH", data[12:16])
    return tci & 0xFFF if tpid == 0x8100 else None
