"""Reads the counters of one namespace through descriptors that are opened once. Used by the sampler, single-threaded.

`/proc/net/dev` takes RCU only, where netlink waits behind everybody who creates or deletes namespaces. Every descriptor
here pins its namespace: `close` before the node's deletion may be called done.
"""

import os
import socket
from contextlib import ExitStack
from typing import NamedTuple

from netlab.host.counters.ethtool import NOTHING, Ethtool, StatsLayout, XdpActions
from netlab.host.counters.generic_mode import GenericMode
from netlab.host.counters.generic_xdp import DropCounter
from netlab.host.kernel.syscalls import inside_netns

READ_BYTES = 64 * 1024
DEVICES_PER_READ = 30
"""One read of a seq_file gives at most a page, 31 devices; fewer than this were the last ones."""
HEADER_LINES = 2


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


def parse_net_dev(data: bytes) -> dict[bytes, DeviceCounters]:
    """The text of /proc/net/dev. A device name is any bytes but white space, slash and colon."""
    devices = {}
    for line in data.split(b"\n")[HEADER_LINES:]:
        name, colon, numbers = line.partition(b":")
        if not colon:
            continue
        n = numbers.split()
        devices[name.strip()] = DeviceCounters(
            int(n[1]), int(n[9]), int(n[0]), int(n[8]), int(n[2]), int(n[10]), int(n[3]), int(n[11])
        )
    return devices


class NodeReader:
    """One node's counters. Raises OSError when the namespace is not there."""

    def __init__(self, netns: str, drop_counter: DropCounter) -> None:
        with ExitStack() as undo, inside_netns(netns):
            self._net_dev = os.open("/proc/thread-self/net/dev", os.O_RDONLY | os.O_CLOEXEC)
            undo.callback(os.close, self._net_dev)
            self._ethtool = Ethtool(socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC))
            undo.callback(self._ethtool.close)
            self.generic = GenericMode(drop_counter)
            undo.pop_all()
        self._layouts: dict[bytes, StatsLayout | None] = {}
        self._actions: dict[bytes, tuple[int, XdpActions]] = {}

    def close(self) -> None:
        os.close(self._net_dev)
        self._ethtool.close()
        self.generic.close()

    def devices(self) -> dict[bytes, DeviceCounters]:
        """Every device's counters now."""
        data = b""
        while chunk := os.pread(self._net_dev, READ_BYTES, len(data)):
            data += chunk
            if chunk.count(b"\n") < DEVICES_PER_READ:
                break
        return parse_net_dev(data)

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

    def known_xdp(self, device: bytes) -> XdpActions:
        """What `xdp` found last, without a call."""
        return self._actions.get(device, (-1, NOTHING))[1]

    def forget_gone(self, present: dict[bytes, DeviceCounters]) -> None:
        """Drop what is remembered of devices that are no longer there."""
        for remembered in (self._layouts, self._actions):
            for device in [d for d in remembered if d not in present]:
                del remembered[device]
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
