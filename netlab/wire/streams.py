"""Redis: reading and writing netlab's streams, channels and keys (`redis_names`). Used by the agent, the projector and the web.

Everything here is asyncio except `SyncStreams`, the few calls that Django's synchronous code makes.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import redis
import redis.asyncio
from redis.exceptions import ResponseError

from netlab.wire.counters import HISTORY_S, CounterSchema
from netlab.wire.events import HIDDEN_FROM_BROWSERS, Event
from netlab.wire.host_report import HostReport
from netlab.wire.redis_names import (
    AGENT_GROUP,
    BLOB_EXPIRE_S,
    ENDED_EXPIRE_S,
    EVENTS_MAX,
    HOST_EVENTS_MAX,
    INBOX_BLOCK_MS,
    INBOX_MAX,
    PROJECTOR_GROUP,
    REPORT_EXPIRE_S,
    TERMINAL_ENTRIES_MAX,
    WATCH_EXPIRE_S,
    Keys,
)
from netlab.wire.redis_replies import by_stream, entries_of, offset_of, rows_of
from netlab.wire.terminals import SCROLLBACK_BYTES, TerminalMessage, terminal_message

_OFFSET = struct.Struct(">Q")


def connect(url: str) -> "redis.asyncio.Redis":
    """A pool that survives restarts of Redis: commands are retried, sockets checked."""
    tcp_only = {} if url.startswith("unix:") else {"socket_keepalive": True}
    client: redis.asyncio.Redis = redis.asyncio.from_url(url, health_check_interval=15, retry_on_timeout=True, **tcp_only)
    return client


# --- the host's side -------------------------------------------------------------------------------------------------


class HostStreams:
    """What an agent writes and reads."""

    def __init__(self, client: "redis.asyncio.Redis", instance: str, host: str) -> None:
        self.client, self.keys, self.host = client, Keys(instance), host

    async def publish_event(self, event: Event) -> None:
        await self.publish_many([event])

    async def publish_terminal(self, terminal: str, end_offset: int, data: bytes) -> None:
        await self.publish_many([TerminalChunk(terminal, end_offset, data)])

    async def publish_many(self, messages: "Sequence[Event | TerminalChunk]") -> None:
        """Events and terminal output in their order, in one exchange. May be repeated with the same messages after a lost
        connection: output that is there already stays as it is, an event may then be there twice."""
        pipe = self.client.pipeline(transaction=False)
        for message in messages:
            if isinstance(message, TerminalChunk):
                self._add_terminal(pipe, message)
            else:
                self._add_event(pipe, message)
        for result in await pipe.execute(raise_on_error=False):
            if isinstance(result, Exception) and not _is_there_already(result):
                raise result

    def _add_event(self, pipe: Any, event: Event) -> None:
        data = event.model_dump_json()
        hidden = event.kind in HIDDEN_FROM_BROWSERS  # a file's whole text: thousands of them are no history for a browser
        if not hidden:
            pipe.xadd(self.keys.run_events(event.run), {"e": data}, maxlen=EVENTS_MAX, approximate=True)
        pipe.xadd(self.keys.host_events(self.host), {"e": data}, maxlen=HOST_EVENTS_MAX, approximate=True)
        if hidden:
            return
        pipe.publish(self.keys.run_wake(event.run), b"")
        pipe.expire(self.keys.run_events(event.run), ENDED_EXPIRE_S)

    def _add_terminal(self, pipe: Any, chunk: "TerminalChunk") -> None:
        """The newest SCROLLBACK_BYTES are kept."""
        out = self.keys.terminal_out(chunk.terminal)
        pipe.xadd(out, {"d": chunk.data}, id=f"{chunk.end_offset}-0", maxlen=TERMINAL_ENTRIES_MAX, approximate=True)
        pipe.xtrim(out, minid=f"{max(0, chunk.end_offset - SCROLLBACK_BYTES)}-0", approximate=True)
        pipe.publish(self.keys.terminal_live(chunk.terminal), _OFFSET.pack(chunk.end_offset) + chunk.data)
        pipe.expire(out, ENDED_EXPIRE_S)

    async def terminal_end_offset(self, terminal: str) -> int:
        """Where an adopted terminal's output goes on: 0 for one that never said anything."""
        entries = rows_of(await self.client.xrevrange(self.keys.terminal_out(terminal), count=1))
        return offset_of(entries[0][0]) if entries else 0

    async def drop_terminal(self, terminal: str) -> None:
        await self.client.delete(self.keys.terminal_out(terminal))

    async def publish_counters(self, packet: bytes) -> None:
        await self.client.publish(self.keys.counters(self.host), packet)

    async def append_history(self, bodies: dict[str, bytes]) -> None:
        """Full bodies, once a second."""
        pipe = self.client.pipeline(transaction=False)
        for run, body in bodies.items():
            pipe.xadd(self.keys.history(run), {"b": body}, maxlen=HISTORY_S, approximate=False)
            pipe.expire(self.keys.history(run), HISTORY_S * 5)
        await pipe.execute()

    async def put_schema(self, schema: CounterSchema) -> None:
        await self.client.set(self.keys.schema(schema.run), schema.model_dump_json(), ex=ENDED_EXPIRE_S)

    async def watched(self, runs: list[str]) -> set[str]:
        if not runs:
            return set()
        values = await self.client.mget([self.keys.watch(run) for run in runs])
        return {run for run, value in zip(runs, values, strict=True) if value is not None}

    async def put_blob(self, command: str, data: bytes) -> None:
        await self.client.set(self.keys.blob(command), data, ex=BLOB_EXPIRE_S)

    async def report(self, report: HostReport) -> None:
        await self.client.set(self.keys.report(report.host), report.model_dump_json(), ex=REPORT_EXPIRE_S)

    async def inbox(self) -> AsyncIterator["TerminalMessage | FullSampleWanted"]:
        """Messages for this host, each delivered once, also those that came while no agent ran. Ends never."""
        key = self.keys.inbox(self.host)
        await _ensure_group(self.client, key, AGENT_GROUP)
        while True:
            answer = await self.client.xreadgroup(AGENT_GROUP, "agent", {key: ">"}, count=200, block=INBOX_BLOCK_MS, noack=True)
            for _, fields in entries_of(answer):
                message = _parse_inbox(fields)
                if message is not None:
                    yield message


