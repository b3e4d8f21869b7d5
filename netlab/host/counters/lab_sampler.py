"""One lab inside the sampler: its nodes' readers, its schema, its encoder and its storm guard.

Driven by the sampler's ticks. Whatever an attendee makes of the node's devices ends as a new schema, never as an error.
"""

import logging
from collections.abc import Callable

from netlab.host.counters.guard import CHECK_EVERY_S, Storm, StormGuard
from netlab.host.counters.messages import NodeSource
from netlab.host.counters.node_events import Key
from netlab.host.counters.reader import NO_XDP_S, DeviceCounters, NodeReader
from netlab.host.counters.readings import Slow
from netlab.host.counters.schema import Device, NodeDevices, lab_schema, next_version, shown, xdp_values
from netlab.host.counters.slots import EventSlots
from netlab.host.counters.softnet import softnet
from netlab.host.kernel.bpf_news import BpfNews
from netlab.wire.counters import Counter, CounterSchema, Encoder, full_body

log = logging.getLogger(__name__)

SCHEMA_EVERY_S = 1.0
"""At most one new schema so often, however fast devices come and go."""
CROWDED_DEVICES = 256
"""A node with more devices than this is read once a second only: reading them all is what its attendee can make us do."""
CROWDED_EVERY_S = 1.0
KERNEL = ""
"""Instead of a node's name: what is counted for the whole of a kernel."""
EARLY_S = 0.02
"""Ticks are not exact to the millisecond."""


SlowKey = tuple[str, str, int]
"""Its object, its kind and how many values it has: pages of a pool are told with or without what the driver says of them."""


