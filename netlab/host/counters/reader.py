"""Reads the counters of one namespace through descriptors that are opened once. Used by the sampler, single-threaded.

`/proc/net/dev` takes RCU only, where netlink waits behind everybody who creates or deletes namespaces. Every descriptor
here pins its namespace: `close` before the node's deletion may be called done.
"""

import os
import socket
import struct
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from netlab.host.counters.chip import ChipCounters
from netlab.host.counters.ethtool import NOTHING, Ethtool, StatsLayout, XdpActions
from netlab.host.counters.generic_mode import LOOK_EVERY_S, GenericMode
from netlab.host.counters.node_events import NodeEvents
from netlab.host.counters.slots import EventSlots
from netlab.host.counters.slow import SlowReader
from netlab.host.kernel.bpf_news import BpfNews
from netlab.host.kernel.syscalls import inside_netns

READ_BYTES = 8 * 1024
"""More than a read gives; making a larger buffer takes time."""
DEVICES_PER_READ = 30
"""One read of a seq_file gives at most a page, 31 devices; fewer than this were the last ones."""
XDP_CALM_S, NO_XDP_S = 1.0, 30.0
"""A device whose XDP actions stood still when they were last asked is asked so much later; where there is no program as far as
we know, later still."""
SURELY_ALL_BYTES = 2048
"""So short an answer was not cut at the end of a page."""
HEADER_LINES = 2
SO_NETNS_COOKIE = 71


class DeviceCounters(NamedTuple):
    """In the order of schema.INTERFACE_COUNTERS."""

    rx_packets: int
    tx_packets: int
    rx_bytes: int
    tx_bytes: int
    rx_errors: int
    tx_errors: int
    rx_dropped: int
    tx_dropped: int


_counters = partial(tuple.__new__, DeviceCounters)
"""A third of the price of calling the class."""


def parse_net_dev(data: bytes) -> dict[bytes, DeviceCounters]:
    """The text of /proc/net/dev. A device name is any bytes but white space, slash and colon."""
    return dict(_device(line) for line in data.split(b"\n")[HEADER_LINES:] if b":" in line)


def _device(line: bytes) -> tuple[bytes, DeviceCounters]:
    n = line.split(None, 13)
    return n[0][:-1], _counters(
        (int(n[2]), int(n[10]), int(n[1]), int(n[9]), int(n[3]), int(n[11]), int(n[4]), int(n[12]))
    )