@dataclass(frozen=True)
class TerminalChunk:
    """Output of a terminal that ends at `end_offset`, counted from its first byte."""

    terminal: str
    end_offset: int
    data: bytes


def _is_there_already(error: Exception) -> bool:
    """XADD with an id that is not above the newest one: the protocol's only way to say so (redis.io/commands/xadd)."""
    return isinstance(error, ResponseError) and str(error).startswith("The ID specified in XADD is equal or smaller")


@dataclass(frozen=True)
class FullSampleWanted:
    run: str


def _parse_inbox(fields: dict[bytes, bytes]) -> "TerminalMessage | FullSampleWanted | None":
    """None for what is not understood: a web process of another version must not stop the agent."""
    if b"full" in fields:
        return FullSampleWanted(fields[b"full"].decode())
    try:
        return terminal_message.validate_python({
            k.decode(): (v if k == b"data" else v.decode()) for k, v in fields.items()
        })
    except ValueError:
        return None


# --- the web's side --------------------------------------------------------------------------------------------------


class WebStreams:
    """What web processes and the projector write and read."""

    def __init__(self, client: "redis.asyncio.Redis", instance: str) -> None:
        self.client, self.keys = client, Keys(instance)

    async def events_after(self, run: str, last_id: str, count: int = EVENTS_MAX) -> list[tuple[str, bytes]]:
        """(id, event JSON) after `last_id` ('0' for all that is kept), oldest first."""
        after = f"({last_id}" if last_id != "0" else "-"
        entries = rows_of(await self.client.xrange(self.keys.run_events(run), min=after, count=count))
        return [(entry_id.decode(), fields[b"e"]) for entry_id, fields in entries]

    async def first_event_id(self, run: str) -> str | None:
        entries = rows_of(await self.client.xrange(self.keys.run_events(run), count=1))
        return entries[0][0].decode() if entries else None

    async def resume_events(self, run: str, last_id: str) -> list[tuple[str, bytes]] | None:
        """What came after `last_id`; None when that entry is no longer kept, so that nobody knows what is missing."""
        entries = rows_of(await self.client.xrange(self.keys.run_events(run), min=last_id))
        if not entries or entries[0][0].decode() != last_id:
            return None
        return [(entry_id.decode(), fields[b"e"]) for entry_id, fields in entries[1:]]

    async def last_event_id(self, run: str) -> str:
        """The newest event's id, '0' when there is none."""
        entries = rows_of(await self.client.xrevrange(self.keys.run_events(run), count=1))
        return entries[0][0].decode() if entries else "0"

    async def projected_until_ms(self, host: str) -> int | None:
        """Events of this host older than that are in the database (Redis' clock); None: all that there are now."""
        key = self.keys.host_events(host)
        newest = rows_of(await self.client.xrevrange(key, count=1))
        if not newest:
            return None
        groups = [g for g in await self.client.xinfo_groups(key) if g["name"] == PROJECTOR_GROUP.encode()]
        if not groups:
            return 0
        done: bytes = groups[0]["last-delivered-id"]
        if groups[0]["pending"]:
            done = (await self.client.xpending(key, PROJECTOR_GROUP))["min"]
        elif done == newest[0][0]:
            return None
        return int(done.split(b"-")[0])

    async def publish_event(self, event: Event) -> None:
        """An event that the web side makes (FileSaved, QueueMoved, ...): to browsers only."""
        pipe = self.client.pipeline(transaction=False)
        pipe.xadd(self.keys.run_events(event.run), {"e": event.model_dump_json()}, maxlen=EVENTS_MAX, approximate=True)
        pipe.publish(self.keys.run_wake(event.run), b"")
        pipe.expire(self.keys.run_events(event.run), ENDED_EXPIRE_S)
        await pipe.execute()

    async def schema(self, run: str) -> CounterSchema | None:
        data = await self.client.get(self.keys.schema(run))
        return CounterSchema.model_validate_json(data) if data else None

    async def history(self, run: str) -> list[bytes]:
        """Full bodies of the last HISTORY_S seconds, oldest first."""
        return [fields[b"b"] for _, fields in rows_of(await self.client.xrange(self.keys.history(run)))]

    async def blob(self, command: str) -> bytes | None:
        data: Any = await self.client.get(self.keys.blob(command))
        return data if isinstance(data, bytes) else None

    async def watch(self, run: str) -> None:
        await self.client.set(self.keys.watch(run), b"1", ex=WATCH_EXPIRE_S)

    async def terminal_output(self, terminal: str, after_offset: int, count: int = 64) -> list[tuple[int, bytes]]:
        """(end offset, bytes) of kept output that ends after `after_offset`, oldest first."""
        after = f"({after_offset}-0" if after_offset else "-"
        entries = rows_of(await self.client.xrange(self.keys.terminal_out(terminal), min=after, count=count))
        return [(offset_of(entry_id), fields[b"d"]) for entry_id, fields in entries]

    async def terminal_end_offset(self, terminal: str) -> int:
        """How many bytes the terminal has said, 0 for one that has not said anything yet."""
        entries = rows_of(await self.client.xrevrange(self.keys.terminal_out(terminal), count=1))
        return offset_of(entries[0][0]) if entries else 0

    async def terminal_exists(self, terminal: str) -> bool:
        return bool(await self.client.exists(self.keys.terminal_out(terminal)))

    async def send_terminal(self, host: str, message: TerminalMessage) -> None:
        fields: dict[Any, Any] = dict(message.model_dump())
        await self.client.xadd(self.keys.inbox(host), fields, maxlen=INBOX_MAX, approximate=True)

    async def ask_full_sample(self, host: str, run: str) -> None:
        await self.client.xadd(self.keys.inbox(host), {"full": run}, maxlen=INBOX_MAX, approximate=True)

    async def host_events(self, hosts: list[str], consumer: str) -> AsyncIterator[list["HostEvent"]]:
        """For the projector: batches in order, at least once; `ack` what is done. Ends never."""
        keys = [self.keys.host_events(host) for host in hosts]
        for key in keys:
            await _ensure_group(self.client, key, PROJECTOR_GROUP)
        for start in ("0", ">"):  # first what this consumer took before it was killed, then what is new
            while True:
                wait_ms = 2000 if start == ">" else None
                answer = await self.client.xreadgroup(
                    PROJECTOR_GROUP, consumer, dict.fromkeys(keys, start), count=100, block=wait_ms
                )
                taken = [HostEvent(k.decode(), i, f.get(b"e", b"")) for k, entries in by_stream(answer) for i, f in entries]
                if taken:
                    yield taken
                elif start == "0":
                    break

    async def ack(self, events: list["HostEvent"]) -> None:
        """They are in the rows, so Redis forgets them: each may hold a whole file, and only what waits may take room."""
        pipe = self.client.pipeline(transaction=False)
        for event in events:
            pipe.xack(event.key, PROJECTOR_GROUP, event.id)
            pipe.xdel(event.key, event.id)
        await pipe.execute()


