"""One actor a run: accepts its commands, carries them out one after the other, knows doubled and late ones.

Made and asked by the `namespaces` runtime. StopRun is the one command that does not wait: it cancels what is under way.
The actor knows no kernel; it decides *whether* and *when*, `carry_out` knows what.
"""

import asyncio
import logging
import os
import time
from collections import deque
from contextlib import suppress

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_bug_id
from netlab.domain.lifecycle import RunState, check_move
from netlab.host.engine import attention, carry_out, lifecycle, shells
from netlab.host.engine.live_run import LiveRun
from netlab.host.engine.parts import HeldMaster, Parts
from netlab.host.engine.state import FileState, RunRecord
from netlab.host.engine.terminals import TerminalDesk
from netlab.wire.commands import Command, ResetRun, StartRun, StopRun
from netlab.wire.events import CommandFailed, StormStopped

log = logging.getLogger(__name__)

ACCEPTS = frozenset({RunState.STARTING, RunState.RUNNING, RunState.RESETTING})
"""States in which commands about a run's inside are taken; they wait until it runs."""
START_TRIES_MAX = 2
"""A start or reset during which the agent was killed is begun once more, not for ever."""


class RunActor:
    def __init__(self, parts: Parts, desk: TerminalDesk, record: RunRecord, runtime: str) -> None:
        self.record = record
        self.live = LiveRun(parts, desk, record)
        self._runtime = runtime
        self._queue: deque[Command] = deque()
        self._loop: asyncio.Task[None] | None = None
        self._work: asyncio.Task[None] | None = None
        self._accepting = asyncio.Lock()
        self._closing = False
        self._stormed: set[tuple[str, str]] = set()

    # --- accepting

    async def accept(self, command: Command) -> None:
        """Returns when the command is on disk and will be carried out. Raises NetlabError; then nothing has changed."""
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
            else:
                self._check_inside(command)
                await self._enqueue(command)

    async def _accept_start(self, command: StartRun) -> None:
        record = self.record
        if record.active or (record.generation == command.generation and record.commands):
            self.live.tell_state(command.id)
            return
        carry_out.check_start(command, self._runtime)
        record.lab, record.lab_digest, record.isolation = command.lab, command.lab_digest, command.isolation
        record.files = {f.path: FileState(version=f.version, content=f.content) for f in command.files}
        record.open_step, record.terminals = command.open_step, shells.declared(command)
        record.outcomes, record.tries, record.error = {}, 0, None
        await self._move(RunState.STARTING, command)

    async def _accept_stop(self, command: StopRun) -> None:
        if self.record.state is RunState.STOPPING or (self.record.state is RunState.STOPPED and self.record.commands):
            self.record.generation = command.generation
            await self.live.save(durable=True)
            self.live.tell_state(command.id)
            return
        self._queue.clear()
        self.record.pending = []
        if self._work is not None:
            self._work.cancel()  # before the state is set: nothing that is under way may set another one after it
        await self._move(RunState.STOPPING, command)

    async def _accept_reset(self, command: ResetRun) -> None:
        if command.generation == self.record.generation:
            self.live.tell_state(command.id)
            return
        if self.record.state is not RunState.RESETTING:
            check_move(self.record.state, RunState.RESETTING)
        await self._move(RunState.RESETTING, command)

    def _check_inside(self, command: Command) -> None:
        if self.record.state not in ACCEPTS:
            raise NetlabError(ErrorCode.RUN_NOT_RUNNING)
        carry_out.check(self.live, command)

    async def _move(self, state: RunState, command: Command) -> None:
        """A wish about the whole run: a new generation and state, told once they are on disk."""
        before = self.record.state, self.record.generation
        self.record.state, self.record.generation, self.record.changed_at = state, command.generation, time.time()
        try:
            await self._enqueue(command)
        except OSError:
            self.record.state, self.record.generation = before
            raise
        self.live.tell_state(command.id)

    async def _enqueue(self, command: Command) -> None:
        record = self.record
        record.pending = [*record.pending, command]
        record.remember(command.id)
        try:
            await self.live.save(durable=True)
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
            command = self._queue.popleft()
            self._work = asyncio.create_task(self._carry_out(command), name=f"{command.kind} {self.record.run}")
            await asyncio.wait({self._work})
            self._work = None
        self._loop = None

    async def _carry_out(self, command: Command) -> None:
        """Ends well, told as failed, or cancelled (by StopRun, or because the agent closes: then it stays pending)."""
        live, began = self.live, time.monotonic()
        try:
            await carry_out.carry_out(live, command)
        except NetlabError as error:
            live.tell(CommandFailed, command.id, error=error.body())
        except Exception:  # the edge of the run's loop: a bug ends one command, never the run
            bug = new_bug_id()
            log.exception("command %s of run %s broke (%s)", command.kind, live.run, bug)
            live.tell(CommandFailed, command.id, error=NetlabError(ErrorCode.BUG, id=bug).body())
        log.info("%s of %s took %.0f ms", command.kind, live.run, (time.monotonic() - began) * 1000)
        self.record.pending = [c for c in self.record.pending if c.id != command.id]
        await live.save()

    # --- beside the commands

    def set_watched(self, watched: bool) -> None:
        if watched != self.live.watched:
            self.live.watched = watched
            if watched:
                self.live.told_verdicts = {}
            attention.refresh(self.live)

    def storm(self, node: str, interface: str, pps: int, limit_pps: int) -> None:
        """The guard saw too many packets: the link goes down at once, whatever else the run is doing."""
        if (node, interface) not in self._stormed and self.live.run_nodes is not None:
            self._stormed.add((node, interface))
            self.live.background(self._stop_storm(node, interface, pps, limit_pps))

    async def _stop_storm(self, node: str, interface: str, pps: int, limit_pps: int) -> None:
        try:
            await self.live.parts.nodes.set_link(self.live.nodes_there, node, interface, False)
            shown = os.fsencode(interface).decode(errors="backslashreplace")  # attendees may name devices by any bytes
            self.live.tell(StormStopped, node=node, interface=shown, pps=pps, limit_pps=limit_pps)
        except Exception:  # a background task's edge: the guard sees the storm again and asks again
            log.exception("setting %s:%s of %s down", node, interface, self.record.run)
        finally:
            self._stormed.discard((node, interface))

    # --- across restarts of the agent

    async def pick_up(self, held: dict[str, HeldMaster]) -> None:
        """Go on where a killed agent left off: adopt what is there, carry out what was accepted."""
        record = self.record
        if not record.active:
            return
        if record.state is RunState.RUNNING:
            if not await lifecycle.adopt(self.live, held):
                return
        elif record.state is not RunState.STOPPING and record.tries >= START_TRIES_MAX:
            why = "netlab was stopped twice while it was being built"
            await lifecycle.fail(self.live, NetlabError(ErrorCode.RUN_LOST, why=why).body(), None)
            return
        self._queue.extend(self._still_to_do())
        self._wake()

    def _still_to_do(self) -> list[Command]:
        """A reset that was interrupted has lost its nodes: what was accepted before it has no meaning any more."""
        pending = self.record.pending
        if self.record.state is RunState.RESETTING:
            first = next((i for i, c in enumerate(pending) if isinstance(c, ResetRun)), 0)
            return pending[first:]
        return list(pending)

    async def close(self) -> None:
        """Let go without ending the run: what is under way is undone and stays pending, shells stay with the holder."""
        self._closing = True
        await attention.pause(self.live)
        self.live.node_watch.end()
        if self._work is not None:
            self._work.cancel()
        if self._loop is not None:
            with suppress(asyncio.CancelledError):
                await asyncio.wait({self._loop})
        if self.record.tries:
            self.record.tries = 0  # it was we who stopped it, it did not stop us
            self.live.save_soon()
        await self.live.settle()
        for terminal in self.live.desk.of_run(self.record.run):
            self.live.desk.remove(terminal.id)
            terminal.let_go()
        self.live.mirror.close()
