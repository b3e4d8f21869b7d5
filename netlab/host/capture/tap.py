"""A packet socket on one interface, read in bounded batches: each packet whole in its order, with the kernel's time.

Used by a capture, on the event loop. It makes no socket (that is done inside the node), changes nothing and decodes nothing.
"""

import errno
import socket
import struct
import time
from dataclasses import dataclass

from netlab.wire.packets import LinkType

READ_MAX = 400
"""Of one batch: a flood costs no more than this, the rest is dropped by the kernel and counted by it."""
RECEIVE_BUFFER_BYTES = 2 << 20
ANCILLARY_BYTES = 128

ETH_P_ALL = 3
ETHER_TYPE_AT = 12
SOL_PACKET = 263
PACKET_STATISTICS, PACKET_AUXDATA = 6, 8
PACKET_OUTGOING = 4
SO_TIMESTAMPNS = 35
ARPHRD_ETHER, ARPHRD_LOOPBACK = 1, 772
TP_STATUS_CSUMNOTREADY, TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 1 << 3, 1 << 4, 1 << 6
"""include/uapi/linux/if_packet.h."""
ETH_P_8021Q = 0x8100
_AUXDATA = struct.Struct("=IIIHHHH")


@dataclass(frozen=True)
class Taken:
    at_ns: int
    outgoing: bool
    data: bytes
    """At most the snap length."""
    length: int
    """On the wire."""
    unfinished: bool


class Tap:
    def __init__(self, sock: socket.socket, interface: str, snap_bytes: int) -> None:
        """Raises OSError (ENODEV) when there is no such interface."""
        self.sock, self._interface, self._snap_bytes = sock, interface, snap_bytes
        self._buffer = bytearray(snap_bytes)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        sock.bind((interface, ETH_P_ALL))
        kind = sock.getsockname()[3]
        self.link_type: LinkType = "ethernet" if kind in (ARPHRD_ETHER, ARPHRD_LOOPBACK) else "raw"
        self._loops = kind == ARPHRD_LOOPBACK

    def is_there(self) -> bool:
        """The kernel forgets what a socket was bound to when the device goes away."""
        return bool(self.sock.getsockname()[0] == self._interface)

    def read(self) -> tuple[list[Taken], int]:
        """What has come since the last time, at most READ_MAX, and how many the kernel had no room for."""
        taken: list[Taken] = []
        for _ in range(READ_MAX):
            try:
                one = self._read_one()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENETDOWN:  # said once when the interface goes down; it may come up again
                    raise
                continue
            if one is not None:
                taken.append(one)
        return taken, self._missed()

    def _read_one(self) -> Taken | None:
        length, ancillary, _, address = self.sock.recvmsg_into([self._buffer], ANCILLARY_BYTES, socket.MSG_TRUNC)
        outgoing = address[2] == PACKET_OUTGOING
        if self._loops and outgoing:  # lo shows each packet twice
            return None
        data = bytes(self._buffer[: min(length, self._snap_bytes)])
        at_ns, unfinished = time.time_ns(), False
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = struct.unpack_from("=qq", value)
                at_ns = int(seconds) * 1_000_000_000 + int(nanoseconds)
            elif level == SOL_PACKET and kind == PACKET_AUXDATA:
                status, _, _, _, _, tag, protocol = _AUXDATA.unpack_from(value)
                unfinished = bool(status & TP_STATUS_CSUMNOTREADY)
                if status & TP_STATUS_VLAN_VALID and self.link_type == "ethernet":
                    data = with_vlan(data, protocol if status & TP_STATUS_VLAN_TPID_VALID else ETH_P_8021Q, tag)
                    length += 4
        return Taken(at_ns, outgoing, data[: self._snap_bytes], length, unfinished)

    def _missed(self) -> int:
        """Since the last question."""
        (_, missed) = struct.unpack("=II", self.sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        return int(missed)


def with_vlan(data: bytes, protocol: int, tag: int) -> bytes:
    """The tag back where it was on the wire: the kernel has taken it off and put it beside the packet."""
    return data[:ETHER_TYPE_AT] + struct.pack("!HH", protocol, tag) + data[ETHER_TYPE_AT:]
