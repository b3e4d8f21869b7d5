"""A namespace's TCP connections with what the kernel knows of each: round-trip time, congestion window, retransmissions.

Used by the node's slow reader when there are TCP sockets. Source: inet_diag(7), include/uapi/linux/{inet_diag,sock_diag,tcp}.h.
Listening and dying sockets are not asked for: those walk other, larger tables.
"""

import ipaddress
import socket
import struct

from netlab.host.counters.readings import Slow
from netlab.host.kernel.netlink_dump import attributes, dump
from netlab.host.kernel.syscalls import inside_netns

NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY = 4, 20
INET_DIAG_INFO = 2
ASKED_STATES = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9
"""ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK."""
FLOWS_MAX = 8
"""Of a node: those that have carried most."""
FLOW_COUNTERS = (
    ("tcp_flow_rtt", "us"), ("tcp_flow_cwnd", "packets"), ("tcp_flow_retransmits", "packets"), ("tcp_flow_unacked", "packets"),
    ("tcp_flow_sent", "bytes"), ("tcp_flow_received", "bytes"), ("tcp_flow_delivery_rate", "bytes/s"),
)

_REQUEST = struct.Struct("=BBBBI48x")
_ADDRESSES = struct.Struct("!HH16s16s")
ADDRESSES_AT, MESSAGE_BYTES = 4, 72
_INFO_FIELDS = (("unacked", "=I", 24), ("rtt", "=I", 68), ("cwnd", "=I", 80), ("retransmits", "=I", 100), ("acked", "=Q", 120),
                ("received", "=Q", 128), ("delivery", "=Q", 160))
"""Offsets within struct tcp_info; a kernel that knows less sends less."""


class FlowReader:
    """Shows a connection from the second look on: what lives for less is gone before anybody has read its name."""

    def __init__(self, netns: str) -> None:
        self._netns = netns
        self._socket: socket.socket | None = None
        self._seen: set[str] = set()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def read(self) -> list[Slow]:
        """Raises OSError."""
        if self._socket is None:
            with inside_netns(self._netns):
                self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG)
        flows = [flow for family in (socket.AF_INET, socket.AF_INET6) for flow in self._of_family(family)]
        lasting = [flow for flow in flows if flow.object in self._seen]
        self._seen = {flow.object for flow in flows}
        return sorted(lasting, key=lambda flow: (-_carried(flow), flow.object))[:FLOWS_MAX]

    def forget(self) -> None:
        self._seen.clear()

    def _of_family(self, family: int) -> list[Slow]:
        assert self._socket is not None
        request = _REQUEST.pack(family, socket.IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1), 0, ASKED_STATES)
        return [flow_of(answer, family) for answer in dump(self._socket, SOCK_DIAG_BY_FAMILY, request)]


def flow_of(answer: bytes, family: int) -> Slow:
    """One inet_diag_msg and its attributes. Named as seen from this end: here, then there."""
    here_port, there_port, here, there = _ADDRESSES.unpack_from(answer, ADDRESSES_AT)
    info = attributes(answer[MESSAGE_BYTES:]).get(INET_DIAG_INFO, b"")
    known = {name: _field(info, form, at) for name, form, at in _INFO_FIELDS}
    values = tuple(known[name] for name in ("rtt", "cwnd", "retransmits", "unacked", "acked", "received", "delivery"))
    return Slow(f"{_end(here, here_port, family)} → {_end(there, there_port, family)}", "tcp_flow", FLOW_COUNTERS, values)


def _field(info: bytes, form: str, at: int) -> int:
    (value,) = struct.unpack_from(form, info, at) if at + struct.calcsize(form) <= len(info) else (0,)
    return int(value)


def _end(address: bytes, port: int, family: int) -> str:
    if family == socket.AF_INET:
        return f"{ipaddress.IPv4Address(address[:4])}:{port}"
    ip = ipaddress.IPv6Address(address)
    return f"{ip.ipv4_mapped}:{port}" if ip.ipv4_mapped else f"[{ip}]:{port}"


def _carried(flow: Slow) -> int:
    values = dict(zip((name for name, _ in FLOW_COUNTERS), flow.values, strict=True))
    return values["tcp_flow_sent"] + values["tcp_flow_received"]
