"""What a switch's chip counts at its user ports, as `ethtool -S` prints it: frames that the CPU never saw are in no other number.

Called by the reader. As with XDP it asks less often than it is asked: a port whose chip has seen no frame needs no call.
"""

import errno

from netlab.host.counters.ethtool import Ethtool

CHIP_PREFIX = "hw_"
"""Of the chip's own counters of frames (guest/dsa/stats.c)."""
NO_STATISTICS = frozenset({errno.ENODEV, errno.EOPNOTSUPP, errno.EINVAL})


class ChipCounters:
    """Of the devices of one namespace."""

    def __init__(self, ethtool: Ethtool) -> None:
        self._ethtool = ethtool
        self._all: dict[bytes, list[str]] = {}
        self._kept: dict[bytes, tuple[tuple[int, int], tuple[int, ...]]] = {}

    def names(self, device: bytes) -> tuple[str, ...]:
        """() for a device that is no switch's port. Asks the kernel once per device."""
        if device not in self._all:
            self._all[device] = self._ask_names(device)
        return tuple(name for name in self._all[device] if name.startswith(CHIP_PREFIX))

    def values(self, device: bytes, frames: tuple[int, int]) -> tuple[int, ...]:
        """In the order of `names`. `frames` is what the device has received and sent: unchanged, nothing else has changed."""
        seen, kept = self._kept.get(device, ((-1, -1), ()))
        if seen != frames or not kept:
            kept = self._ask_values(device) or kept
            self._kept[device] = frames, kept
        return kept or (0,) * len(self.names(device))

    def forget_gone(self, present: set[bytes]) -> None:
        for device in self._all.keys() - present:
            del self._all[device]
            self._kept.pop(device, None)

    def _ask_names(self, device: bytes) -> list[str]:
        try:
            return self._ethtool.names(device)
        except OSError as error:
            if error.errno in NO_STATISTICS:
                return []
            raise

    def _ask_values(self, device: bytes) -> tuple[int, ...]:
        """() when the device has gone, or is another one by the same name."""
        names = self._all[device]
        try:
            values = self._ethtool.values(device, len(names))
        except OSError:  # the others' counters go on
            return ()
        return tuple(v for name, v in zip(names, values or (), strict=False) if name.startswith(CHIP_PREFIX))
