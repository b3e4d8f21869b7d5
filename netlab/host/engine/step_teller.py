"""What every run's making has in common, in whichever kernel: its steps are told, and only so many are made at a time.

Called by the `lifecycle` of runs on this kernel and of runs in VMs. It knows neither nodes nor machines.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from netlab.host.steps import Steps
from netlab.wire.events import EventBase, HostStepFinished, HostStepStarted

STEP_DETAIL_CHARS_MAX = 300


class Telling(Protocol):
    def tell(self, kind: type[EventBase], command: str | None = None, **fields: Any) -> None: ...


class StepTeller:
    """StepSink: a run's host steps as events of the command that causes them."""

    def __init__(self, live: Telling, command: str | None) -> None:
        self._live, self._command = live, command
        self.failed_title = ""

    def step_started(self, key: str, title: str) -> None:
        self._live.tell(HostStepStarted, self._command, key=key, title=title)

    def step_finished(self, key: str, title: str, ok: bool, ms: float, detail: str) -> None:
        if not ok and not self.failed_title:
            self.failed_title = title
        self._live.tell(
            HostStepFinished, self._command, key=key, title=title, ok=ok, ms=round(ms, 1), detail=detail[:STEP_DETAIL_CHARS_MAX],
        )


@asynccontextmanager
async def turn(slots: asyncio.Semaphore, sink: StepTeller, title: str) -> AsyncIterator[None]:
    """Whoever has to wait for one of the slots sees that, under this title."""
    if slots.locked():
        async with Steps(sink).step("turn", title):
            await slots.acquire()
    else:
        await slots.acquire()
    try:
        yield
    finally:
        slots.release()
