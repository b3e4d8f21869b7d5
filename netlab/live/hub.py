"""The fan-out of one web process: what Redis says once is handed to every socket that serves the same run.

Sockets register a `RunListener` and get events in order and counter frames; the hub reads each run's stream once,
merges each lab's counters once, encodes each frame once. It never queues, never awaits a browser, never touches the
database: a listener takes what it can and drops the rest.
"""

import asyncio
import json
import weakref
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import structlog
from redis.exceptions import RedisError

from netlab.config import load_config
from netlab.live.subscriptions import Listener, Subscriptions
from netlab.live.tally import tally
from netlab.wire.counters import CounterSchema, Frame, Merged, unpack_packet
from netlab.wire.events import HIDDEN_FROM_BROWSERS
from netlab.wire.redis_names import REPORT_EVERY_S, WATCH_REFRESH_S
from netlab.wire.streams import WebStreams, connect

ASK_FULL_EVERY_S = 1.0
RETRY_S = 1.0

Rate = Literal["fast", "slow", "off"]
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class StreamEvent:
    """One event of a run: `fields` to look at, `text` to send (the websocket message, encoded once for everybody)."""

    id: str
    fields: dict[str, Any]
    text: str

    @property
    def kind(self) -> str:
        return str(self.fields.get("kind"))

    @property
    def hidden(self) -> bool:
        return self.kind in HIDDEN_FROM_BROWSERS


def stream_event(entry_id: str, data: bytes) -> StreamEvent:
    text = f'{{"type":"event","id":"{entry_id}","event":{data.decode()}}}'
    return StreamEvent(entry_id, json.loads(data), text)


def id_key(entry_id: str) -> tuple[int, int]:
    """Stream ids compare as two numbers. Raises ValueError for what is none."""
    ms, _, number = entry_id.partition("-")
    return int(ms), int(number or 0)


class RunListener(Protocol):
    """A socket's side. All are called from the event loop and must not block."""

    rate: Rate

    def offer_event(self, event: StreamEvent) -> None: ...

    def offer_live(self, text: str) -> None:
        """The websocket message of an event that is kept nowhere."""

    def offer_frame(self, frame: Frame, data: bytes) -> None: ...

    def events_lost(self) -> None:
        """Redis no longer holds what followed the last event: the browser must start from a snapshot."""


@dataclass(eq=False)
class ServedRun:
    """A run that at least one socket of this process looks at. It is the listener of its wake channel."""

    hub: "Hub"
    id: str
    host: str = ""
    listeners: set[RunListener] = field(default_factory=set)
    merged: Merged = field(default_factory=Merged)
    schema: CounterSchema | None = None
    position: str = "0"
    """The newest event that has been handed out."""
    ready: asyncio.Task[None] | None = None
    asked_full_at: float = float("-inf")
    _unread: bool = False
    _check: bool = False
    _reader: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self.hub.subscriptions.add(self.wake_channel, self)
        self.position = await self.hub.streams.last_event_id(self.id)

    @property
    def wake_channel(self) -> str:
        return self.hub.streams.keys.run_wake(self.id)

    def message(self, data: bytes) -> None:
        """Empty: there is a new event to be read. Otherwise it is one that is only shown while it happens."""
        if data:
            for listener in tuple(self.listeners):
                listener.offer_live(f'{{"type":"live","event":{data.decode()}}}')
            return
        self._unread = True
        if self._reader is None:
            self._reader = self.hub.spawn(self._read())

    def restored(self) -> None:
        self._check = True
        self.message(b"")

    async def _read(self) -> None:
        try:
            while self._unread:
                self._unread = False
                try:
                    await self._read_once()
                except (RedisError, OSError) as error:
                    log.warning("events_unreadable", run=self.id, error=str(error))
                    self._unread = bool(self.listeners)
                    await asyncio.sleep(RETRY_S)
        finally:
            self._reader = None

    async def _read_once(self) -> None:
        if self._check and self.position != "0":
            entries = await self.hub.streams.resume_events(self.id, self.position)
        else:
            entries = await self.hub.streams.events_after(self.id, self.position)
        self._check = False
        if entries is None:  # Redis came back without what it had
            self.position = await self.hub.streams.last_event_id(self.id)
            for listener in tuple(self.listeners):
                listener.events_lost()
            return
        for entry_id, data in entries:
            event = stream_event(entry_id, data)
            self.position = entry_id
            if not event.hidden:
                for listener in tuple(self.listeners):
                    listener.offer_event(event)

    def take_counters(self, body: bytes) -> None:
        """Merge once, encode once, offer to all."""
        try:
            frame = self.merged.take(body)
        except (ValueError, IndexError, TypeError) as error:  # a sampler of another version: no reason to stop the others
            log.warning("counters_unreadable", run=self.id, error=str(error))
            self.forget_counters()
            frame = None
        if frame is None:
            self.ask_full()
            return
        data = frame.to_bytes()
        for listener in self.listeners:
            listener.offer_frame(frame, data)

    def forget_counters(self) -> None:
        """Deltas were missed: nothing can be merged before the next full sample. Numbers go on."""
        self.merged = Merged(number=self.merged.number)

    def ask_full(self) -> None:
        now = asyncio.get_running_loop().time()
        if self.host and now - self.asked_full_at >= ASK_FULL_EVERY_S:
            self.asked_full_at = now
            self.hub.spawn(self.hub.streams.ask_full_sample(self.host, self.id))

    async def schema_of(self, version: int) -> CounterSchema | None:
        """The schema of that version; None while Redis has another one."""
        if self.schema is None or self.schema.version != version:
            self.schema = await self.hub.streams.schema(self.id)
        return self.schema if self.schema is not None and self.schema.version == version else None


