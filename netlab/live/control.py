"""Rare messages of the channel layer for this process' sockets: 'look at your access again', 'the roster has changed'.

One channel for the whole process, not one per socket: a blocking read in Redis is cheap, three hundred are not. A
message names its group in `group`; sockets join groups here. Never counters, never terminals.
"""

import asyncio
import weakref
from collections import defaultdict
from collections.abc import Coroutine
from typing import Any, Protocol

import structlog
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

RETRY_S = 1.0
ADD_AGAIN_EVERY_S = 60.0
"""A Redis that was restarted may have forgotten who is in which group."""
log = structlog.get_logger(__name__)


class Member(Protocol):
    async def control(self, message: dict[str, Any]) -> None: ...


class Control:
    """One per event loop; `control()` gives it."""

    def __init__(self) -> None:
        self._layer = get_channel_layer()
        self._channel = ""
        self._members: defaultdict[str, set[Member]] = defaultdict(set)
        self._tasks: set[asyncio.Task[None]] = set()

    async def join(self, group: str, member: Member) -> None:
        """Raises redis' errors: who cannot be told that access has ended does not get in."""
        if not self._channel:
            self._channel = await self._layer.new_channel("control")
            self._spawn(self._receive())
            self._spawn(self._stay_added())
        self._members[group].add(member)
        if len(self._members[group]) == 1:
            await self._layer.group_add(group, self._channel)

    def leave(self, group: str, member: Member) -> None:
        members = self._members.get(group, set())
        members.discard(member)
        if not members and self._members.pop(group, None) is not None:
            self._spawn(self._discard(group))

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _receive(self) -> None:
        while True:
            try:
                message = await self._layer.receive(self._channel)
            except (RedisError, OSError) as error:
                log.warning("control_away", error=str(error))
                await asyncio.sleep(RETRY_S)
                continue
            for member in tuple(self._members.get(message.get("group", ""), ())):
                self._spawn(member.control(message))

    async def _stay_added(self) -> None:
        while True:
            await asyncio.sleep(ADD_AGAIN_EVERY_S)
            try:
                for group in tuple(self._members):
                    await self._layer.group_add(group, self._channel)
            except (RedisError, OSError) as error:
                log.warning("control_away", error=str(error))

    async def _discard(self, group: str) -> None:
        try:
            await self._layer.group_discard(group, self._channel)
            if group in self._members:  # somebody came back meanwhile
                await self._layer.group_add(group, self._channel)
        except (RedisError, OSError) as error:
            log.warning("control_away", error=str(error))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())


_controls: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Control]" = weakref.WeakKeyDictionary()


def control() -> Control:
    loop = asyncio.get_running_loop()
    if loop not in _controls:
        _controls[loop] = Control()
    return _controls[loop]


async def close_control() -> None:
    """Only tests end it before its process."""
    ended = _controls.pop(asyncio.get_running_loop(), None)
    if ended is not None:
        await ended.close()
