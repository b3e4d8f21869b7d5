"""One node's interfaces in generic XDP mode: which are, and what their programs have met. Used by the node's sampler.

The driver counts nothing here. Drops are counted by `node_events`; packets are derived, since every packet that the interface
receives meets the program; what was not dropped is derived from both, so XDP_TX and XDP_REDIRECT show as passed.
"""

import errno
import struct
from dataclasses import dataclass

from netlab.host.counters.node_events import NodeEvents
from netlab.host.kernel.netlink import IFLA_IFNAME, NLMSG_ERROR, attribute, message, route_socket

RTM_GETLINK, IFLA_EXT_MASK, IFLA_XDP, IFLA_XDP_ATTACHED = 18, 29, 43, 2
RTEXT_FILTER_SKIP_STATS = 1 << 3
XDP_ATTACHED_SKB = 2
LOOK_EVERY_S = 1.0
"""A look takes RTNL, so there is one a second at most, and only at an interface that has received something."""
ANSWER_BYTES = 32_768
_IFINFO = struct.Struct("=BxHiII")
_ATTRIBUTE = struct.Struct("=HH")


@dataclass
class _Device:
    looked_at: float = float("-inf")
    looked_rx: int = -1
    ifindex: int = 0
    active: bool = False
    ever: bool = False
    rx: int = 0
    dropped: int = 0
    packets: int = 0
    drops: int = 0


class GenericMode:
    """Made inside the node's namespace; its socket pins the namespace until `close`."""

    def __init__(self, events: NodeEvents | None) -> None:
        self._sock = route_socket()
        self._events = events
        self._devices: dict[bytes, _Device] = {}

    def close(self) -> None:
        self._sock.close()

    def look(self, name: bytes, rx_packets: int, at: float, every_s: float = LOOK_EVERY_S) -> bool:
        """Bring the device's numbers up to now; find out now and then whether it is in generic mode.

        True: that is all for as long as it receives nothing."""
        device = self._devices.setdefault(name, _Device())
        if device.active:
            self._count(device, rx_packets)
        if rx_packets == device.looked_rx or at - device.looked_at < every_s:
            return rx_packets == device.looked_rx and not device.active
        device.looked_rx, device.looked_at = rx_packets, at
        ifindex, attached = self._ask(name)
        # a kernel where drops cannot be counted shows nothing, rather than half
        active = attached == XDP_ATTACHED_SKB and self._events is not None
        if active and (not device.active or ifindex != device.ifindex):
            device.ifindex, device.rx, device.dropped = ifindex, rx_packets, self._dropped(ifindex)
        device.active, device.ever = active, device.ever or active
        return not active

    def has(self, name: bytes) -> bool:
        """Whether the device has been in generic mode: then its counters are shown from now on."""
        device = self._devices.get(name)
        return device is not None and device.ever

    def values(self, name: bytes) -> tuple[int, int, int]:
        """Packets, drops, passed: in the order of schema.GENERIC_COUNTERS."""
        device = self._devices[name]
        return device.packets, device.drops, max(0, device.packets - device.drops)

    def forget(self, name: bytes) -> None:
        self._devices.pop(name, None)

    def known(self) -> list[bytes]:
        return list(self._devices)

    def _count(self, device: _Device, rx_packets: int) -> None:
        dropped = self._dropped(device.ifindex)
        device.packets += max(0, rx_packets - device.rx)
        device.drops += max(0, dropped - device.dropped)
        device.rx, device.dropped = rx_packets, dropped

    def _dropped(self, ifindex: int) -> int:
        return self._events.generic_drops(ifindex) if self._events else 0

    def _ask(self, name: bytes) -> tuple[int, int]:
        """The device's index and how a program is attached to it (IFLA_XDP_ATTACHED); zeros when it has gone."""
        mask = attribute(IFLA_EXT_MASK, struct.pack("=I", RTEXT_FILTER_SKIP_STATS))
        self._sock.send(message(RTM_GETLINK, 0, _IFINFO.pack(0, 0, 0, 0, 0) + attribute(IFLA_IFNAME, name + b"\0") + mask))
        answer = self._sock.recv(ANSWER_BYTES)
        _, kind = struct.unpack_from("=IH", answer)
        if kind == NLMSG_ERROR:
            (code,) = struct.unpack_from("=i", answer, 16)
            if -code == errno.ENODEV:
                return 0, 0
            raise OSError(-code, "rtnetlink get link")
        _, _, ifindex, _, _ = _IFINFO.unpack_from(answer, 16)
        xdp = _attributes(answer[32:]).get(IFLA_XDP, b"")
        return ifindex, _attributes(xdp).get(IFLA_XDP_ATTACHED, b"\0")[0]


def _attributes(data: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while at + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return found