@dataclass(eq=False)
class ServedHost:
    """A host whose counters this process gets: one PUBLISH a tick with all its labs."""

    hub: "Hub"
    name: str
    runs: dict[str, ServedRun] = field(default_factory=dict)

    def message(self, data: bytes) -> None:
        _, bodies = unpack_packet(data)
        if len(bodies) < len(self.runs):
            for run, body in bodies.items():
                if run in self.runs:
                    self.runs[run].take_counters(body)
        else:
            for run, served in self.runs.items():
                if run in bodies:
                    served.take_counters(bodies[run])

    def restored(self) -> None:
        for served in self.runs.values():
            served.forget_counters()
            served.ask_full()


class Hub:
    """One per process (per event loop, to be exact); `hub()` gives it."""

    def __init__(self, streams: WebStreams) -> None:
        self.streams = streams
        self.subscriptions = Subscriptions(streams.client)
        self._runs: dict[str, ServedRun] = {}
        self._hosts: dict[str, ServedHost] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._watcher: asyncio.Task[None] | None = None
        self._reporter: asyncio.Task[None] | None = None

    async def join(self, run: str, host: str, listener: RunListener) -> ServedRun:
        """From the return on the listener gets every event that is newer than what the stream holds now."""
        served = self._runs.get(run)
        if served is None:
            served = self._runs[run] = ServedRun(self, run)
            served.ready = asyncio.create_task(served.open())
        served.listeners.add(listener)
        try:
            assert served.ready is not None
            await asyncio.shield(served.ready)
            await self.set_host(served, host)
        except BaseException:
            self.leave(served, listener)
            raise
        if self._watcher is None:
            self._watcher = self.spawn(self._keep_watched())
            self._reporter = self.spawn(self._keep_reporting())
        return served

    def leave(self, served: ServedRun, listener: RunListener) -> None:
        served.listeners.discard(listener)
        if served.listeners or self._runs.get(served.id) is not served:
            return
        del self._runs[served.id]
        if served.ready is not None:
            served.ready.cancel()
        self.subscriptions.remove(served.wake_channel, served)
        self._leave_host(served)

    async def set_host(self, served: ServedRun, host: str) -> None:
        """The run is on this host (now): its counters come from there."""
        if host == served.host:
            return
        self._leave_host(served)
        served.host = host
        if not host:
            return
        there = self._hosts.setdefault(host, ServedHost(self, host))
        there.runs[served.id] = served
        await self.subscriptions.add(self.streams.keys.counters(host), there)

    def _leave_host(self, served: ServedRun) -> None:
        there = self._hosts.get(served.host)
        served.host = ""
        if there is None:
            return
        there.runs.pop(served.id, None)
        if not there.runs:
            del self._hosts[there.name]
            self.subscriptions.remove(self.streams.keys.counters(there.name), there)

    async def listen(self, channel: str, listener: Listener) -> None:
        """A channel of one socket's own: a terminal's live bytes."""
        await self.subscriptions.add(channel, listener)

    def unlisten(self, channel: str, listener: Listener) -> None:
        self.subscriptions.remove(channel, listener)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A background task whose end is looked at: Redis away is a warning, anything else a bug."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, (RedisError, OSError)):
            log.warning("redis_away", error=str(error))
        else:
            log.error("hub_task_failed", exc_info=error)

    async def _keep_watched(self) -> None:
        """The agent samples a run fast while its watch key lives."""
        while True:
            watched = [run for run, served in self._runs.items() if any(each.rate != "off" for each in served.listeners)]
            try:
                for run in watched:
                    await self.streams.watch(run)
            except (RedisError, OSError) as error:
                log.warning("watch_failed", error=str(error))
            await asyncio.sleep(WATCH_REFRESH_S)

    async def _keep_reporting(self) -> None:
        """For the metrics, from the first socket on."""
        while True:
            try:
                await self.streams.report_web(tally.report())
            except (RedisError, OSError) as error:
                log.warning("report_failed", error=str(error))
            await asyncio.sleep(REPORT_EVERY_S)

    async def close(self) -> None:
        """Only tests end a hub before its process."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.subscriptions.close()
        await self.streams.client.aclose()


_hubs: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]" = weakref.WeakKeyDictionary()


def hub() -> Hub:
    """The running loop's hub, made at its first use."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        config = load_config()
        _hubs[loop] = Hub(WebStreams(connect(config.redis_url), config.instance))
    return _hubs[loop]


async def close_hub() -> None:
    """End the running loop's hub, if there is one."""
    ended = _hubs.pop(asyncio.get_running_loop(), None)
    if ended is not None:
        await ended.close()
