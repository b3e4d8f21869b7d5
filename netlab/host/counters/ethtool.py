"""XDP actions of veth devices through ETHTOOL_GSTATS, on a socket that was made inside the namespace.

Called by the reader. It takes the kernel's RTNL lock for a moment, which `/proc/net/dev` does not; so it is asked less often,
and only when an interface has received anything. Numbers as in include/uapi/linux/ethtool.h and sockios.h.
"""

import errno
import fcntl
import socket
import struct
from ctypes import addressof, c_char, string_at
from dataclasses import dataclass

SIOCETHTOOL = 0x8946
ETHTOOL_GDRVINFO = 0x03
ETHTOOL_GSTRINGS = 0x1B
ETHTOOL_GSTATS = 0x1D
ETHTOOL_GSSET_INFO = 0x37
ETH_SS_STATS = 1
ETH_GSTRING_BYTES = 32
DRIVER_INFO_BYTES = 196
DRIVER_NAME = slice(4, 36)

VALUES_MAX = 4096 * 32
"""The kernel writes as many values as the device has *now*, whatever we asked for (before 6.19). A veth has at most 4096
queues (rtnetlink's limit) of some 16 values each, so one buffer of this size can never be overrun."""

BUFFER_BYTES = 8 + VALUES_MAX * 8

_IFREQ = struct.Struct("16sQ16x")
_HEAD = struct.Struct("=II")
_QUEUE_STATS = {
    "xdp_packets": 0, "xdp_drops": 1, "xdp_tx": 2, "xdp_redirect": 3,
    "drops": 4, "xdp_tx_errors": 4,
}
"""Suffix of rx_queue_<n>_<suffix> in drivers/net/veth.c -> position in XdpActions. XDP_ABORTED counts as a drop there."""


@dataclass(frozen=True)
class XdpActions:
    """Sums over all receive queues. `passed` is derived: the driver counts everything but XDP_PASS."""

    packets: int
    drop: int
    tx: int
    redirect: int
    errors: int

    @property
    def passed(self) -> int:
        return max(0, self.packets - self.drop - self.tx - self.redirect - self.errors)


NOTHING = XdpActions(0, 0, 0, 0, 0)


@dataclass(frozen=True)
class StatsLayout:
    """Which of a device's `count` values is which, as (index, position in XdpActions). Changes with its queues."""

    count: int
    picks: tuple[tuple[int, int], ...]


class Ethtool:
    """Questions to the devices of the namespace that the socket belongs to.

    All instances share one buffer, so one thread only; but for those that are told to have one of their own.
    """

    _shared = (c_char * BUFFER_BYTES)()

    def __init__(self, sock: socket.socket, *, own_buffer: bool = False) -> None:
        self._sock = sock
        self._buffer = (c_char * BUFFER_BYTES)() if own_buffer else self._shared

    def close(self) -> None:
        self._sock.close()

    def xdp_layout(self, device: bytes) -> StatsLayout | None:
        """Where a veth keeps its XDP statistics; None for other devices and for one that has just gone."""
        try:
            if self.driver(device) != b"veth":
                return None
            return self._layout(device)
        except OSError as error:
            if error.errno in (errno.ENODEV, errno.EOPNOTSUPP, errno.EINVAL):
                return None
            raise

    def xdp_actions(self, device: bytes, layout: StatsLayout) -> XdpActions | None:
        """The device's actions so far; None when it has gone or its queues have changed (ask for a new layout)."""
        try:
            values = self.values(device, layout.count)
        except OSError as error:
            if error.errno in (errno.ENODEV, errno.EOPNOTSUPP):
                return None
            raise
        if values is None:
            return None
        sums = [0] * 5
        for index, position in layout.picks:
            sums[position] += values[index]
        return XdpActions(*sums)

    def driver(self, device: bytes) -> bytes:
        """Or the kind of a device that has no driver of its own words. Raises OSError."""
        struct.pack_into(f"=I{DRIVER_INFO_BYTES - 4}x", self._buffer, 0, ETHTOOL_GDRVINFO)
        self._ask(device)
        return string_at(addressof(self._buffer), DRIVER_INFO_BYTES)[DRIVER_NAME].split(b"\0")[0]

    def names(self, device: bytes) -> list[str]:
        """Of its statistics, as `ethtool -S` prints them. Raises OSError: ENODEV, EOPNOTSUPP for a device without any."""
        struct.pack_into("=IIQI", self._buffer, 0, ETHTOOL_GSSET_INFO, 0, 1 << ETH_SS_STATS, 0)
        self._ask(device)
        (count,) = struct.unpack_from("=I", self._buffer, 16)
        struct.pack_into("=III", self._buffer, 0, ETHTOOL_GSTRINGS, ETH_SS_STATS, count)
        self._ask(device)
        (count,) = struct.unpack_from("=I", self._buffer, 8)
        raw = string_at(addressof(self._buffer) + 12, count * ETH_GSTRING_BYTES)
        cut = (raw[i : i + ETH_GSTRING_BYTES] for i in range(0, len(raw), ETH_GSTRING_BYTES))
        return [name.split(b"\0")[0].decode(errors="replace").strip() for name in cut]

    def values(self, device: bytes, count: int) -> tuple[int, ...] | None:
        """Of that many statistics; None when it has another number of them now. Raises OSError as `names` does."""
        _HEAD.pack_into(self._buffer, 0, ETHTOOL_GSTATS, count)
        self._ask(device)
        if _HEAD.unpack_from(self._buffer)[1] != count:
            return None
        return struct.unpack_from(f"={count}Q", self._buffer, 8)

    def _layout(self, device: bytes) -> StatsLayout | None:
        names = self.names(device)
        picks = tuple((at, position) for at, name in enumerate(names) if (position := _position(name)) is not None)
        return StatsLayout(len(names), picks) if picks else None

    def _ask(self, device: bytes) -> None:
        fcntl.ioctl(self._sock, SIOCETHTOOL, _IFREQ.pack(device, addressof(self._buffer)))


def _position(name: str) -> int | None:
    queue, found, rest = name.removeprefix("rx_queue_").partition("_")
    return _QUEUE_STATS.get(rest) if found and name.startswith("rx_queue_") and queue.isdigit() else None