@dataclass(frozen=True)
class HostEvent:
    """One entry of a host's stream of events; `name` is the same however often it is delivered."""

    key: str
    id: bytes
    data: bytes

    @property
    def name(self) -> str:
        return f"{self.key}/{self.id.decode()}"


def parse_live_terminal(payload: bytes) -> tuple[int, bytes]:
    """(end offset, bytes) of a message on a terminal's live channel."""
    return _OFFSET.unpack_from(payload)[0], payload[_OFFSET.size:]


class SyncStreams:
    """The calls of Django's synchronous code: actions publish events, admission reads host reports."""

    def __init__(self, url: str, instance: str) -> None:
        self.client = redis.Redis.from_url(url, health_check_interval=15)
        self.keys = Keys(instance)

    def publish_event(self, event: Event) -> None:
        pipe = self.client.pipeline(transaction=False)
        pipe.xadd(self.keys.run_events(event.run), {"e": event.model_dump_json()}, maxlen=EVENTS_MAX, approximate=True)
        pipe.publish(self.keys.run_wake(event.run), b"")
        pipe.expire(self.keys.run_events(event.run), ENDED_EXPIRE_S)
        pipe.execute()

    def publish_host_event(self, host: str, event: Event) -> None:
        """An event that concerns rows, too: what a worker tells when the agent refused a command or is away."""
        self.publish_event(event)
        self.client.xadd(self.keys.host_events(host), {"e": event.model_dump_json()}, maxlen=HOST_EVENTS_MAX, approximate=True)

    def take_blob(self, command: str) -> bytes | None:
        """Once: it is megabytes, and whoever asked for it asks again if it does not arrive."""
        data = self.client.getdel(self.keys.blob(command))
        return data if isinstance(data, bytes) else None

    def host_report(self, host: str) -> HostReport | None:
        """None: the host has been silent for REPORT_EXPIRE_S, it is away."""
        data = self.client.get(self.keys.report(host))
        return HostReport.model_validate_json(data) if isinstance(data, bytes) else None

    def watched(self, runs: list[str]) -> set[str]:
        if not runs:
            return set()
        values = self.client.mget([self.keys.watch(run) for run in runs])
        return {run for run, value in zip(runs, values, strict=True) if value is not None}


async def _ensure_group(client: "redis.asyncio.Redis", key: str, group: str) -> None:
    while True:
        try:
            await client.xgroup_create(key, group, id="0", mkstream=True)
            return
        except ResponseError as error:
            if str(error).startswith("BUSYGROUP"):  # the protocol's only way to say so (redis.io/commands/xgroup-create)
                return
            raise
        except redis.exceptions.ConnectionError:
            await asyncio.sleep(1)