class NodeReader:
    """One node's counters. Raises OSError when the namespace is not there."""

    def __init__(self, netns: str, slots: EventSlots, news: BpfNews | None = None) -> None:
        with ExitStack() as undo, inside_netns(netns):
            self._net_dev = os.open("/proc/thread-self/net/dev", os.O_RDONLY | os.O_CLOEXEC)
            undo.callback(os.close, self._net_dev)
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._ethtool = Ethtool(sock)
            undo.callback(self._ethtool.close)
            self.chip = ChipCounters(self._ethtool)
            self.slow = SlowReader(netns, self._ethtool, news or BpfNews())
            undo.callback(self.slow.close)
            (cookie,) = struct.unpack("=Q", sock.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8))
            slot = slots.claim(cookie)
            self.events = NodeEvents(slot, sock) if slot else None
            undo.callback(self._close_events)
            self.generic = GenericMode(self.events)
            undo.pop_all()
        self._text = b""
        self._devices: dict[bytes, DeviceCounters] = {}
        self.changed: set[bytes] = set()
        """Devices whose counters are others than before; whoever has looked at them takes them out."""
        self._layouts: dict[bytes, StatsLayout | None] = {}
        self._actions: dict[bytes, tuple[int, XdpActions]] = {}
        self._calm_at: dict[bytes, float] = {}
        """When a device's actions were asked and had not changed."""

    def close(self) -> None:
        os.close(self._net_dev)
        self._ethtool.close()
        self.slow.close()
        self.generic.close()
        self._close_events()

    def _close_events(self) -> None:
        if self.events:
            self.events.close()

    def devices(self) -> dict[bytes, DeviceCounters]:
        """Every device's counters now; the same object as the last time unless devices have come or gone."""
        data = os.pread(self._net_dev, READ_BYTES, 0)
        if len(data) >= SURELY_ALL_BYTES and data.count(b"\n") >= DEVICES_PER_READ:
            data = self._rest_of(data)
        if data == self._text:
            return self._devices
        before, self._text = self._text.split(b"\n"), data
        lines = data.split(b"\n")
        if len(before) != len(lines) or not self._take_changed(lines, before):  # devices have come or gone
            self._devices = parse_net_dev(data)
            self.changed |= self._devices.keys()
        return self._devices

    def _take_changed(self, lines: list[bytes], before: list[bytes]) -> bool:
        """Take apart the lines that are others than before. False: one is of a device that was not there."""
        devices, changed = self._devices, self.changed
        for line, old in zip(lines, before, strict=True):
            if line != old:
                name, counters = _device(line)
                if name not in devices:
                    return False
                devices[name] = counters
                changed.add(name)
        return True

    def _rest_of(self, data: bytes) -> bytes:
        """All of it, which begins so."""
        while chunk := os.pread(self._net_dev, READ_BYTES, len(data)):
            data += chunk
            if len(chunk) < SURELY_ALL_BYTES or chunk.count(b"\n") < DEVICES_PER_READ:
                break
        return data

    def has_xdp(self, device: bytes) -> bool:
        """Whether the device counts XDP actions. Asks the kernel once per device."""
        if device not in self._layouts:
            self._layouts[device] = self._ethtool.xdp_layout(device)
        return self._layouts[device] is not None

    def xdp(self, device: bytes, rx_packets: int) -> XdpActions:
        """The device's XDP actions. A veth counts what XDP sees in its rx_packets, so an unchanged number needs no call."""
        seen, actions = self._actions.get(device, (-1, NOTHING))
        if seen == rx_packets:
            return actions
        if rx_packets < seen:  # another device by the same name
            self._layouts.pop(device, None)
        fresh = self._ask_xdp(device)
        self._actions[device] = (rx_packets, fresh)
        return fresh

    def look_at_xdp(self, device: bytes, rx_packets: int, at: float) -> bool:
        """As `xdp`, but less often while nothing comes of it; False: not now, so there is still something to ask."""
        seen, before = self._actions.get(device, (-1, NOTHING))
        if seen == rx_packets:
            return True
        calm_at = self._calm_at.get(device)
        if calm_at is not None and at - calm_at < (XDP_CALM_S if self.slow.may_have_programs() else NO_XDP_S):
            return False
        if self.xdp(device, rx_packets) == before:
            self._calm_at[device] = at
        else:
            self._calm_at.pop(device, None)
        return True

    def look_at_generic(self, device: bytes, rx_packets: int, at: float) -> bool:
        """As `GenericMode.look`, less often while there are no programs."""
        return self.generic.look(device, rx_packets, at, LOOK_EVERY_S if self.slow.may_have_programs() else NO_XDP_S)

    def known_xdp(self, device: bytes) -> XdpActions:
        """What `xdp` found last, without a call."""
        return self._actions.get(device, (-1, NOTHING))[1]

    def forget_gone(self, present: dict[bytes, DeviceCounters]) -> None:
        """Drop what is remembered of devices that are no longer there."""
        for remembered in (self._layouts, self._actions, self._calm_at):
            for device in [d for d in remembered if d not in present]:
                del remembered[device]
        self.chip.forget_gone(set(present))
        for device in [d for d in self.generic.known() if d not in present]:
            self.generic.forget(device)

    def _ask_xdp(self, device: bytes) -> XdpActions:
        for _ in range(2):  # the second time with a new layout, when the number of queues has changed
            if not self.has_xdp(device):
                return NOTHING
            layout = self._layouts[device]
            assert layout is not None
            actions = self._ethtool.xdp_actions(device, layout)
            if actions is not None:
                return actions
            del self._layouts[device]
        return NOTHING
