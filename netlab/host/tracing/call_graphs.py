"""Calls and returns put together: one graph for each call of the functions that somebody has chosen to start from.

Pure. What one process does is one stack; an interrupt that comes meanwhile is on top of it, as on the processor.
"""

from collections.abc import Set
from dataclasses import dataclass, field

from netlab.host.tracing.ring_pages import Record

FRAME_NUMBERS = 4
"""Depth, function, nanoseconds, context."""


@dataclass
class Graph:
    """One call of a start, and what it has called in order."""

    process: int
    processor: int
    began: int = 0
    took_ns: int = 0
    frames: list[int] = field(default_factory=list)
    """FRAME_NUMBERS of each call; function is its address."""
    left_out: int = 0
    """Calls that are deeper, or more, than are kept."""
    stack: list[tuple[int, int]] = field(default_factory=list)
    """Calls that have not returned: function and place in `frames`, -1 for one that is not kept."""


class Graphs:
    def __init__(self, starts: Set[int], depth: int, frames_max: int) -> None:
        self._starts, self._depth, self._frames_max = starts, depth, frames_max
        self._open: dict[int, Graph] = {}

    def forget(self) -> None:
        """Records were lost: what is open cannot be put together any more."""
        self._open.clear()

    def take(self, record: Record, processor: int) -> Graph | None:
        """The graph that is whole with this record."""
        key = record.process or -1 - processor  # each processor has an idle process of its own, all called 0
        if record.took_ns < 0:
            self._call(key, record, processor)
            return None
        return self._back(key, record)

    def _call(self, key: int, record: Record, processor: int) -> None:
        graph = self._open.get(key)
        if graph is None:
            if record.function not in self._starts:
                return
            graph = self._open[key] = Graph(record.process, processor)
        place, depth = -1, len(graph.stack)
        if depth < self._depth and len(graph.frames) < self._frames_max * FRAME_NUMBERS:
            place = len(graph.frames)
            graph.frames += (depth, record.function, 0, record.context)
        else:
            graph.left_out += 1
        graph.stack.append((record.function, place))

    def _back(self, key: int, record: Record) -> Graph | None:
        graph = self._open.get(key)
        if graph is None or all(function != record.function for function, _ in graph.stack):
            return None
        while True:
            function, place = graph.stack.pop()
            if function == record.function:
                break
        if place >= 0:
            graph.frames[place + 2] = record.took_ns
        if graph.stack:
            return None
        del self._open[key]
        graph.began, graph.took_ns = record.began, record.took_ns
        return graph
