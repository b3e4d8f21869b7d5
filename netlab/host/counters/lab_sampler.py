"""One lab inside the sampler: its nodes' readers, its schema, its encoder and its storm guard.

Driven by the sampler's ticks. Whatever an attendee makes of the node's devices ends as a new schema, never as an error.
"""

import logging

from netlab.host.counters.generic_xdp import DropCounter
from netlab.host.counters.guard import CHECK_EVERY_S, Storm, StormGuard
from netlab.host.counters.messages import NodeSource
from netlab.host.counters.reader import DeviceCounters, NodeReader
from netlab.host.counters.schema import Device, NodeDevices, lab_schema, next_version, shown, xdp_values
from netlab.wire.counters import CounterSchema, Encoder, full_body

log = logging.getLogger(__name__)

SCHEMA_EVERY_S = 1.0
"""At most one new schema so often, however fast devices come and go."""
CROWDED_DEVICES = 256
"""A node with more devices than this is read once a second only: reading them all is what its attendee can make us do."""
CROWDED_EVERY_S = 1.0
EARLY_S = 0.02
"""Ticks are not exact to the millisecond."""
ZERO = DeviceCounters(0, 0, 0, 0, 0, 0, 0, 0)


class NodeSampler:
    """One node: its descriptors and what was read last."""

    def __init__(self, source: NodeSource, limit_pps: int, drop_counter: DropCounter) -> None:
        self.node = source.node
        self.devices: tuple[Device, ...] = ()
        self._listed = [name.encode() for name in source.interfaces]
        self._reader = NodeReader(source.netns, drop_counter)
        self._guard = StormGuard(limit_pps)
        self._present: dict[bytes, DeviceCounters] = {}
        self._kept: dict[bytes, DeviceCounters] = {}
        self._read_at = self._judged_at = float("-inf")

    def close(self) -> None:
        self._reader.close()

    def read(self, at: float) -> list[Storm]:
        """The newest counters, and what the storm guard says of them."""
        if len(self._present) > CROWDED_DEVICES and at - self._read_at < CROWDED_EVERY_S - EARLY_S:
            return []
        self._present, self._read_at = self._reader.devices(), at
        if at - self._judged_at < CHECK_EVERY_S - EARLY_S:
            return []
        self._judged_at = at
        return self._guard.judge(self._present, at)

    def topology_changed(self) -> bool:
        """Devices have come or gone, or one is in generic mode for the first time."""
        generic = self._reader.generic
        return shown(self._listed, self._present) != [d.name for d in self.devices] or any(
            generic.has(d.name) != d.has_generic for d in self.devices
        )

    def take_topology(self) -> NodeDevices:
        """From now on the devices are those of the last reading."""
        self._reader.forget_gone(self._present)
        names = shown(self._listed, self._present)
        self.devices = tuple(Device(name, self._reader.has_xdp(name), self._reader.generic.has(name)) for name in names)
        self._kept = {}
        return NodeDevices(self.node, self.devices)

    def values(self, *, ask_xdp: bool) -> list[int]:
        """In the schema's order; a device that has gone since keeps its last values until the next schema."""
        values: list[int] = []
        for name, has_xdp, has_generic in self.devices:
            counters = self._present.get(name) or self._kept.get(name, ZERO)
            self._kept[name] = counters
            values += counters
            if ask_xdp and name in self._present:
                self._ask_xdp(name, has_xdp, counters.rx_packets)
            if has_xdp:
                values += xdp_values(self._reader.known_xdp(name))
            if has_generic:
                values += self._reader.generic.values(name)
        return values

    def _ask_xdp(self, name: bytes, has_xdp: bool, rx_packets: int) -> None:
        try:
            self._reader.generic.look(name, rx_packets, self._read_at)
            if has_xdp:
                self._reader.xdp(name, rx_packets)
        except OSError as error:  # whatever an attendee does to a device, the others' counters go on
            log.warning("XDP counters of %s in %s: %s", name, self.node, error)


class LabSampler:
    """A run's nodes as one sequence of numbers. Nodes that cannot be opened are left out and told by `missing`."""

    def __init__(self, run: str, limit_pps: int, sources: list[NodeSource], drop_counter: DropCounter) -> None:
        self.run = run
        self.limit_pps = limit_pps
        self.missing: list[str] = []
        self._nodes: list[NodeSampler] = []
        for source in sources:
            try:
                self._nodes.append(NodeSampler(source, limit_pps, drop_counter))
            except OSError as error:
                log.warning("counters of %s of run %s: %s", source.node, run, error)
                self.missing.append(source.node)
        self._version = 0
        self._schema_at = float("-inf")
        self._encoder: Encoder | None = None
        self._values: list[int] = []

    def close(self) -> None:
        for node in self._nodes:
            node.close()
        self._nodes = []

    def read(self, at: float) -> list[tuple[str, Storm]]:
        """Read every node. `at` is a monotonic clock's seconds."""
        storms = []
        for node in list(self._nodes):
            try:
                storms += [(node.node, storm) for storm in node.read(at)]
            except OSError as error:
                log.warning("counters of %s of run %s end: %s", node.node, self.run, error)
                node.close()
                self._nodes.remove(node)
        return storms

    def new_schema(self, at: float) -> CounterSchema | None:
        """The schema, when devices have come or gone since the last one and it is not too soon."""
        if self._encoder is not None and (at - self._schema_at < SCHEMA_EVERY_S or not self._topology_changed()):
            return None
        self._schema_at = at
        self._version = next_version(self._version)
        self._encoder = Encoder(self._version)
        return lab_schema(self.run, self._version, [node.take_topology() for node in self._nodes])

    def body(self, wall_clock: float, *, ask_xdp: bool, full: bool) -> bytes | None:
        """What to say at this tick, None when nothing has changed. After `new_schema` has been asked."""
        assert self._encoder is not None
        self._values = [v for node in self._nodes for v in node.values(ask_xdp=ask_xdp)]
        return self._encoder.encode(self._values, wall_clock, full=full)

    def history_body(self, wall_clock: float) -> bytes:
        """The values of the last `body`, in full."""
        return full_body(self._version, wall_clock, self._values)

    def _topology_changed(self) -> bool:
        return any(node.topology_changed() for node in self._nodes)
