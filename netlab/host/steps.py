"""Visible, timed steps of the host's work, with an undo stack. Used by everything that builds; it builds nothing itself.

    async with Steps(emit) as steps:
        async with steps.step("namespaces", "Create 2 namespaces"):
            ...
            steps.undo("namespace client", remove_client)
        steps.keep()        # all is well: what was built stays

Leaving the block without `keep()` (an error, a cancellation) runs the undo actions in reverse, each guarded.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Protocol, Self

log = logging.getLogger(__name__)


class StepSink(Protocol):
    """Where a step's beginning and end are told; the engine turns them into events."""

    def step_started(self, key: str, title: str) -> None: ...

    def step_finished(self, key: str, title: str, ok: bool, ms: float, detail: str) -> None: ...


class Steps:
    def __init__(self, sink: StepSink) -> None:
        self._sink = sink
        self._undo: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self._kept = False

    @asynccontextmanager
    async def step(self, key: str, title: str) -> AsyncIterator[None]:
        """One step; an exception inside ends it as failed and goes on up."""
        began = time.perf_counter()
        self._sink.step_started(key, title)
        try:
            yield
        except BaseException as error:
            self._sink.step_finished(key, title, False, _ms(began), str(error) or type(error).__name__)
            raise
        self._sink.step_finished(key, title, True, _ms(began), "")

    def undo(self, what: str, action: Callable[[], Awaitable[None]]) -> None:
        """Remember how to take back what was just built."""
        self._undo.append((what, action))

    def keep(self) -> None:
        """What was built stays; the undo stack is forgotten."""
        self._kept = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._kept and error is None:
            return
        await asyncio.shield(self._run_undo())

    async def _run_undo(self) -> None:
        while self._undo:
            what, action = self._undo.pop()
            try:
                await action()
            except Exception:
                log.exception("undo of %s failed", what)


class SilentSink:
    """For callers that show nothing: benches, clean-up."""

    def step_started(self, key: str, title: str) -> None:
        pass

    def step_finished(self, key: str, title: str, ok: bool, ms: float, detail: str) -> None:
        pass


def _ms(began: float) -> float:
    return (time.perf_counter() - began) * 1000
