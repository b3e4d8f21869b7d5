"""What is read once a second of a node that somebody watches: root qdiscs that are not the kernel's own, WireGuard's peers, and
what its neighbours here read: protocols and sockets, TCP connections, attached programs, page pools, devlink.

Called by the node's sampler after its fast counters; a tick without it costs nothing more. rtnetlink waits for the kernel's
RTNL lock, so the sampler counts its time with that of the XDP questions. Every socket pins its namespace.
"""

import base64
import errno
import os
import socket
import struct
import time
from collections.abc import Iterator

from netlab.host.counters.attached import ProgramReader
from netlab.host.counters.ethtool import Ethtool
from netlab.host.counters.flows import FlowReader
from netlab.host.counters.pools import PoolReader
from netlab.host.counters.readings import Slow
from netlab.host.counters.stack import StackReader
from netlab.host.counters.traps import TrapReader
from netlab.host.kernel import genetlink, netlink_dump, wireguard
from netlab.host.kernel.bpf_news import BpfNews
from netlab.host.kernel.netlink import NETLINK_ROUTE
from netlab.host.kernel.netlink_dump import TC_H_ROOT, TCMSG, attributes
from netlab.host.kernel.syscalls import inside_netns
from netlab.host.kernel.wireguard import Peer

QDISCS_MAX, TUNNELS_MAX, PEERS_MAX = 16, 8, 16
"""Per node; an attendee may make more than anybody reads."""
LOOK_ANYWAY_S, NEWS_S = 60.0, 2.0
TCX_EVERY_S = 10.0
"""The kernel tells nobody when a program that was loaded long ago is attached by tcx without a link; asking is cheap."""
RTMGRP_LINK, RTMGRP_TC = 1, 8
CHANGE_BYTES, CHANGES_READ_MAX = 64, 32
"""Of what is told only that it is told is of interest."""
KEY_SHOWN_CHARS = 8
TCA_STATS2, TCA_STATS_BASIC, TCA_STATS_QUEUE, TCA_STATS_PKT64 = 7, 1, 3, 8
"""include/uapi/linux/{rtnetlink,gen_stats}.h."""
QDISC_COUNTERS = (
    ("qdisc_bytes", "bytes"), ("qdisc_packets", "packets"), ("qdisc_drops", "packets"), ("qdisc_overlimits", "1"),
    ("qdisc_backlog", "bytes"), ("qdisc_requeues", "packets"),
)
PEER_COUNTERS = (("wg_rx_bytes", "bytes"), ("wg_tx_bytes", "bytes"), ("wg_handshake_age", "s"))
"""The age is 0 while there was none, and at least 1 after one."""
TC_H_CLSACT = 0xFFFFFFF1
"""Parent of clsact and ingress qdiscs."""
GONE = frozenset({errno.ENODEV, errno.EOPNOTSUPP, errno.ENOENT})

_BASIC, _QUEUE = struct.Struct("=QI"), struct.Struct("=5I")


