"""The real ASGI application behind a real uvicorn, browsers that speak websockets, and a host's voice on Redis."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import msgpack
import pytest
import pytest_asyncio
import uvicorn
from asgiref.sync import sync_to_async
from django.conf import settings
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from netlab.accounts.models import User
from netlab.config import Config
from netlab.live.control import close_control
from netlab.live.hub import close_hub
from netlab.runs.actions import do_start_run
from netlab.runs.models import Run
from netlab.wire.counters import Counter, CounterSchema, Encoder, full_body, pack_packet
from netlab.wire.events import CommandDone, Event
from netlab.wire.streams import FullSampleWanted, HostStreams
from netlab.wire.streams import connect as connect_redis
from netlab.wire.terminals import TerminalMessage
from netlab.workshops.models import Attendee
from tests.web.conftest import (  # noqa: F401  the same people and workshops as in the web's tests
    LAB,
    FakeHost,
    _database,
    attendee,
    host,
    instructor,
    other_attendee,
    other_instructor,
    other_workshop,
    signed_in,
    workshop,
)

PATIENCE_S = 20.0
QUIET_S = 0.25
"""So long nothing may come when nothing should."""


class Browser:
    """One websocket as a page holds it."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def next(self, timeout_s: float = PATIENCE_S) -> Any:
        """JSON as a dict, binary as bytes."""
        async with asyncio.timeout(timeout_s):
            data = await self.socket.recv()
        return json.loads(data) if isinstance(data, str) else data

    async def until(self, kind: str, timeout_s: float = PATIENCE_S) -> Any:
        """The next text message of a type; what comes before it is dropped."""
        async with asyncio.timeout(timeout_s):
            while True:
                message = await self.next(timeout_s)
                if isinstance(message, dict) and message["type"] == kind:
                    return message

    async def frame(self, timeout_s: float = PATIENCE_S) -> list[Any]:
        async with asyncio.timeout(timeout_s):
            while not isinstance(data := await self.next(timeout_s), bytes):
                pass
        frame: list[Any] = msgpack.unpackb(data)
        return frame

    async def quiet(self, seconds: float = QUIET_S) -> bool:
        try:
            await self.next(seconds)
        except TimeoutError:
            return True
        return False

    async def close_code(self, timeout_s: float = PATIENCE_S) -> tuple[int, Any]:
        """(code, the error that was said before it, if any)."""
        error = None
        with contextlib.suppress(ConnectionClosed):
            while True:
                message = await self.next(timeout_s)
                error = message if isinstance(message, dict) and message["type"] == "error" else error
        assert self.socket.close_code is not None
        return self.socket.close_code, error


@dataclass
class Web:
    """The server, and how browsers of its people reach it."""

    port: int
    _open: list[ClientConnection] = field(default_factory=list)

    async def browser(self, user: User | None, path: str, **options: Any) -> Browser:
        headers = {"Cookie": await sync_to_async(cookies_of)(user)} if user else {}
        options = {"origin": f"http://127.0.0.1:{self.port}", "additional_headers": headers, "ping_interval": None} | options
        socket = await connect(f"ws://127.0.0.1:{self.port}{path}", **options)
        self._open.append(socket)
        return Browser(socket)

    async def run_socket(self, user: User, run: Run, last_event: str | None = None, rate: str = "off", **options: Any) -> Browser:
        browser = await self.browser(user, f"/ws/runs/{run.pk}/", **options)
        await browser.say(type="hello", last_event=last_event, rate=rate)
        return browser

    async def terminal(self, user: User, run: Run, terminal: str, offset: int = 0, **more: Any) -> Browser:
        browser = await self.browser(user, f"/ws/runs/{run.pk}/terminals/{terminal}/")
        await browser.say(type="hello", offset=offset, rows=24, cols=80, **more)
        return browser

    async def close(self) -> None:
        for socket in self._open:
            await socket.close()


def cookies_of(user: User) -> str:
    return f"{settings.SESSION_COOKIE_NAME}={signed_in(user).cookies[settings.SESSION_COOKIE_NAME].value}"


@pytest_asyncio.fixture
async def web(_database: None, config: Config) -> AsyncIterator[Web]:  # noqa: F811
    settings.STATIC_ROOT.mkdir(exist_ok=True)  # else whitenoise warns, and a warning is an error here
    from netlab.asgi import application

    server = uvicorn.Server(uvicorn.Config(
        application, host="127.0.0.1", port=0, lifespan="off", log_level="warning", ws_max_size=70_000,
        ws_per_message_deflate=False,
    ))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
        await asyncio.sleep(0.01)
    web = Web(server.servers[0].sockets[0].getsockname()[1])
    yield web
    await web.close()
    server.should_exit = True
    await serving
    await close_control()
    await close_hub()


class Voice:
    """What the host of one run says on Redis, with the host's own code for it."""

    def __init__(self, streams: HostStreams, run: Run) -> None:
        self.streams, self.run = streams, run
        self.schema = CounterSchema(run=run.pk, version=3, counters=[
            Counter(node="server", object="eth0", kind="interface", name=name, unit="packets")
            for name in ("rx_packets", "tx_packets")
        ])
        self.encoder = Encoder(self.schema.version)
        self.offset = 0

    async def event(self, what: str) -> None:
        await self.publish(CommandDone(run=self.run.pk, at=1.0, what=what))

    async def publish(self, event: Event) -> None:
        await self.streams.publish_event(event)

    async def count(self, *values: int, at: float = 100.0, full: bool = False) -> None:
        self.encoder.put(0, values)
        body = self.encoder.body(at, full=full)
        await self.streams.publish_counters(pack_packet(at, {self.run.pk: body} if body else {}))

    async def remember(self, *values: int, at: float) -> None:
        await self.streams.append_history({self.run.pk: full_body(self.schema.version, at, list(values))})

    async def print(self, terminal: str, data: bytes) -> None:
        self.offset += len(data)
        await self.streams.publish_terminal(terminal, self.offset, data)

    async def heard(self, seconds: float = PATIENCE_S, count: int = 1) -> list[TerminalMessage | FullSampleWanted]:
        """What web processes have sent to the host, at least `count`."""
        found: list[TerminalMessage | FullSampleWanted] = []
        try:
            async with asyncio.timeout(seconds):
                async for message in self.streams.inbox():
                    found.append(message)
                    if len(found) >= count:
                        break
        except TimeoutError:
            pass
        return found


@pytest.fixture
def run(attendee: Attendee, host: FakeHost) -> Run:  # noqa: F811
    return do_start_run(attendee, LAB)


@pytest.fixture
def terminal(run: Run) -> str:
    first = run.terminals.order_by("position").first()
    assert first is not None
    return first.pk


@pytest_asyncio.fixture
async def voice(run: Run, config: Config) -> AsyncIterator[Voice]:
    client = connect_redis(config.redis_url)
    voice = Voice(HostStreams(client, config.instance, run.host), run)
    await voice.streams.put_schema(voice.schema)
    yield voice
    await client.aclose()


@pytest.fixture
def user_of() -> Callable[[Attendee], User]:
    return lambda someone: someone.user