class NodeSampler:
    """One node: its descriptors and what was read last."""

    def __init__(self, source: NodeSource, limit_pps: int, slots: EventSlots, news: BpfNews) -> None:
        self.node = source.node
        self.devices: tuple[Device, ...] = ()
        self._slow: tuple[Slow, ...] = ()
        self._slow_now: dict[SlowKey, Slow] = {}
        self._slow_keys: set[SlowKey] = set()
        """Of `_slow`."""
        self._listed = [name.encode() for name in source.interfaces]
        self._reader = NodeReader(source.netns, slots, news)
        self._event_keys: tuple[Key, ...] = ()
        self._guard = StormGuard(limit_pps)
        self._present: dict[bytes, DeviceCounters] = {}
        self._places: dict[bytes, tuple[int, Device]] = {}
        """Where the values of each of `devices` are in the lab's."""
        self._slow_at = self._events_at = 0
        """Where those of `_slow` and of events are."""
        self._events_told: list[int] = []
        self._to_ask: set[bytes] = set()
        """Devices that have changed since they were asked what is asked less often."""
        self._asked_at = float("-inf")
        self.may_differ = True
        """From what the schema says."""
        self._read_at = self._judged_at = float("-inf")

    def close(self) -> None:
        self._reader.close()

    def read(self, at: float) -> list[Storm]:
        """The newest counters, and what the storm guard says of them."""
        if len(self._present) > CROWDED_DEVICES and at - self._read_at < CROWDED_EVERY_S - EARLY_S:
            return []
        before, self._present, self._read_at = self._present, self._reader.devices(), at
        if before is not self._present:
            self.may_differ = True
        events = self._reader.events
        if events:
            events.look()
            if events.keys is not self._event_keys:
                self.may_differ = True
        if at - self._judged_at < CHECK_EVERY_S - EARLY_S:
            return []
        self._judged_at = at
        return self._guard.judge(self._present, at)

    def differs(self) -> bool:
        """Devices, qdiscs or peers have come or gone, a device is in generic mode or something happens for the first time."""
        events = self._reader.events
        self.may_differ = self._others_than_taken() or (events is not None and events.keys is not self._event_keys)
        return self.may_differ

    def _others_than_taken(self) -> bool:
        generic = self._reader.generic
        return (
            shown(self._listed, self._present) != [d.name for d in self.devices]
            or any(generic.has(d.name) != d.has_generic for d in self.devices)
            or self._slow_now.keys() != self._slow_keys
        )

    def take_topology(self, lab: Encoder) -> NodeDevices:
        """From now on the devices are those of the last reading, and their values follow those that `lab` has."""
        self._reader.forget_gone(self._present)
        names = shown(self._listed, self._present)
        reader = self._reader
        self.devices = tuple(Device(n, reader.has_xdp(n), reader.generic.has(n), reader.chip.names(n)) for n in names)
        self._slow, self._slow_keys = tuple(self._slow_now.values()), set(self._slow_now)
        self._places = {}
        for device in self.devices:
            self._places[device.name] = len(lab.values), device
            lab.put(len(lab.values), self._device_values(device, self._present[device.name]))
        self._to_ask = set(self._places)
        self._slow_at = len(lab.values)
        lab.put(self._slow_at, self._slow_values())
        return NodeDevices(self.node, self.devices, self._slow, self._take_events(lab))

    def _take_events(self, lab: Encoder) -> tuple[Counter, ...]:
        events = self._reader.events
        if events is None:
            return ()
        events.devices_changed()
        events.look()
        self._event_keys, self._events_told, self._events_at = events.keys, events.values, len(lab.values)
        lab.put(self._events_at, events.values)
        return events.counters(self.node)

    def read_slow(self, lab: Encoder) -> None:
        try:
            found = self._reader.slow.read([d.name for d in self.devices])
        except OSError as error:  # whatever an attendee does to them, the fast counters go on
            log.warning("qdiscs and tunnels in %s: %s", self.node, error)
            return
        self._slow_now = {_key(one): one for one in found}
        if self._slow_now.keys() != self._slow_keys:
            self.may_differ = True
        lab.put(self._slow_at, self._slow_values())

    def _slow_values(self) -> list[int]:
        return [v for one in self._slow for v in self._slow_now.get(_key(one), one).values]

    def write(self, lab: Encoder, *, ask_xdp: bool) -> None:
        """What has been read since the last time; what has gone since keeps its last values until the next schema."""
        changed, self._reader.changed = self._reader.changed, set()
        self._to_ask |= changed
        asked: set[bytes] = set()
        if ask_xdp and (self._read_at - self._asked_at >= NO_XDP_S or self._reader.slow.may_have_programs()):
            self._asked_at = self._read_at
            asked = self._to_ask.copy()
            for name in asked:
                self._ask_xdp(name)
        for name in changed | asked:
            place, counters = self._places.get(name), self._present.get(name)
            if place and counters:
                at, device = place
                lab.put(at, self._device_values(device, counters) if device.chip or name in asked else counters)
        self._write_events(lab)

    def _device_values(self, device: Device, counters: DeviceCounters) -> list[int]:
        name, values = device.name, list(counters)
        if device.has_xdp:
            values += xdp_values(self._reader.known_xdp(name))
        if device.has_generic:
            values += self._reader.generic.values(name)
        if device.chip:
            values += self._reader.chip.values(name, (counters.rx_packets, counters.tx_packets))
        return values

    def _write_events(self, lab: Encoder) -> None:
        events = self._reader.events
        if events is None or events.values is self._events_told:
            return
        self._events_told = events.values
        if events.keys is self._event_keys:
            lab.put(self._events_at, events.values)
        else:
            now = dict(zip(events.keys, events.values, strict=True))
            lab.put(self._events_at, [now.get(key, 0) for key in self._event_keys])

    def _ask_xdp(self, name: bytes) -> None:
        """What is asked less often; whom there is nothing more to ask while it receives nothing leaves `_to_ask`."""
        place, counters, reader = self._places.get(name), self._present.get(name), self._reader
        if not place or not counters:
            self._to_ask.discard(name)
            return
        device = place[1]
        try:
            settled = reader.look_at_generic(name, counters.rx_packets, self._read_at)
            if device.has_xdp:
                settled = reader.look_at_xdp(name, counters.rx_packets, self._read_at) and settled
        except OSError as error:  # whatever an attendee does to a device, the others' counters go on
            log.warning("XDP counters of %s in %s: %s", name, self.node, error)
            settled = False
        if settled:
            self._to_ask.discard(name)
        if reader.generic.has(name) != device.has_generic:
            self.may_differ = True