class SlowReader:
    """Of one namespace. Its sockets are opened when they are first needed: few nodes have tunnels, few labs are watched.

    A node without qdiscs, programs, pools and traps is not asked for them every second, but when links or qdiscs have changed,
    somebody has loaded a program, or a while has passed."""

    def __init__(self, netns: str, ethtool: Ethtool, news: BpfNews) -> None:
        self._netns, self._ethtool, self._news = netns, ethtool, news
        self._route: socket.socket | None = None
        self._changes: socket.socket | None = None
        self._looked_at = self._tcx_at = float("-inf")
        self._indexes: list[int] = []
        """Of the interfaces that were shown when it looked."""
        self._of_devices_now: list[Slow] = []
        self._has_programs = False
        self._generic: socket.socket | None = None
        self._family: int | None = None
        self._drivers: dict[bytes, bytes] = {}
        self._stack, self._flows, self._programs = StackReader(netns), FlowReader(netns), ProgramReader(netns)
        self._pools, self._traps = PoolReader(), TrapReader()

    def close(self) -> None:
        self._stack.close()
        self._flows.close()
        for sock in (self._route, self._changes, self._generic):
            if sock is not None:
                sock.close()

    def may_have_programs(self) -> bool:
        """Whether it makes sense to ask devices what XDP has done, soon. It looks for programs itself where somebody watches."""
        return self._has_programs or self._news.within(NEWS_S)

    def read(self, devices: list[bytes]) -> list[Slow]:
        """`devices` are those that are shown. Raises OSError."""
        for gone in self._drivers.keys() - set(devices):
            del self._drivers[gone]
        peers = [peer for name in self._tunnels(devices) for peer in self._peers(name)]
        now = time.monotonic()
        if self._has_changed() or self._of_devices_now or self._is_due(now) or self._news.within(NEWS_S):
            self._looked_at = self._tcx_at = now
            self._of_devices_now = list(self._of_devices({name.decode(errors="replace") for name in devices}))
            self._has_programs = any(one.kind == "program" for one in self._of_devices_now)
        return [*self._of_devices_now, *peers, *self._of_stack()]

    def _is_due(self, now: float) -> bool:
        """For what nobody is told of."""
        if now - self._tcx_at < TCX_EVERY_S:
            return False
        self._tcx_at = now
        return now - self._looked_at >= LOOK_ANYWAY_S or self._programs.has_tcx(self._indexes)

    def _has_changed(self) -> bool:
        """Whether the kernel has told of links or qdiscs that are others now. It tells whoever wants to be told."""
        if self._changes is None:
            with inside_netns(self._netns):
                self._changes = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_ROUTE)
                self._changes.bind((0, RTMGRP_LINK | RTMGRP_TC))
        told = False
        try:
            for _ in range(CHANGES_READ_MAX):
                self._changes.recv(CHANGE_BYTES, socket.MSG_DONTWAIT)
                told = True
        except BlockingIOError:
            return told
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # there were more than it could keep
                raise
        return True

    def _of_devices(self, shown: set[str]) -> Iterator[Slow]:
        """Queues, programs, page pools, traps: what hangs on interfaces."""
        if self._route is None:
            with inside_netns(self._netns):
                self._route = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_ROUTE)
        links = netlink_dump.links(self._route)
        names = {link.index: link.name for link in links if link.name in shown}
        self._indexes = list(names)
        queues = netlink_dump.qdiscs_as_they_come(self._route)
        for answer in [q for q in queues if _is_own(q)][:QDISCS_MAX]:
            name = names.get(TCMSG.unpack_from(answer)[1])
            if name is not None:
                yield Slow(name, "qdisc", QDISC_COUNTERS, qdisc_values(answer))
        classifying = {TCMSG.unpack_from(q)[1] for q in queues if TCMSG.unpack_from(q)[3] == TC_H_CLSACT}
        yield from self._programs.read(self._route, links, classifying, shown)
        generic = self._generic_socket()
        yield from self._pools.read(generic, names)
        yield from self._traps.read(generic)

    def _of_stack(self) -> list[Slow]:
        said = self._stack.read()
        if self._stack.tcp_sockets:
            return [*said, *self._flows.read()]
        self._flows.forget()
        return said

    def _generic_socket(self) -> socket.socket:
        if self._generic is None:
            with inside_netns(self._netns):
                self._generic = genetlink.open_socket()
        return self._generic

    def _tunnels(self, devices: list[bytes]) -> list[bytes]:
        """Asks the kernel once per device what it is."""
        for device in devices:
            if device not in self._drivers:
                self._drivers[device] = self._driver(device)
        return [device for device, driver in self._drivers.items() if driver == b"wireguard"][:TUNNELS_MAX]

    def _driver(self, device: bytes) -> bytes:
        try:
            return self._ethtool.driver(device)
        except OSError as error:
            if error.errno in GONE:
                return b""
            raise

    def _peers(self, device: bytes) -> list[Slow]:
        generic = self._generic_socket()
        self._family = self._family or genetlink.family_id(generic, wireguard.FAMILY)
        if self._family is None:
            return []
        try:
            peers = wireguard.tunnel(generic, self._family, os.fsdecode(device)).peers
        except OSError as error:
            if error.errno in GONE:
                self._drivers.pop(device, None)
                return []
            raise
        now = time.time()
        return [
            Slow(f"{os.fsdecode(device)} {peer_name(peer)}", "wireguard", PEER_COUNTERS, peer_values(peer, now))
            for peer in peers[:PEERS_MAX]
        ]


def _is_own(answer: bytes) -> bool:
    """Not the kernel's default, which has no handle."""
    _, _, handle, parent, _ = TCMSG.unpack_from(answer)
    return bool(parent == TC_H_ROOT and handle)


def qdisc_values(answer: bytes) -> tuple[int, ...]:
    """In the order of QDISC_COUNTERS."""
    stats = attributes(attributes(answer[TCMSG.size :]).get(TCA_STATS2, b""))
    sent_bytes, packets = _BASIC.unpack_from(stats[TCA_STATS_BASIC]) if TCA_STATS_BASIC in stats else (0, 0)
    if TCA_STATS_PKT64 in stats:
        packets = int.from_bytes(stats[TCA_STATS_PKT64], "little")
    queue = _QUEUE.unpack_from(stats[TCA_STATS_QUEUE]) if TCA_STATS_QUEUE in stats else (0,) * 5
    _, backlog, drops, requeues, overlimits = queue
    return sent_bytes, packets, drops, overlimits, backlog, requeues


def peer_name(peer: Peer) -> str:
    """As `wg` begins its public key."""
    return base64.b64encode(peer.public_key).decode()[:KEY_SHOWN_CHARS]


def peer_values(peer: Peer, now: float) -> tuple[int, ...]:
    """In the order of PEER_COUNTERS."""
    return peer.rx_bytes, peer.tx_bytes, max(1, round(now - peer.handshake_at)) if peer.handshake_at else 0
