"""The last two seconds of one run's counters in the agent's memory: what a check is told when it asks for a rate.

Fed by the client with the bodies that go to the browsers too; asks nobody.
"""

from collections import deque

from netlab.host.counters.api import Reading
from netlab.wire.counters import CounterSchema, Merged

WINDOW_S = 2.0
JITTER_S = 0.05
"""Ticks are not exact: a sample so much younger than the window's beginning still is its beginning."""
STALE_S = 5.0
"""Older than this, a reading says nothing about now (the sampler is being restarted)."""


class Recent:
    def __init__(self) -> None:
        self._merged = Merged()
        self._index: dict[tuple[str, str, str], int] = {}
        self._version = -1
        self._samples: deque[tuple[float, list[int]]] = deque()

    def take_schema(self, schema: CounterSchema) -> None:
        self._index = {(c.node, c.object, c.name): i for i, c in enumerate(schema.counters)}
        self._version = schema.version
        self._samples.clear()

    def take(self, sampled_at: float, body: bytes | None) -> bool:
        """A tick's body, None for 'nothing has changed'. False when it cannot be understood without a full one."""
        if body is not None and self._merged.take(body) is None:
            return False
        if self._merged.schema_version != self._version:
            return body is None
        self._samples.append((sampled_at, self._merged.values))
        while len(self._samples) > 1 and self._samples[1][0] <= sampled_at - WINDOW_S + JITTER_S:
            self._samples.popleft()
        return True

    def reading(self, node: str, object_name: str, counter: str, now: float) -> Reading | None:
        """The counter now; None when the lab has no such counter or nothing fresh is known."""
        at = self._index.get((node, object_name, counter))
        if at is None or not self._samples or now - self._samples[-1][0] > STALE_S:
            return None
        (begin_at, begin), (end_at, end) = self._samples[0], self._samples[-1]
        elapsed_s = end_at - begin_at
        return Reading(end[at], max(0.0, (end[at] - begin[at]) / elapsed_s) if elapsed_s > 0 else 0.0)
