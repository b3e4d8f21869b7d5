"""Redis is stopped and started while browsers are connected: nothing is lost, nobody has to reload."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import redis
from redis.exceptions import ConnectionError as RedisConnectionError

from netlab.config import Config
from netlab.live import hub as hubs
from netlab.runs.models import Run
from netlab.wire.streams import HostStreams, WebStreams, connect
from netlab.workshops.models import Attendee
from tests.live.conftest import Voice, Web
from tests.waiting import until


class OwnRedis:
    """A Redis that a test may stop; `keeps` whether it remembers."""

    def __init__(self, folder: Path, keeps: bool) -> None:
        self.folder, self.keeps = folder, keeps
        self.url = f"unix://{folder}/redis.sock"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen([
            "redis-server", "--port", "0", "--unixsocket", str(self.folder / "redis.sock"), "--save", "",
            "--appendonly", "yes" if self.keeps else "no", "--appendfsync", "always", "--dir", str(self.folder),
        ], stdout=subprocess.DEVNULL)
        client = redis.Redis.from_url(self.url)
        for _ in range(500):
            try:
                client.ping()
                break
            except redis.exceptions.ConnectionError:
                time.sleep(0.02)
        client.close()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(params=[True, False], ids=["remembers", "forgets"])
def own_redis(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path, request.param)
    yield server
    server.stop()


@pytest_asyncio.fixture
async def streams(own_redis: OwnRedis, config: Config, web: Web, run: Run) -> AsyncIterator[HostStreams]:
    """The hub of this test listens to the Redis that may be stopped; the channel layer stays where it is."""
    hubs._hubs[asyncio.get_running_loop()] = hubs.Hub(WebStreams(connect(own_redis.url), config.instance))
    client = connect(own_redis.url)
    yield HostStreams(client, config.instance, run.host)
    await client.aclose()


async def _insist(work: object) -> None:
    """Until Redis is back for this client, as an agent would."""
    for _ in range(400):
        try:
            await work()  # type: ignore[operator]
            return
        except (RedisConnectionError, OSError):
            await asyncio.sleep(0.05)
    raise TimeoutError


async def test_events_and_counters_go_on(
    own_redis: OwnRedis, streams: HostStreams, web: Web, run: Run, attendee: Attendee
) -> None:
    voice = Voice(streams, run)
    await streams.put_schema(voice.schema)
    browser = await web.run_socket(attendee.user, run, rate="fast")
    await browser.until("snapshot")
    await voice.event("before")
    last = (await browser.until("event"))["id"]
    await voice.count(1, 1, full=True)
    await browser.frame()
    await asyncio.to_thread(own_redis.stop)
    await asyncio.sleep(0.3)
    await asyncio.to_thread(own_redis.start)
    await _insist(lambda: streams.put_schema(voice.schema))
    await _insist(lambda: voice.event("after"))  # perhaps before the hub listens again
    if own_redis.keeps:
        assert (await browser.until("event"))["event"]["what"] == "after"

        async def counted() -> bool:
            """Said again until the hub listens again to what is kept nowhere."""
            await voice.count(2, 2, full=True)
            try:
                return bool((await browser.frame(1))[4] == [2, 2])
            except TimeoutError:
                return False

        await until(counted, "the counters")
    else:  # what it knew is gone: the page begins anew, by itself
        assert (await browser.close_code())[0] == 4408
        again = await web.run_socket(attendee.user, run, last_event=last)
        await again.until("snapshot")
        assert (await again.until("event"))["event"]["what"] == "after"


async def test_terminals_go_on(
    own_redis: OwnRedis, streams: HostStreams, web: Web, run: Run, terminal: str, attendee: Attendee
) -> None:
    voice = Voice(streams, run)
    browser = await web.terminal(attendee.user, run, terminal)
    await browser.until("start")
    await voice.print(terminal, b"before\r\n")
    assert await browser.next() == b"before\r\n"
    await asyncio.to_thread(own_redis.stop)
    await asyncio.to_thread(own_redis.start)
    await _insist(lambda: voice.streams.client.ping())
    await voice.print(terminal, b"after\r\n")
    assert await browser.next() == b"after\r\n"


async def test_connections_that_break_end_no_socket(web: Web, run: Run, voice: Voice, attendee: Attendee) -> None:
    """All of this process' connections at once, also the channel layer's."""
    browser = await web.run_socket(attendee.user, run)
    await browser.until("snapshot")
    await voice.event("before")
    await browser.until("event")
    await voice.streams.client.client_kill_filter(_type="normal", skipme=True)
    await voice.streams.client.client_kill_filter(_type="pubsub", skipme=True)
    await voice.event("after")
    assert (await browser.until("event"))["event"]["what"] == "after"


async def test_a_page_that_comes_while_redis_is_away_is_told_to_try_again(
    own_redis: OwnRedis, streams: HostStreams, web: Web, run: Run, attendee: Attendee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netlab.live.subscriptions.CONFIRM_WITHIN_S", 0.5)
    await asyncio.to_thread(own_redis.stop)
    browser = await web.run_socket(attendee.user, run)
    code, error = await browser.close_code()
    assert code == 1013 and error["message"]
    await asyncio.to_thread(own_redis.start)
    again = await web.run_socket(attendee.user, run)
    assert (await again.until("snapshot"))["type"] == "snapshot"
