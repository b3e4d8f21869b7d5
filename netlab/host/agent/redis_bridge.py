"""The outlet of a runtime into Redis: what the engine tells is queued here and written in order, also across restarts.

Events are kept until Redis has taken them; terminal output waits in the PTYs (the bridge asks for that). Of counters a few ticks
wait; when more have to be dropped, full samples are asked for, since a difference says nothing without the one before. The
engine's side of it never waits.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence

from redis.exceptions import RedisError

from netlab.wire.counters import CounterSchema, pack_packet
from netlab.wire.events import LIVE_ONLY, Event
from netlab.wire.streams import HostStreams, TerminalChunk
from netlab.wire.terminals import CHUNK_BYTES

log = logging.getLogger(__name__)

EVENTS_WAITING_MAX = 50_000
"""While Redis is away; beyond it the oldest are dropped and that is logged. An hour of a busy room is about 20 000."""
BATCH_MAX = 200
BATCH_BYTES_MAX = 1 << 20
RETRY_AFTER_S = 0.3
HISTORY_WAITING_MAX = 5
TICKS_WAITING_MAX = 8
AWAY = (RedisError, OSError, TimeoutError)


class RedisBridge:
    """Outlet of `runtimes.base`. `hold_terminals` is called with True when Redis is away, with False when it is back;
    `want_full` with each run of which counters were dropped."""

    def __init__(
        self, streams: HostStreams, hold_terminals: Callable[[bool], None], want_full: Callable[[str], None] = lambda run: None
    ) -> None:
        self._streams, self._hold_terminals, self._want_full = streams, hold_terminals, want_full
        self._waiting: deque[Event | TerminalChunk] = deque()
        self._schemas: dict[str, CounterSchema] = {}
        self._blobs: deque[tuple[str, bytes]] = deque()
        self._ticks: deque[dict[str, bytes]] = deque()
        self._history: deque[dict[str, bytes]] = deque(maxlen=HISTORY_WAITING_MAX)
        self._dropped = 0
        self._away = False
        self._more = asyncio.Event()
        self._more_counters = asyncio.Event()

    # --- Outlet

    def event(self, event: Event) -> None:
        if self._away and event.kind in LIVE_ONLY:
            return
        if len(self._waiting) >= EVENTS_WAITING_MAX:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(event)
        self._more.set()

    def terminal_output(self, terminal: str, end_offset: int, data: bytes) -> None:
        last = self._waiting[-1] if self._waiting else None
        if isinstance(last, TerminalChunk) and last.terminal == terminal and len(last.data) + len(data) <= CHUNK_BYTES:
            self._waiting[-1] = TerminalChunk(terminal, end_offset, last.data + data)
        else:
            self._waiting.append(TerminalChunk(terminal, end_offset, data))
        self._more.set()

    def blob(self, command: str, data: bytes) -> None:
        self._blobs.append((command, data))
        self._more.set()

    def counter_schema(self, schema: CounterSchema) -> None:
        self._schemas[schema.run] = schema
        self._more_counters.set()

    def counters(self, bodies: dict[str, bytes]) -> None:
        """Runs on the host's kernel and in guests have ticks of their own: they share a packet while none has two in it."""
        if self._ticks and self._ticks[-1].keys().isdisjoint(bodies):
            self._ticks[-1] |= bodies
        else:
            self._ticks.append(dict(bodies))
        if len(self._ticks) > TICKS_WAITING_MAX:
            self._drop_ticks()
        self._more_counters.set()

    def _drop_ticks(self) -> None:
        runs = {run for bodies in self._ticks for run in bodies}
        self._ticks.clear()
        for run in sorted(runs):
            self._want_full(run)

    def counter_history(self, bodies: dict[str, bytes]) -> None:
        self._history.append(bodies)
        self._more_counters.set()

    # --- writing

    async def write_messages(self) -> None:
        """Events, terminal output, blobs. Ends never; cancelled at the end of the agent, after `flush`."""
        while True:
            await self._more.wait()
            self._more.clear()
            while self._waiting or self._blobs:
                if not await self._write_batch():
                    await asyncio.sleep(RETRY_AFTER_S)

    async def _write_batch(self) -> bool:
        """One exchange, blobs first: the event that tells of a blob comes after it. False when Redis did not take it."""
        batch: list[Event | TerminalChunk] = []
        try:
            while self._blobs:
                await self._streams.put_blob(*self._blobs[0])
                self._blobs.popleft()
            batch = self._take_batch()
            await self._streams.publish_many(batch)
        except AWAY as error:
            self._waiting.extendleft(reversed(batch))
            self._went_away(error)
            return False
        except asyncio.CancelledError:
            self._waiting.extendleft(reversed(batch))
            raise
        self._came_back()
        return True

    def _take_batch(self) -> list[Event | TerminalChunk]:
        batch: list[Event | TerminalChunk] = []
        size = 0
        while self._waiting and len(batch) < BATCH_MAX and size < BATCH_BYTES_MAX:
            message = self._waiting.popleft()
            size += len(message.data) if isinstance(message, TerminalChunk) else 500
            batch.append(message)
        return batch

    def _went_away(self, error: BaseException) -> None:
        if not self._away:
            self._away = True
            log.warning("Redis is away (%s): events are kept, terminals wait", error)
            self._hold_terminals(True)

    def _came_back(self) -> None:
        if self._away:
            self._away = False
            log.warning("Redis is back; %d events had to be dropped", self._dropped)
            self._dropped = 0
            self._hold_terminals(False)

    async def write_counters(self) -> None:
        """Samples, their schemas before them, and history, beside the messages. Ends never."""
        while True:
            await self._more_counters.wait()
            self._more_counters.clear()
            try:
                await self._write_counters()
            except AWAY:
                self._drop_ticks()
                await asyncio.sleep(RETRY_AFTER_S)

    async def _write_counters(self) -> None:
        while self._schemas:
            run, schema = next(iter(self._schemas.items()))
            await self._streams.put_schema(schema)
            if self._schemas.get(run) is schema:
                del self._schemas[run]
        while self._ticks:
            bodies = self._ticks.popleft()
            try:
                await self._streams.publish_counters(pack_packet(time.time(), bodies))
            except AWAY:
                self._ticks.appendleft(bodies)
                raise
        while self._history:
            await self._streams.append_history(self._history.popleft())

    async def flush(self, within_s: float) -> None:
        """Write what is waiting, before the agent ends."""
        try:
            async with asyncio.timeout(within_s):
                while self._waiting or self._blobs:
                    if not await self._write_batch():
                        await asyncio.sleep(RETRY_AFTER_S)
        except TimeoutError:
            log.error("ended with %d messages that Redis did not take", len(self._waiting))

    def waiting(self) -> Sequence[Event | TerminalChunk]:
        return tuple(self._waiting)
