"""One pub/sub connection of a process to Redis, with channels that come and go while it is open. Used by the hub alone.

Pub/sub forgets what nobody listens to. So `add` returns only when Redis has confirmed the subscription (read the stream
after that and nothing is missed), and after a broken connection every listener is told `restored`, once its channel is
confirmed again, so that it reads its stream once more. It knows nothing of runs, terminals or browsers.
"""

import asyncio
import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

CONFIRM_WITHIN_S = 5.0
RETRY_S = 0.5
PING_EVERY_S = 15.0

log = structlog.get_logger(__name__)


class Listener(Protocol):
    """Both are called from the event loop and must not block."""

    def message(self, data: bytes) -> None: ...

    def restored(self) -> None:
        """The connection was broken and is back: messages may have been missed."""


@dataclass
class _Channel:
    listeners: set[Listener] = field(default_factory=set)
    unconfirmed: int = 0
    """SUBSCRIBEs whose confirmation is still to come; two when somebody left and came back at once."""
    confirmed: asyncio.Event = field(default_factory=asyncio.Event)
    missed: bool = False


class Subscriptions:
    """Made once per event loop; `client` gives the address, the connection is its own."""

    def __init__(self, client: Redis) -> None:
        self._pool = client.connection_pool
        self._channels: dict[str, _Channel] = {}
        self._outgoing: deque[tuple[str, str]] = deque()
        self._to_send = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def add(self, name: str, listener: Listener) -> None:
        """Listen; returns when Redis has confirmed. Raises redis' ConnectionError when it does not in time."""
        channel = self._channels.setdefault(name, _Channel())
        channel.listeners.add(listener)
        if len(channel.listeners) == 1:
            self._say("SUBSCRIBE", name, channel)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._stay_connected(), name="subscriptions")
        try:
            async with asyncio.timeout(CONFIRM_WITHIN_S):
                await channel.confirmed.wait()
        except TimeoutError:
            self.remove(name, listener)
            raise RedisConnectionError(f"no confirmation within {CONFIRM_WITHIN_S} s") from None
        except asyncio.CancelledError:
            self.remove(name, listener)
            raise

    def remove(self, name: str, listener: Listener) -> None:
        channel = self._channels.get(name)
        if channel is None or listener not in channel.listeners:
            return
        channel.listeners.discard(listener)
        if not channel.listeners:
            self._say("UNSUBSCRIBE", name, channel)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _say(self, verb: str, name: str, channel: _Channel) -> None:
        if verb == "SUBSCRIBE":
            channel.unconfirmed += 1
        channel.confirmed.clear()
        self._outgoing.append((verb, name))
        self._to_send.set()

    async def _stay_connected(self) -> None:
        while True:
            try:
                await self._one_connection()
            except (RedisError, OSError) as error:
                log.warning("subscriptions_broken", error=str(error))
            for channel in self._channels.values():
                channel.confirmed.clear()
                channel.missed = True
            await asyncio.sleep(RETRY_S)

    async def _one_connection(self) -> None:
        connection: Any = self._pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.connect()
            self._start_over()
            both = [asyncio.create_task(self._send(connection)), asyncio.create_task(self._receive(connection))]
            try:
                done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in both:
                    task.cancel()
                await asyncio.gather(*both, return_exceptions=True)
            for task in done:
                task.result()
        finally:
            await connection.disconnect(nowait=True)

    def _start_over(self) -> None:
        """A new connection knows no channels: say all of them again."""
        self._outgoing.clear()
        self._channels = {name: channel for name, channel in self._channels.items() if channel.listeners}
        for name, channel in self._channels.items():
            channel.unconfirmed = 0
            self._say("SUBSCRIBE", name, channel)

    async def _send(self, connection: Any) -> None:
        """What is to be said, neighbours of one verb in one command; a ping when there is nothing to say for long."""
        while True:
            try:
                async with asyncio.timeout(PING_EVERY_S):
                    await self._to_send.wait()
            except TimeoutError:
                await connection.send_command("PING", check_health=False)
                continue
            self._to_send.clear()
            while self._outgoing:
                verb, name = self._outgoing.popleft()
                names = [name]
                while self._outgoing and self._outgoing[0][0] == verb:
                    names.append(self._outgoing.popleft()[1])
                await connection.send_command(verb, *names, check_health=False)

    async def _receive(self, connection: Any) -> None:
        while True:
            answer = await connection.read_response(timeout=math.inf, push_request=True)
            if isinstance(answer, list) and len(answer) == 3:
                self._take(answer[0], answer[1].decode(), answer[2])

    def _take(self, kind: bytes, name: str, data: bytes) -> None:
        channel = self._channels.get(name)
        if channel is None:
            return
        if kind == b"message":
            for listener in tuple(channel.listeners):
                listener.message(data)
        elif kind == b"subscribe":
            self._confirm(channel)
        elif kind == b"unsubscribe" and not channel.listeners and not channel.unconfirmed:
            del self._channels[name]

    def _confirm(self, channel: _Channel) -> None:
        channel.unconfirmed -= 1
        if channel.unconfirmed > 0:
            return
        channel.confirmed.set()
        if channel.missed:
            channel.missed = False
            for listener in tuple(channel.listeners):
                listener.restored()
