"""The last two seconds of one run's counters in the agent's memory: what a check is told when it asks for a rate.

Fed by the client with the bodies that go to the browsers too; asks nobody.
"""

from collections import deque
from collections.abc import Sequence

from netlab.host.counters.api import Reading
from netlab.wire.counters import CounterSchema, Merged, is_full

WINDOW_S = 2.0
JITTER_S = 0.05
"""Ticks are not exact: a sample so much younger than the window's beginning still is its beginning."""
FROM_NOTHING = frozenset({"drop", "event", "page_pool"})
"""Kinds of counters that are there as soon as they are not 0."""
STALE_S = 5.0
"""Older than this, a reading says nothing about now (the sampler is being restarted)."""


class Recent:
    """Bodies are kept as they came: few runs are asked about, and only then are they worth being taken apart."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, bytes | None]] = deque()
        self._full_at: deque[float] = deque()
        """When those of `_waiting` that are full were sampled."""
        self._began = False
        self._merged = Merged()
        self._index: dict[tuple[str, str, str], int] = {}
        self._version = -1
        self._samples: deque[tuple[float, Sequence[int | None]]] = deque()

    def take_schema(self, schema: CounterSchema) -> None:
        """What is known of counters that the new schema has, too, stays: there is a new one whenever something happens first."""
        self._take_waiting()
        before, self._index = self._index, {(c.node, c.object, c.name): i for i, c in enumerate(schema.counters)}
        self._version = schema.version
        old = [(before.get((c.node, c.object, c.name)), 0 if c.kind in FROM_NOTHING else None) for c in schema.counters]
        self._samples = deque(
            (at, [absent if i is None else values[i] for i, absent in old]) for at, values in self._samples
        )

    def take(self, sampled_at: float, body: bytes | None) -> bool:
        """A tick's body, None for 'nothing has changed'. False when it cannot be understood without a full one."""
        self._waiting.append((sampled_at, body))
        if body is not None and is_full(body):
            self._began = True
            self._full_at.append(sampled_at)
            self._forget_old(sampled_at - WINDOW_S - JITTER_S)
        return self._began or body is None

    def _forget_old(self, since: float) -> None:
        """What came before a full body that is older than the window is of no use any more."""
        while len(self._full_at) > 1 and self._full_at[1] <= since:
            self._full_at.popleft()
        while self._waiting[0][0] < self._full_at[0]:
            self._waiting.popleft()

    def _take_waiting(self) -> None:
        self._full_at.clear()
        while self._waiting:
            sampled_at, body = self._waiting.popleft()
            if body is not None and self._merged.take(body) is None:
                self._began = False
            elif self._merged.schema_version == self._version:
                self._samples.append((sampled_at, self._merged.values))
                while len(self._samples) > 1 and self._samples[1][0] <= sampled_at - WINDOW_S + JITTER_S:
                    self._samples.popleft()

    def reading(self, node: str, object_name: str, counter: str, now: float) -> Reading | None:
        """The counter now; None when the lab has no such counter or nothing fresh is known."""
        self._take_waiting()
        at = self._index.get((node, object_name, counter))
        if at is None or not self._samples or now - self._samples[-1][0] > STALE_S:
            return None
        known = [(sampled_at, value) for sampled_at, values in self._samples if (value := values[at]) is not None]
        if not known:
            return None
        (begin_at, begin), (end_at, end) = known[0], known[-1]
        elapsed_s = end_at - begin_at
        return Reading(end, max(0.0, (end - begin) / elapsed_s) if elapsed_s > 0 else 0.0)
