"""Whether and when a run's commands are carried out: doubled and late ones known, one after the other, each on disk first.

The base of a run's actor, in whichever kernel the run is: subclasses know what carrying out means. StopRun is the one
command that does not wait: it cancels what is under way. Nothing here knows a kernel.
"""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, Protocol

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_bug_id
from netlab.domain.lifecycle import RunState, check_move
from netlab.host.engine import shells
from netlab.host.engine.state import FileState, RunRecord
from netlab.wire.commands import Command, PauseRun, ResetRun, ResumeRun, StartRun, StopRun
from netlab.wire.events import CommandFailed, EventBase

log = logging.getLogger(__name__)

START_TRIES_MAX = 2
"""A start or reset during which the agent was killed is begun once more, not for ever."""


class Told(Protocol):
    """What an actor holds of its run, as far as accepting needs it."""

    @property
    def record(self) -> RunRecord: ...

    def tell(self, kind: type[EventBase], command: str | None = None, **fields: Any) -> None: ...

    def tell_state(self, command: str | None = None) -> None: ...

    async def save(self, *, durable: bool = False) -> None: ...


class AcceptingActor(ABC):
    def __init__(self, told: Told) -> None:
        self._told = told
        self._queue: deque[Command] = deque()
        self._loop: asyncio.Task[None] | None = None
        self._work: asyncio.Task[None] | None = None
        self._doing: Command | None = None
        self._accepting = asyncio.Lock()
        self._closing = False

    @property
    def record(self) -> RunRecord:
        return self._told.record

    # --- what a subclass knows

    @abstractmethod
    def _check_start(self, command: StartRun) -> None:
        """Raise what is wrong with a start before anything of it is known."""

    @abstractmethod
    async def _accept_pause(self, command: PauseRun | ResumeRun) -> None: ...

    @abstractmethod
    async def _accept_inside(self, command: Command) -> Awaitable[None] | None:
        """A command about what is in the run. Usually `_enqueue`; raises for what the run has not.

        What it returns is awaited before the command counts as accepted, and does not hold up others (StopRun)."""

    @abstractmethod
    async def _do(self, command: Command) -> None:
        """Carry it out and tell. Raises NetlabError for what the attendee can put right, anything else for a bug."""

    # --- accepting

    async def accept(self, command: Command) -> None:
        """Returns when the command is on disk and will be carried out. Raises NetlabError; then nothing has changed."""
        rest: Awaitable[None] | None = None
        async with self._accepting:
            if command.id in self.record.commands:
                return
            if command.generation < self.record.generation:
                raise NetlabError(ErrorCode.COMMAND_STALE)
            if isinstance(command, StartRun):
                await self._accept_start(command)
            elif isinstance(command, StopRun):
                await self._accept_stop(command)
            elif isinstance(command, ResetRun):
                await self._accept_reset(command)
            elif isinstance(command, PauseRun | ResumeRun):
                await self._accept_pause(command)
            else:
                rest = await self._accept_inside(command)
        if rest is not None:
            await rest

    async def _accept_start(self, command: StartRun) -> None:
        record = self.record
        if record.active or (record.generation == command.generation and record.commands):
            self._told.tell_state(command.id)
            return
        self._check_start(command)
        record.lab, record.lab_digest, record.isolation = command.lab, command.lab_digest, command.isolation
        record.files = {f.path: FileState(version=f.version, content=f.content) for f in command.files}
        record.open_step, record.terminals = command.open_step, shells.declared(command)
        record.outcomes, record.tries, record.error = {}, 0, None
        await self._move(RunState.STARTING, command)

    async def _accept_stop(self, command: StopRun) -> None:
        if self.record.state is RunState.STOPPING or (self.record.state is RunState.STOPPED and self.record.commands):
            self.record.generation = command.generation
            await self._told.save(durable=True)
            self._told.tell_state(command.id)
            return
        self._queue.clear()
        self.record.pending = []
        if self._work is not None:
            self._work.cancel()  # before the state is set: nothing that is under way may set another one after it
        await self._move(RunState.STOPPING, command)

    async def _accept_reset(self, command: ResetRun) -> None:
        if command.generation == self.record.generation:
            self._told.tell_state(command.id)
            return
        if self.record.state is not RunState.RESETTING:
            check_move(self.record.state, RunState.RESETTING)
        await self._move(RunState.RESETTING, command)

    async def _move(self, state: RunState, command: Command) -> None:
        """A wish about the whole run: a new generation and state, told once they are on disk."""
        before = self.record.state, self.record.generation
        self.record.state, self.record.generation, self.record.changed_at = state, command.generation, time.time()
        try:
            await self._enqueue(command)
        except OSError:
            self.record.state, self.record.generation = before
            raise
        self._told.tell_state(command.id)

    async def _enqueue(self, command: Command) -> None:
        record = self.record
        record.pending = [*record.pending, command]
        record.remember(command.id)
        try:
            await self._told.save(durable=True)
        except OSError:
            record.pending = [c for c in record.pending if c.id != command.id]
            record.commands = [c for c in record.commands if c != command.id]
            raise
        self._queue.append(command)
        self._wake()

    # --- carrying out

    def _wake(self) -> None:
        if self._loop is None and self._queue and not self._closing:
            self._loop = asyncio.create_task(self._run(), name=f"run {self.record.run}")

    async def _run(self) -> None:
        while self._queue and not self._closing:
            command = self._doing = self._queue.popleft()
            self._work = asyncio.create_task(self._carry_out(command), name=f"{command.kind} {self.record.run}")
            await asyncio.wait({self._work})
            self._work = self._doing = None
        self._loop = None

    async def _carry_out(self, command: Command) -> None:
        """Ends well, told as failed, or cancelled (by StopRun, or because the agent closes: then it stays pending)."""
        began = time.monotonic()
        try:
            await self._do(command)
        except NetlabError as error:
            self._told.tell(CommandFailed, command.id, error=error.body())
        except Exception:  # the edge of the run's loop: a bug ends one command, never the run
            bug = new_bug_id()
            log.exception("command %s of run %s broke (%s)", command.kind, self.record.run, bug)
            self._told.tell(CommandFailed, command.id, error=NetlabError(ErrorCode.BUG, id=bug).body())
        log.info("%s of %s took %.0f ms", command.kind, self.record.run, (time.monotonic() - began) * 1000)
        self.record.pending = [c for c in self.record.pending if c.id != command.id]
        await self._told.save()

    # --- across restarts of the agent

    def _go_on(self) -> None:
        """Carry out what was accepted before the agent was killed."""
        self._queue.extend(self._still_to_do())
        self._wake()

    def _still_to_do(self) -> list[Command]:
        """A reset that was interrupted has lost its nodes: what was accepted before it has no meaning any more."""
        pending = self.record.pending
        if self.record.state is RunState.RESETTING:
            first = next((i for i, c in enumerate(pending) if isinstance(c, ResetRun)), 0)
            return pending[first:]
        return list(pending)

    async def _end_loop(self) -> None:
        """What is under way is cancelled and stays pending: it was we who stopped it, it did not stop us."""
        self._closing = True
        if self._work is not None:
            self._work.cancel()
        if self._loop is not None:
            with suppress(asyncio.CancelledError):
                await asyncio.wait({self._loop})
        if self.record.tries:
            self.record.tries = 0
            await self._told.save()
