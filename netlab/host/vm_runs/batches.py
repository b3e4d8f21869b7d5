"""Gathers what many guests say of their counters at about the same time into one tick of the host's, as a sampler would.

An outlet before the host's outlet, made by the `vm` runtime. Events, terminals and blobs go straight through.
"""

import asyncio

from netlab.host.runtimes.base import Outlet
from netlab.wire.counters import CounterSchema
from netlab.wire.events import Event

TICK_S = 0.05
HISTORY_TICK_S = 0.5


class Batch:
    """Bodies by run; a run's second one sends the first on its way, so that none is lost and none overtakes."""

    def __init__(self, tick_s: float, outlet: Outlet, history: bool) -> None:
        self._tick_s = tick_s
        self._hand_on = outlet.counter_history if history else outlet.counters
        self._bodies: dict[str, bytes] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, bodies: dict[str, bytes]) -> None:
        if not self._bodies.keys().isdisjoint(bodies):
            self._flush()
        self._bodies |= bodies
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._tick_s, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        bodies, self._bodies = self._bodies, {}
        if bodies:
            self._hand_on(bodies)


class BatchingOutlet:
    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._ticks, self._history = Batch(TICK_S, outlet, False), Batch(HISTORY_TICK_S, outlet, True)

    def event(self, event: Event) -> None:
        self._outlet.event(event)

    def terminal_output(self, terminal: str, end_offset: int, data: bytes) -> None:
        self._outlet.terminal_output(terminal, end_offset, data)

    def counter_schema(self, schema: CounterSchema) -> None:
        self._outlet.counter_schema(schema)

    def counters(self, bodies: dict[str, bytes]) -> None:
        self._ticks.add(bodies)

    def counter_history(self, bodies: dict[str, bytes]) -> None:
        self._history.add(bodies)

    def blob(self, command: str, data: bytes) -> None:
        self._outlet.blob(command, data)
