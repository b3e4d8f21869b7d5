"""Counter samples: how the sampler packs a lab's numbers, how a web process merges them, what a browser gets.

A counter is (node, object, kind, name, unit). A lab's counters have a fixed order, its *schema*, which changes only
with the topology and then gets a new version. Values are absolute non-negative integers; a delta is only an encoding.

    packet    one PUBLISH per host and tick: MessagePack [sent_at, {run: body, ...}]
    body      [FULL, schema_version, sampled_at, [value, ...]]               at subscribe, every 10 s, on request
              [DELTA, schema_version, sampled_at, [index, difference, ...]]  in between; absent when nothing changed
    frame     to a browser, binary: MessagePack [kind, schema_version, number, sampled_at, values as in the body]

`sampled_at` is Unix time in seconds (float). A browser that misses a `number`, or sees a delta of a schema version it
does not have, asks for a full frame and goes on; nothing queues.
"""

from dataclasses import dataclass, field
from typing import Any

import msgpack
from pydantic import BaseModel, ConfigDict

FULL = 0
DELTA = 1
FULL_EVERY_S = 10.0
FAST_TICK_S = 0.1
SLOW_TICK_S = 1.0
HISTORY_S = 60


class Counter(BaseModel):
    """`kind`: interface, xdp, ... (open for what comes); `unit`: packets, bytes, or 1. `derived`: computed, not counted."""

    model_config = ConfigDict(frozen=True)

    node: str
    object: str
    kind: str
    name: str
    unit: str
    derived: bool = False


class CounterSchema(BaseModel):
    """The order of a lab's counters. Sent as JSON on the run's events stream key of its own, and to each new browser."""

    run: str
    version: int
    counters: list[Counter]


def pack_packet(sent_at: float, bodies: dict[str, bytes]) -> bytes:
    packed: bytes = msgpack.packb([sent_at, bodies])
    return packed


def unpack_packet(data: bytes) -> tuple[float, dict[str, bytes]]:
    sent_at, bodies = msgpack.unpackb(data)
    return sent_at, bodies


@dataclass
class Encoder:
    """Sampler side, one per run: turns absolute values into bodies."""

    schema_version: int
    _last: list[int] | None = None
    _full_at: float = float("-inf")

    def encode(self, values: list[int], sampled_at: float, *, full: bool = False) -> bytes | None:
        """The body for this tick, None when there is nothing to say. Keeps `values`: hand over a new list each time."""
        last, self._last = self._last, values
        if full or last is None or len(last) != len(values) or sampled_at - self._full_at >= FULL_EVERY_S:
            self._full_at = sampled_at
            return full_body(self.schema_version, sampled_at, values)
        if last == values:
            return None
        pairs = [x for i, (a, b) in enumerate(zip(last, values, strict=True)) if a != b for x in (i, b - a)]
        return _pack([DELTA, self.schema_version, sampled_at, pairs])


@dataclass
class Merged:
    """Web side, one per run and process: the newest sample, whatever has been missed in between."""

    schema_version: int = -1
    sampled_at: float = 0.0
    values: list[int] = field(default_factory=list)
    number: int = 0

    def take(self, body: bytes) -> "Frame | None":
        """Merge a body; the frame to hand on, or None when it cannot be merged (then ask the host for a full one)."""
        kind, version, sampled_at, data = msgpack.unpackb(body)
        if kind == FULL:
            self.schema_version, self.values = version, data
        elif version != self.schema_version or not self.values:
            return None
        else:
            values = list(self.values)  # a copy: frames that wait to be sent share the old one
            try:
                for i in range(0, len(data), 2):
                    values[data[i]] += data[i + 1]
            except IndexError:
                return None
            self.values = values
        self.sampled_at = sampled_at
        self.number += 1
        return Frame(kind, version, self.number, sampled_at, data)

    def full(self) -> "Frame | None":
        """The newest sample as a frame, for a browser that has just come; None when there is none yet."""
        if self.schema_version < 0:
            return None
        return Frame(FULL, self.schema_version, self.number, self.sampled_at, self.values)


@dataclass(frozen=True)
class Frame:
    kind: int
    schema_version: int
    number: int
    sampled_at: float
    values: list[int]

    def to_bytes(self) -> bytes:
        return _pack([self.kind, self.schema_version, self.number, self.sampled_at, self.values])


def full_body(schema_version: int, sampled_at: float, values: list[int]) -> bytes:
    """A full body outside the chain of deltas: for the history."""
    return _pack([FULL, schema_version, sampled_at, values])


def history_frame(body: bytes) -> Frame:
    """A full body of the history as a frame for a browser: number 0, before all live ones."""
    kind, version, sampled_at, values = msgpack.unpackb(body)
    return Frame(kind, version, 0, sampled_at, values)


def _pack(message: list[Any]) -> bytes:
    packed: bytes = msgpack.packb(message)
    return packed
