"""Waiting for what a process or a kernel does in its own time: asked again and again, with a limit and a reason."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")
WITHIN_S = 20.0
ASK_EVERY_S = 0.01


@overload
async def until(condition: Callable[[], Awaitable[T | None]], what: str, within_s: float = ...) -> T: ...


@overload
async def until(condition: Callable[[], T | None], what: str, within_s: float = ...) -> T: ...


async def until(condition: Callable[[], object], what: str, within_s: float = WITHIN_S) -> object:
    """What `condition` (or the coroutine it returns) gives, as soon as that is true."""
    deadline = time.monotonic() + within_s
    while True:
        found = condition()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {within_s} s for {what}"
        await asyncio.sleep(ASK_EVERY_S)
