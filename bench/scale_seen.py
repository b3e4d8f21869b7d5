"""What the viewers of bench/scale.py have seen: their newest values, how long packets took to them, the sampler's pace. Pure.

Fed with what bench/scale_viewers.py has written down. It merges frames as the page does, and asks for nothing anew: what a viewer
was not sent it does not know.
"""

import json
import time
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import msgpack

from bench.scale_lab import MARKED
from netlab.wire.counters import DELTA, FAST_TICK_S, FULL

LATE_TICKS = 1.5
MARK_SEEN_WITHIN_S = 0.9
"""Marks of a lab come at least so far apart that the next one is another."""
Key = tuple[str, str, str]


@dataclass
class Seen:
    """One viewer."""

    run: str
    values: list[int] = field(default_factory=list)
    index: dict[Key, int] = field(default_factory=dict)
    sampled: list[float] = field(default_factory=list)
    """When what it got was sampled, Unix time; and the lag of each until it was here."""
    lags_s: list[float] = field(default_factory=list)
    refused: str = ""
    """What it was told before its connection was closed, if it was."""
    gaps: int = 0
    """Deltas that followed on none that it knew."""
    marked: list[float] = field(default_factory=list)
    """When something arrived in which the marked counter was another one than before."""
    _version: int = -1
    _number: int = -1
    _marked_at: int | None = None
    _marked: int = 0

    def take(self, arrived: Iterable[tuple[float, Any]]) -> None:
        for at, message in arrived:
            if isinstance(message, bytes):
                self._frame(at, *msgpack.unpackb(message))
            elif message.startswith('{"type":"schema"'):
                self._schema(json.loads(message)["schema"])
            elif message.startswith('{"type": "error"') or message.startswith('{"type":"error"'):
                self.refused = message

    def _schema(self, schema: dict[str, Any]) -> None:
        self.index = {
            (c["node"], c["object"], c["name"]): at for at, c in enumerate(schema["counters"]) if c["kind"] == "interface"
        }
        self._marked_at = self.index.get(MARKED)
        self._version, self.values = schema["version"], []

    def _frame(self, at: float, kind: int, version: int, number: int, sampled_at: float, data: list[int]) -> None:
        if number == 0:  # history
            return
        if kind == FULL and version == self._version:
            self.values = data
        elif kind == DELTA and version == self._version and number == self._number + 1 and self.values:
            for i in range(0, len(data), 2):
                self.values[data[i]] += data[i + 1]
        else:
            self.gaps += 1
            self.values = []
        self._number = number
        self.sampled.append(sampled_at)
        self.lags_s.append(at - sampled_at)
        if self._marked_at is not None and self.values and self.values[self._marked_at] != self._marked:
            self._marked = self.values[self._marked_at]
            self.marked.append(at)

    def value(self, key: Key) -> int | None:
        return self.values[self.index[key]] if key in self.index and self.values else None

    def story(self) -> str:
        """What came to it, for whoever asks why it knows nothing."""
        last = f"the last {time.time() - self.sampled[-1]:.1f} s ago, number {self._number}" if self.sampled else "none"
        return f"run {self.run}, schema {self._version}, {len(self.sampled)} frames, {last}, {self.gaps} gaps; {self.refused}"

    def mark_lags_s(self, sent: Sequence[float]) -> list[float]:
        """From a mark's sending until it was read; MARK_SEEN_WITHIN_S for one that was not."""
        lags = []
        for at in sent:
            place = bisect_right(self.marked, at)
            lag = self.marked[place] - at if place < len(self.marked) else MARK_SEEN_WITHIN_S
            lags.append(min(lag, MARK_SEEN_WITHIN_S))
        return lags


@dataclass(frozen=True)
class Pace:
    """The sampler's: `late_percent` of its ticks came more than one and a half ticks after the one before."""

    per_s: float
    late_percent: float
    longest_ms: float


def pace(seen: Iterable[Seen], begin: float, end: float) -> Pace:
    """All labs are sampled by one tick, so what all viewers have seen says when there was one."""
    ticks = sorted({at for one in seen for at in one.sampled if begin <= at <= end})
    gaps = [after - before for before, after in pairwise(ticks)] or [float("inf")]
    late = sum(gap > LATE_TICKS * FAST_TICK_S for gap in gaps)
    return Pace(len(ticks) / (end - begin), late / len(gaps) * 100, max(gaps) * 1000)
