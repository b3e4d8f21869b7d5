"""The chip's counters of user ports: which are shown, and how seldom the kernel is asked for them."""

import errno
import os
from typing import cast

from netlab.host.counters.chip import ChipCounters
from netlab.host.counters.ethtool import Ethtool
from netlab.host.counters.schema import Device, NodeDevices, lab_schema


class Port:
    """The two questions to a device, with the statistics of one user port, and how often each was asked."""

    def __init__(self) -> None:
        self.statistics: dict[str, int] | None = {"tx_packets": 1, "hw_rx_frames": 7, "hw_switched": 5, "drop_vlan": 3}
        self.asked = {"names": 0, "values": 0}

    def names(self, device: bytes) -> list[str]:
        self.asked["names"] += 1
        return list(self._there())

    def values(self, device: bytes, count: int) -> tuple[int, ...] | None:
        self.asked["values"] += 1
        there = self._there()
        return tuple(there.values()) if len(there) == count else None

    def _there(self) -> dict[str, int]:
        if self.statistics is None:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return self.statistics


def counters(port: Port) -> ChipCounters:
    return ChipCounters(cast(Ethtool, port))


def test_the_chips_frames_are_shown_and_asked_for_when_frames_have_passed() -> None:
    port = Port()
    chip = counters(port)
    assert chip.names(b"lan1") == ("hw_rx_frames", "hw_switched")
    assert [chip.values(b"lan1", (7, 0)) for _ in range(3)] == [(7, 5)] * 3
    assert port.asked == {"names": 1, "values": 1}
    port.statistics = {"tx_packets": 1, "hw_rx_frames": 9, "hw_switched": 6, "drop_vlan": 3}
    assert chip.values(b"lan1", (9, 0)) == (9, 6)


def test_what_has_gone_keeps_its_last_values_until_it_is_forgotten() -> None:
    port = Port()
    chip = counters(port)
    chip.names(b"lan1")
    chip.values(b"lan1", (7, 0))
    port.statistics = None
    assert chip.values(b"lan1", (8, 0)) == (7, 5)
    chip.forget_gone(set())
    assert chip.names(b"lan1") == ()


def test_another_device_by_the_same_name_gives_no_wrong_numbers() -> None:
    port = Port()
    chip = counters(port)
    chip.names(b"lan1")
    port.statistics = {"rx": 99}
    assert chip.values(b"lan1", (1, 1)) == (0, 0)


def test_they_are_in_the_schema_under_their_own_kind() -> None:
    device = Device(b"lan1", has_xdp=False, chip=("hw_switched", "hw_rx_bytes"))
    schema = lab_schema("r0", 1, [NodeDevices("box", (device,))])
    mine = [(c.object, c.name, c.unit) for c in schema.counters if c.kind == "ethtool"]
    assert mine == [("lan1", "hw_switched", "packets"), ("lan1", "hw_rx_bytes", "bytes")]
