"""Redis: reading and writing netlab's streams, channels and keys (`redis_names`). Used by the agent, the projector and the web.

Everything here is asyncio; the few calls that Django's synchronous code makes are in `sync_streams`.
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
from netlab.wire.events import HIDDEN_FROM_BROWSERS, LIVE_ONLY, Event
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
    TYPED_EXPIRE_S,
    WATCH_EXPIRE_S,
    Keys,
    events_kept,
)
from netlab.wire.redis_replies import by_stream, entries_of, offset_of, rows_of
from netlab.wire.terminals import SCROLLBACK_BYTES, TerminalInput, TerminalMessage, terminal_message
from netlab.wire.web_report import WebReport

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
        if event.kind in LIVE_ONLY:
            pipe.publish(self.keys.run_wake(event.run), data)
            return
        hidden = event.kind in HIDDEN_FROM_BROWSERS  # a file's whole text: thousands of them are no history for a browser
        if not hidden:
            pipe.xadd(self.keys.run_events(event.run), {"e": data}, maxlen=events_kept(len(data)), approximate=True)
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
        """Messages for this host, each delivered once, also those that came while no agent ran, or that Redis gave to one
        that had just been killed. They are confirmed before they are handed on: nothing is typed twice. Ends never."""
        key = self.keys.inbox(self.host)
        await _ensure_group(self.client, key, AGENT_GROUP)
        for start in ("0", ">"):  # first what was given to an agent that did not live to confirm it
            while True:
                wait_ms = INBOX_BLOCK_MS if start == ">" else None
                answer = await self.client.xreadgroup(AGENT_GROUP, "agent", {key: start}, count=200, block=wait_ms)
                entries = list(entries_of(answer))
                if entries:
                    await self.client.xack(key, AGENT_GROUP, *(entry_id for entry_id, _ in entries))
                elif start == "0":
                    break
                for _, fields in entries:
                    message = _parse_inbox(fields or {})  # nothing: trimmed meanwhile
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


_SEND_INPUT = """
local passed = tonumber(redis.call('GET', KEYS[1]) or ARGV[1])
if passed > tonumber(ARGV[1]) then return passed end
redis.call('SET', KEYS[1], ARGV[1] + ARGV[2], 'EX', ARGV[3])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], '*', unpack(ARGV, 5))
return ARGV[1] + ARGV[2]
"""
"""Count and send in one step: of two connections of one viewer, an old one that is dying and its successor, each byte once."""

# --- the web's side --------------------------------------------------------------------------------------------------


class WebStreams:
    """What web processes and the projector write and read."""

    def __init__(self, client: "redis.asyncio.Redis", instance: str) -> None:
        self.client, self.keys = client, Keys(instance)
        self._send_input = client.register_script(_SEND_INPUT)

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
            done = (await self.client.xpending(key, PROJECTOR_GROUP))["min"] or done  # none: it has just done the last
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

    async def report_web(self, report: WebReport) -> None:
        await self.client.set(self.keys.web_report(report.process), report.model_dump_json(), ex=REPORT_EXPIRE_S)

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

    async def send_input(self, host: str, message: TerminalInput, viewer: str, offset: int) -> int:
        """Pass on what this viewer typed, of which `message` is what follows its first `offset` bytes. Returns how many are
        passed on now; more than `offset` before the call (a connection that was thought dead brought them): nothing was sent."""
        fields = [part for pair in message.model_dump().items() for part in pair]
        keys = [self.keys.terminal_typed(message.terminal, viewer), self.keys.inbox(host)]
        passed: int = await self._send_input(keys, [offset, len(message.data), TYPED_EXPIRE_S, INBOX_MAX, *fields])
        return passed

    async def typed(self, terminal: str, viewer: str) -> int | None:
        """How many bytes of this viewer's input were passed on; None when that is not known (any more)."""
        count = await self.client.get(self.keys.terminal_typed(terminal, viewer))
        return None if count is None else int(count)

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
