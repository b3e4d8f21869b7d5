"""Counter samples: how the sampler packs a lab's numbers, how a web process merges them, what a browser gets.

A counter is (node, object, kind, name, unit), with words where its name does not say enough. A lab's counters have a
fixed order, its *schema*, which changes only when there are others than before, and then gets a new version. Values are
absolute non-negative integers; a delta is only an encoding.

    packet    one PUBLISH per host and tick: MessagePack [sent_at, {run: body, ...}]
    body      [FULL, schema_version, sampled_at, [value, ...]]               at subscribe, every 10 s, on request
              [DELTA, schema_version, sampled_at, [index, difference, ...]]  in between; absent when nothing changed,
                                                                                 unless the schema says `every_tick`
    frame     to a browser, binary: MessagePack [kind, schema_version, number, sampled_at, values as in the body]

`sampled_at` is Unix time in seconds (float). A browser that misses a `number`, or sees a delta of a schema version it
does not have, asks for a full frame and goes on; nothing queues.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgpack
from pydantic import BaseModel, ConfigDict

FULL = 0
DELTA = 1
FULL_EVERY_S = 10.0
FAST_TICK_S = 0.1
SLOW_TICK_S = 1.0
HISTORY_S = 60
VALUE_MAX = 2**63 - 1
"""Differences of two must fit into 64 bits, too."""


class Counter(BaseModel):
    """`kind`: interface, xdp, drop, event, ... (open for what comes); `unit`: packets, bytes, or 1. `derived`: computed, not
    counted. `words`: what it means, where a browser cannot know it."""

    model_config = ConfigDict(frozen=True)

    node: str
    object: str
    kind: str
    name: str
    unit: str
    derived: bool = False
    words: str = ""


class CounterSchema(BaseModel):
    """The order of a lab's counters. Sent as JSON on the run's events stream key of its own, and to each new browser."""

    run: str
    version: int
    counters: list[Counter]
    every_tick: bool = False
    """Ticks are dear and come when they can (a guest on a processor made of software), so each is told, also one in which
    nothing has moved: between two samples counters went steadily. Otherwise what is not told did not move."""


def pack_packet(sent_at: float, bodies: dict[str, bytes]) -> bytes:
    packed: bytes = msgpack.packb([sent_at, bodies])
    return packed


def unpack_packet(data: bytes) -> tuple[float, dict[str, bytes]]:
    sent_at, bodies = msgpack.unpackb(data)
    return sent_at, bodies


@dataclass
class Encoder:
    """Sampler side, one per schema of a run: keeps its values, and turns what has changed since the last body into the next."""

    schema_version: int
    every_tick: bool = False
    values: "array[int]" = field(default_factory=partial(array, "q"))
    """In the schema's order. Change them by `put`. As bare numbers: hundreds of labs' are gone through in every tick, and lie
    a quarter as far apart as Python's."""
    _changes: dict[int, int] = field(default_factory=dict)
    """Index: difference since the last body."""
    _full_at: float = float("-inf")

    def put(self, at: int, values: Sequence[int]) -> None:
        """The newest values from index `at` on; those beyond the last are new ones, before the first body only."""
        own, changes = self.values, self._changes
        try:
            if at == len(own):
                own.extend(array("q", values))
                return
            for index, value in enumerate(values, at):
                before = own[index]
                if value != before:
                    own[index] = value
                    changes[index] = changes.get(index, 0) + value - before
        except OverflowError:  # no counter of ours gets there, whatever was read
            self.put(at, [min(value, VALUE_MAX) for value in values])

    def body(self, sampled_at: float, *, full: bool = False) -> bytes | None:
        """The body for this tick, None when there is nothing to say (an empty delta with `every_tick`)."""
        if full or sampled_at - self._full_at >= FULL_EVERY_S:
            self._full_at = sampled_at
            self._changes.clear()
            return full_body(self.schema_version, sampled_at, self.values)
        if not self._changes and not self.every_tick:
            return None
        pairs = [x for change in self._changes.items() for x in change]
        self._changes.clear()
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


def full_body(schema_version: int, sampled_at: float, values: Iterable[int]) -> bytes:
    """A full body outside the chain of deltas: for the history."""
    return _pack([FULL, schema_version, sampled_at, list(values)])


def is_full(body: bytes) -> bool:
    """Whether a body needs none before it. Looks at one byte: an array's head is one in MessagePack, and so is a small number."""
    return body[1] == FULL


def history_frame(body: bytes) -> Frame:
    """A full body of the history as a frame for a browser: number 0, before all live ones."""
    kind, version, sampled_at, values = msgpack.unpackb(body)
    return Frame(kind, version, 0, sampled_at, values)


def _pack(message: list[Any]) -> bytes:
    packed: bytes = msgpack.packb(message)
    return packed
