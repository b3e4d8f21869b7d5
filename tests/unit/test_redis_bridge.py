"""The bridge with a real Redis: order, merging, nothing lost while Redis is away, bounds."""

import asyncio
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import redis as redis_client

from netlab.domain.ids import new_run_id, new_terminal_id
from netlab.host.agent import redis_bridge
from netlab.host.agent.redis_bridge import RedisBridge
from netlab.wire.counters import unpack_packet
from netlab.wire.events import CommandDone, parse_event
from netlab.wire.redis_names import AGENT_GROUP, EVENTS_BYTES_MAX
from netlab.wire.streams import HostStreams, TerminalChunk, WebStreams, connect
from netlab.wire.terminals import CHUNK_BYTES, TerminalInput
from tests.waiting import until


class Redis:
    def __init__(self, folder: Path) -> None:
        self.folder, self.socket = folder, folder / "s"
        self.url = f"unix://{self.socket}"

    async def start(self) -> None:
        self._start()
        await until(self._answers, "Redis")

    def _start(self) -> None:
        words = ["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder), "--save", ""]
        self.process = subprocess.Popen([*words, "--appendonly", "yes", "--appendfsync", "always"], stdout=subprocess.DEVNULL)

    def _answers(self) -> bool:
        """Its socket is there before it has read what it kept."""
        with redis_client.Redis(unix_socket_path=str(self.socket)) as client:
            try:
                return bool(client.ping())
            except redis_client.exceptions.ConnectionError:
                return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


@pytest_asyncio.fixture
async def redis() -> AsyncIterator[Redis]:
    with tempfile.TemporaryDirectory(prefix="nl") as folder:
        redis = Redis(Path(folder))
        await redis.start()
        yield redis
        redis.stop()


class Bridged:
    def __init__(self, redis: Redis) -> None:
        self.client = connect(redis.url)
        self.web = WebStreams(self.client, "ut")
        self.held: list[bool] = []
        self.bridge = RedisBridge(HostStreams(self.client, "ut", "local"), self.held.append)
        self.writer = asyncio.create_task(self.bridge.write_messages())

    async def close(self) -> None:
        while not self.writer.done():
            self.writer.cancel()
            await asyncio.wait({self.writer}, timeout=0.2)
        await self.client.aclose()


@pytest_asyncio.fixture
async def bridged(redis: Redis) -> AsyncIterator[Bridged]:
    bridged = Bridged(redis)
    yield bridged
    await bridged.close()


def event(run: str, what: str) -> CommandDone:
    return CommandDone(run=run, at=time.time(), what=what)


async def events(web: WebStreams, run: str, count: int) -> list[str]:
    async def there() -> list[tuple[str, bytes]] | None:
        found = await web.events_after(run, "0", 10_000)
        return found if len(found) >= count else None

    found = await until(there, f"{count} events")
    return [parsed.what for _, data in found if isinstance(parsed := parse_event(data), CommandDone)]


async def test_events_and_output_are_written_in_order(bridged: Bridged) -> None:
    run, terminal = new_run_id(), new_terminal_id()
    end = 0
    for number in range(500):
        bridged.bridge.event(event(run, str(number)))
        end += 3
        bridged.bridge.terminal_output(terminal, end, b"abc")
    assert await events(bridged.web, run, 500) == [str(n) for n in range(500)]
    pieces = await bridged.web.terminal_output(terminal, 0, 1000)
    assert b"".join(d for _, d in pieces) == b"abc" * 500 and pieces[-1][0] == end


async def test_small_pieces_of_one_terminal_are_merged_up_to_a_chunk(bridged: Bridged) -> None:
    terminal, end = new_terminal_id(), 0
    for _ in range(1000):
        end += 100
        bridged.bridge.terminal_output(terminal, end, b"x" * 100)
    waiting = bridged.bridge.waiting()
    assert len(waiting) == 4 and all(isinstance(w, TerminalChunk) and len(w.data) <= CHUNK_BYTES for w in waiting)


async def test_what_redis_keeps_of_a_run_is_bounded_in_bytes_too(bridged: Bridged) -> None:
    run = new_run_id()
    for _ in range(3):
        for number in range(50):
            bridged.bridge.event(event(run, f"{number}" + "x" * 400_000))
        bridged.bridge.event(event(run, "small"))
    bridged.bridge.event(event(run, "the end"))

    async def ended() -> list[tuple[str, bytes]] | None:
        found = await bridged.web.events_after(run, "0", 10_000)
        return found if found and b"the end" in found[-1][1] else None

    kept = await until(ended, "all of it")
    assert len(kept) > 10 and sum(len(data) for _, data in kept) < 2 * EVENTS_BYTES_MAX


async def test_nothing_is_lost_or_doubled_while_redis_restarts(redis: Redis, bridged: Bridged) -> None:
    run, terminal = new_run_id(), new_terminal_id()
    bridged.bridge.event(event(run, "before"))
    await events(bridged.web, run, 1)
    redis.stop()
    bridged.bridge.event(event(run, "away 1"))
    bridged.bridge.terminal_output(terminal, 5, b"hello")
    await until(lambda: bridged.held == [True], "the bridge to notice")
    bridged.bridge.event(event(run, "away 2"))
    await redis.start()
    assert await events(bridged.web, run, 3) == ["before", "away 1", "away 2"]
    assert await bridged.web.terminal_output(terminal, 0) == [(5, b"hello")]
    await until(lambda: bridged.held == [True, False], "the bridge to say that it goes on")  # when all is written


async def test_output_that_was_taken_already_is_not_doubled(bridged: Bridged) -> None:
    terminal = new_terminal_id()
    streams = HostStreams(bridged.client, "ut", "local")
    await streams.publish_many([TerminalChunk(terminal, 3, b"abc")])
    await streams.publish_many([TerminalChunk(terminal, 3, b"abc"), TerminalChunk(terminal, 6, b"def")])
    assert await bridged.web.terminal_output(terminal, 0) == [(3, b"abc"), (6, b"def")]


async def test_while_redis_is_away_the_oldest_go_first(redis: Redis, bridged: Bridged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_bridge, "EVENTS_WAITING_MAX", 10)
    redis.stop()
    run = new_run_id()
    for number in range(30):
        bridged.bridge.event(event(run, str(number)))
    await redis.start()
    assert await events(bridged.web, run, 10) == [str(n) for n in range(20, 30)]


async def test_no_tick_of_a_run_takes_the_place_of_the_one_before(redis: Redis, bridged: Bridged) -> None:
    """A difference that nobody hears of makes every later value wrong until the next full sample."""
    wanted: list[str] = []
    streams = HostStreams(bridged.client, "ut", "local")
    bridge = RedisBridge(streams, bridged.held.append, wanted.append)
    async with bridged.client.pubsub() as heard:
        await heard.subscribe(streams.keys.counters("local"))
        told = await heard.get_message(timeout=20)
        assert told and told["type"] == "subscribe"  # what is told before that is told to nobody
        for bodies in ({"r1": b"1"}, {"r2": b"a"}, {"r1": b"2"}, {"r1": b"3", "r2": b"b"}):
            bridge.counters(bodies)
        writer = asyncio.create_task(bridge.write_counters())
        packets: list[dict[str, bytes]] = []
        while len(packets) < 3:
            message = await heard.get_message(ignore_subscribe_messages=True, timeout=5)
            packets += [unpack_packet(message["data"])[1]] if message else []
        assert packets == [{"r1": b"1", "r2": b"a"}, {"r1": b"2"}, {"r1": b"3", "r2": b"b"}] and not wanted
        writer.cancel()
    for _ in range(redis_bridge.TICKS_WAITING_MAX + 1):
        bridge.counters({"r1": b"d", "r2": b"d"})
    assert wanted == ["r1", "r2"], "what was dropped is asked for anew"


async def test_flush_writes_what_waits_and_gives_up_in_time(redis: Redis, bridged: Bridged) -> None:
    run = new_run_id()
    await bridged.close()
    bridged.client = connect(redis.url)
    bridge = RedisBridge(HostStreams(bridged.client, "ut", "local"), bridged.held.append)
    bridge.event(event(run, "last"))
    bridge.blob("c1", b"blob")
    await bridge.flush(20)
    web = WebStreams(bridged.client, "ut")
    assert await events(web, run, 1) == ["last"] and await web.blob("c1") == b"blob"
    redis.stop()
    bridge.event(event(run, "lost"))
    began = time.monotonic()
    await bridge.flush(0.5)
    assert time.monotonic() - began < 2 and len(bridge.waiting()) == 1
    await redis.start()


async def test_what_redis_gave_to_an_agent_that_was_just_killed_is_typed_by_the_next(redis: Redis) -> None:
    """For a moment Redis takes a killed agent for one that waits, and gives it what comes then."""
    client = connect(redis.url)
    streams, web = HostStreams(client, "ut", "local"), WebStreams(client, "ut")
    run, terminal = new_run_id(), new_terminal_id()

    async def type_(text: str) -> None:
        await web.send_terminal("local", TerminalInput(run=run, terminal=terminal, data=text.encode()))

    async def typed(number: int) -> list[bytes]:
        inbox, found = streams.inbox(), []
        async for message in inbox:
            assert isinstance(message, TerminalInput)
            found.append(message.data)
            if len(found) == number:
                break
        await inbox.aclose()  # type: ignore[attr-defined]
        return found

    await type_("first")
    assert await typed(1) == [b"first"]
    await type_("e")
    key = streams.keys.inbox("local")
    assert await client.xreadgroup(AGENT_GROUP, "agent", {key: ">"})  # nobody lives to hand it on
    await type_("cho")
    assert await typed(2) == [b"e", b"cho"]
    await type_("last")
    assert await typed(1) == [b"last"], "and nothing is typed twice"
    await client.aclose()