def _key(slow: Slow) -> SlowKey:
    return slow.object, slow.kind, len(slow.values)


class LabSampler:
    """A run's nodes as one sequence of numbers. Nodes that cannot be opened are left out and told by `missing`."""

    def __init__(
        self, run: str, limit_pps: int, sources: list[NodeSource], slots: EventSlots, *,
        news: BpfNews | None = None, own_kernel: bool = False,
    ) -> None:
        self.run = run
        self.limit_pps = limit_pps
        self.missing: list[str] = []
        self._nodes: list[NodeSampler] = []
        news = news or BpfNews()
        for source in sources:
            try:
                self._nodes.append(NodeSampler(source, limit_pps, slots, news))
            except OSError as error:
                log.warning("counters of %s of run %s: %s", source.node, run, error)
                self.missing.append(source.node)
        self._version = 0
        self._schema_at = float("-inf")
        self._encoder: Encoder | None = None
        self._every_tick = own_kernel
        self._of_kernel: Callable[[], list[Slow]] = softnet if own_kernel else list
        self._kernel: list[Slow] = []
        self._kernel_at = 0
        self._kernel_now: list[Slow] = []

    def close(self) -> None:
        for node in self._nodes:
            node.close()
        self._nodes = []

    def read(self, at: float) -> list[tuple[str, Storm]]:
        """Read every node. `at` is a monotonic clock's seconds."""
        storms = []
        for node in list(self._nodes):
            try:
                found = node.read(at)
            except OSError as error:
                log.warning("counters of %s of run %s end: %s", node.node, self.run, error)
                node.close()
                self._nodes.remove(node)
                continue
            if found:
                storms += [(node.node, storm) for storm in found]
        return storms

    def new_schema(self, at: float) -> CounterSchema | None:
        """The schema, when devices have come or gone since the last one and it is not too soon."""
        if self._encoder is not None and (at - self._schema_at < SCHEMA_EVERY_S or not self._topology_changed()):
            return None
        self._schema_at = at
        self._version = next_version(self._version)
        self._encoder = encoder = Encoder(self._version, self._every_tick)
        self._kernel = self._kernel_now
        kernel = NodeDevices(KERNEL, (), tuple(self._kernel))
        nodes = [*(node.take_topology(encoder) for node in self._nodes), kernel]
        self._kernel_at = len(encoder.values)
        encoder.put(self._kernel_at, self._kernel_values())
        return lab_schema(self.run, self._version, nodes, every_tick=self._every_tick)

    def body(self, wall_clock: float, *, ask_xdp: bool, full: bool, ask_slow: bool = False) -> bytes | None:
        """What to say at this tick, None when nothing has changed. After `new_schema` has been asked."""
        encoder = self._encoder
        assert encoder is not None
        if ask_slow:
            for node in self._nodes:
                node.read_slow(encoder)
            self._kernel_now = self._of_kernel()
            encoder.put(self._kernel_at, self._kernel_values())
        for node in self._nodes:
            node.write(encoder, ask_xdp=ask_xdp)
        return encoder.body(wall_clock, full=full)

    def history_body(self, wall_clock: float) -> bytes:
        """The values of the last `body`, in full."""
        assert self._encoder is not None
        return full_body(self._version, wall_clock, self._encoder.values)

    def _kernel_values(self) -> list[int]:
        return [v for one in self._kernel_now[: len(self._kernel)] for v in one.values]

    def _topology_changed(self) -> bool:
        return len(self._kernel) != len(self._kernel_now) or any(node.may_differ and node.differs() for node in self._nodes)
