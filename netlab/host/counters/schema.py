"""Which counters a lab has, and in which order. Pure; used by the sampler, which puts values into the same order.

Per node and interface: what the kernel counts for every device; for veth, what it counts of XDP in native mode; and for an
interface that has been in generic mode, what is measured and derived of that (no driver counts it); for a switch's user port,
what its chip counts. Per node: what its qdiscs and its tunnels' peers count (`slow`), and what has happened (`node_events`).
"""

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from netlab.host.counters.ethtool import XdpActions
from netlab.host.counters.readings import Slow
from netlab.wire.counters import Counter, CounterSchema

DEVICES_SHOWN_MAX = 64
"""Per node. An attendee may make thousands of devices; nobody reads a pane of thousands."""

INTERFACE_COUNTERS = (
    ("rx_packets", "packets"), ("tx_packets", "packets"), ("rx_bytes", "bytes"), ("tx_bytes", "bytes"),
    ("rx_errors", "packets"), ("tx_errors", "packets"), ("rx_dropped", "packets"), ("tx_dropped", "packets"),
)
XDP_COUNTERS = (
    ("xdp_packets", False), ("xdp_drop", False), ("xdp_pass", True),
    ("xdp_tx", False), ("xdp_redirect", False), ("xdp_errors", False),
)
"""Name, and whether it is derived."""
GENERIC_COUNTERS = (("xdp_generic_packets", True), ("xdp_generic_drop", False), ("xdp_generic_pass", True))

MADE_BY_KERNEL = frozenset(
    (b"lo", b"tunl0", b"gre0", b"gretap0", b"erspan0", b"ip_vti0", b"ip6_vti0", b"sit0", b"ip6tnl0", b"ip6gre0")
)
"""Devices that a new namespace may have without anybody asking; shown only when the lab lists them."""


class Device(NamedTuple):
    name: bytes
    has_xdp: bool
    has_generic: bool = False
    chip: tuple[str, ...] = ()
    """What a switch's chip counts of it, for a user port."""


class NodeDevices(NamedTuple):
    node: str
    devices: tuple[Device, ...]
    slow: tuple[Slow, ...] = ()
    """Qdiscs and tunnels' peers."""
    events: tuple[Counter, ...] = ()
    """Drops, events and page pools that have been seen."""


def shown(listed: Sequence[bytes], present: Iterable[bytes]) -> list[bytes]:
    """The devices to show: the lab's in its order, then what came later, without what the kernel made itself."""
    there = list(present)
    first = [name for name in listed if name in there]
    return (first + [n for n in there if n not in listed and n not in MADE_BY_KERNEL])[:DEVICES_SHOWN_MAX]


def lab_schema(run: str, version: int, nodes: Iterable[NodeDevices], *, every_tick: bool = False) -> CounterSchema:
    """The schema of a lab with these devices."""
    counters = []
    for node, devices, slow, events in nodes:
        for device in devices:
            name = device_name(device.name)
            counters += [Counter(node=node, object=name, kind="interface", name=n, unit=u) for n, u in INTERFACE_COUNTERS]
            groups = (("xdp", XDP_COUNTERS, device.has_xdp), ("xdp_generic", GENERIC_COUNTERS, device.has_generic))
            for kind, names, there in groups:
                if there:
                    counters += [Counter(node=node, object=name, kind=kind, name=n, unit="packets", derived=d) for n, d in names]
            counters += [Counter(node=node, object=name, kind="ethtool", name=n, unit=_unit(n)) for n in device.chip]
        counters += [counter for one in slow for counter in one.counters(node)]
        counters += events
    return CounterSchema(run=run, version=version, counters=counters, every_tick=every_tick)


def _unit(name: str) -> str:
    return "bytes" if name.endswith("_bytes") else "packets"


def xdp_values(actions: XdpActions) -> tuple[int, ...]:
    """In the order of XDP_COUNTERS."""
    return actions.packets, actions.drop, actions.passed, actions.tx, actions.redirect, actions.errors


def device_name(name: bytes) -> str:
    """A device's name for people; odd bytes are escaped, so that two names stay two."""
    return name.decode("utf-8", errors="backslashreplace")


def next_version(last: int) -> int:
    """A version that no earlier schema of this run had, also across restarts of the sampler and of the host."""
    return max(last + 1, int(time.time() * 1000))
