"""One actor a run in a VM: what of its life the host carries out, what goes to the guest's engine, and what follows its end.

Made and asked by the `vm` runtime. Commands about the inside of a run that runs are accepted by the guest's engine; before
that they wait here, on disk. While a run is paused or broken its files and its open step can still be changed.
"""

import asyncio
import logging
from collections.abc import Awaitable

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import RuntimeName
from netlab.domain.lifecycle import RunState, check_move
from netlab.host.engine import carry_out
from netlab.host.engine.accepting import START_TRIES_MAX, AcceptingActor
from netlab.host.programs import layout
from netlab.host.vm_runs import files, lifecycle, sleeping
from netlab.host.vm_runs.conversation import REPLY_LIMIT_S, Conversation
from netlab.host.vm_runs.live_vm import LiveVm
from netlab.host.vm_runs.parts import VmParts
from netlab.host.vm_runs.record import VmRecord
from netlab.wire.commands import (
    Command,
    DeleteFile,
    FormatFile,
    LabFile,
    OpenStep,
    OpenTerminal,
    PauseRun,
    ResetRun,
    ResumeRun,
    StartRun,
    StopRun,
    WriteFile,
)
from netlab.wire.events import CommandDone, CommandFailed

log = logging.getLogger(__name__)

ADOPT_LIMIT_S = 10.0
"""A guest that has nobody to speak with for a while is still there within this time."""
BEGINS_TO_RUN = (StartRun, ResetRun, ResumeRun)
"""While the end of one of these is still tidied up, the run is running already."""
AT_REST = (WriteFile, DeleteFile, OpenStep)
"""What can be wished of a run whose guest is not there: it is put right when one is."""
ANSWER_WAIT_S = 0.5
"""How long whoever hands a command over waits for the guest's own yes or no: few workers serve all runs of a host."""
UNANSWERED_MAX = 16


class VmActor(AcceptingActor):
    def __init__(self, parts: VmParts, record: VmRecord) -> None:
        self.live = LiveVm(parts, record)
        super().__init__(self.live)
        self._heard: Conversation | None = None
        self._unanswered: set[asyncio.Task[None]] = set()

    # --- accepting

    def _check_start(self, command: StartRun) -> None:
        carry_out.check_start(command, RuntimeName.VM.value)
        self.live.parts.guest.check_ready()

    async def _accept_pause(self, command: PauseRun | ResumeRun) -> None:
        wanted = RunState.PAUSED if isinstance(command, PauseRun) else RunState.RUNNING
        if self.record.state is wanted:
            self.live.tell_state(command.id)
            return
        check_move(self.record.state, wanted)
        self.record.generation = command.generation
        await self._enqueue(command)

    async def _accept_inside(self, command: Command) -> Awaitable[None] | None:
        state = self.record.state
        if state in (RunState.PAUSED, RunState.BROKEN) and isinstance(command, AT_REST):
            await self._change_at_rest(command)
        elif state is RunState.BROKEN and self.record.error is not None:
            raise self.record.error.to_error()
        elif state in (RunState.STARTING, RunState.RESETTING):
            carry_out.check(self.live.lab, self.record.files, command)
            await self._enqueue(command)
        elif state is RunState.RUNNING and isinstance(command, FormatFile):
            self.live.background(self._format(command))
        elif state is RunState.RUNNING:
            if not self._queue and (self._doing is None or isinstance(self._doing, BEGINS_TO_RUN)):
                return self._forward_now(command)
            await self._enqueue(command)  # behind a pause, or what waited for the start
        else:
            raise NetlabError(ErrorCode.RUN_NOT_RUNNING)
        return None

    async def _forward_now(self, command: Command) -> None:
        """Accepted by the guest's engine; or by us, when that is slow: its no is told as an event then. While one command has
        no answer the next ones wait for none: a guest that says nothing may not hold up other people's commands."""
        if len(self._unanswered) >= UNANSWERED_MAX:
            raise NetlabError(ErrorCode.RUN_SILENT, limit_s=int(REPLY_LIMIT_S))
        forwarding = asyncio.create_task(self._forward(command))
        await asyncio.wait({forwarding}, timeout=0 if self._unanswered else ANSWER_WAIT_S)
        if forwarding.done():
            forwarding.result()
        else:
            self._unanswered.add(forwarding)
            self.live.background(self._await_answer(command, forwarding))
        self.record.remember(command.id)
        self.live.save_soon()

    async def _await_answer(self, command: Command, forwarding: asyncio.Task[None]) -> None:
        try:
            await forwarding
        except NetlabError as error:
            self.live.tell(CommandFailed, command.id, error=error.body())
        finally:
            self._unanswered.discard(forwarding)

    async def _change_at_rest(self, command: Command) -> None:
        """The record is what the next guest begins with; a paused one is told when it is back."""
        carry_out.check(self.live.lab, self.record.files, command)
        self.record.remember(command.id)
        if isinstance(command, OpenStep):
            self.record.open_step = command.step
        files.carried_out(self.record, command)
        if self.record.state is RunState.PAUSED:
            self._put_off(command)
        await self.live.save(durable=True)
        self.live.tell(CommandDone, command.id, what="it is kept for when the lab runs again")

    def _put_off(self, command: Command) -> None:
        """Of each file, and of the open step, the newest is enough: an editor may save all day."""
        if isinstance(command, WriteFile):
            path = command.file.path
            newest = self.record.files[path]
            file = LabFile(path=path, content=newest.content, version=max(1, newest.version))
            command = command.model_copy(update={"file": file})
        self.record.pending = [c for c in self.record.pending if _is_about(c) != _is_about(command)] + [command]

    # --- carrying out

    async def _do(self, command: Command) -> None:
        try:
            await self._carry_out_here(command)
        finally:
            self._listen()

    async def _carry_out_here(self, command: Command) -> None:
        if isinstance(command, StartRun):
            await lifecycle.start(self.live, command)
        elif isinstance(command, StopRun):
            await lifecycle.stop(self.live, command.id)
        elif isinstance(command, ResetRun):
            await lifecycle.reset(self.live, command)
        elif isinstance(command, PauseRun | ResumeRun):
            await self._sleep_or_wake(command)
        elif isinstance(command, FormatFile):
            await self._format(command)
        else:
            await self._forward(command)

    async def _format(self, command: FormatFile) -> None:
        """The host's own: guests have no compiler."""
        reply = await layout.answer(self.live.parts.compiler, command.path, command.content)
        self.live.parts.outlet.blob(command.id, reply)
        self.live.tell(CommandDone, command.id, what=f"{command.path} was looked at for its layout")

    async def _sleep_or_wake(self, command: PauseRun | ResumeRun) -> None:
        """Once, however often it was asked while the first of these was under way; not when a reset is to come after all."""
        before = self.record.state
        if isinstance(command, PauseRun) and before is RunState.RUNNING:
            await sleeping.pause(self.live, command.id)
        elif isinstance(command, ResumeRun) and before is RunState.PAUSED:
            await sleeping.resume(self.live, command.id)
            if self.record.state is RunState.RUNNING:
                self._queue.extendleft(reversed([c for c in self.record.pending if isinstance(c, AT_REST)]))
        else:
            self.live.tell_state(command.id)

    async def _forward(self, command: Command) -> None:
        """To the guest's engine, which accepts or refuses it and tells what becomes of it."""
        conversation = self.live.guest
        if isinstance(command, OpenTerminal):
            self.live.expect_terminal(command)
        try:
            await conversation.command(command)
        except NetlabError:
            if isinstance(command, OpenTerminal):
                self.live.forget_terminal(command.terminal)
            raise

    def _listen(self) -> None:
        """From now on the guest's end ends the run, and it knows who looks."""
        conversation = self.live.conversation
        if conversation is None or conversation is self._heard or self.record.state is not RunState.RUNNING:
            return
        self._heard = conversation
        conversation.watch(self.live.watched)
        conversation.lost.add_done_callback(lambda lost: self._lost(conversation, lost))

    def _lost(self, conversation: Conversation, lost: "asyncio.Future[str]") -> None:
        if not lost.cancelled() and conversation is self.live.conversation and not self._closing:
            self.live.background(self._break(conversation, lost.result()))

    async def _break(self, conversation: Conversation, why: str) -> None:
        """Between two commands, so that none of them meets half a run; a stop or reset comes before it."""
        while True:
            async with self._accepting:
                if conversation is not self.live.conversation or self.record.state is not RunState.RUNNING:
                    return
                work = self._work
                if work is None or work.done():
                    self._queue.clear()
                    await lifecycle.break_down(self.live, why)
                    return
            await asyncio.wait({work})

    # --- beside the commands

    def set_watched(self, watched: bool) -> None:
        self.live.watched = watched
        if self.live.conversation is not None and self.record.state is RunState.RUNNING:
            self.live.conversation.watch(watched)

    # --- across restarts of the agent

    async def pick_up(self) -> None:
        """Go on where a killed agent left off: find the machine again, carry out what was accepted."""
        record = self.record
        if not record.active:
            return
        for state in record.terminals:
            self.live.lines.go_on_at(state.id, await self.live.parts.end_offset(state.id))
        if record.state is RunState.RUNNING:
            if not await self._adopt():
                return
        elif record.state in (RunState.STARTING, RunState.RESETTING) and record.tries >= START_TRIES_MAX:
            why = "netlab was stopped twice while it was being built"
            await lifecycle.fail(self.live, NetlabError(ErrorCode.RUN_LOST, why=why).body(), None)
            return
        if record.state is not RunState.PAUSED or any(isinstance(c, ResumeRun) for c in record.pending):
            self._go_on()

    def _still_to_do(self) -> list[Command]:
        """What was changed while it was paused follows its resume, whenever that comes."""
        todo = super()._still_to_do()
        return [c for c in todo if not isinstance(c, AT_REST)] if self.record.state is RunState.PAUSED else todo

    async def _adopt(self) -> bool:
        live = self.live
        machine = await live.parts.machines.adopt(live.run)
        if machine is None:
            if any(isinstance(c, PauseRun) for c in self.record.pending) and live.parts.store.has_memory(live.run):
                self.record.state, self.record.pending = RunState.PAUSED, []
                await live.save()
                live.tell_state()
                return True
            await lifecycle.break_down(live, "it ended while netlab was away")
            return False
        try:
            conversation = await lifecycle.begin_conversation(live, machine)
            await conversation.wake(ADOPT_LIMIT_S)
        except (OSError, TimeoutError, NetlabError) as error:
            why = str(error.data.get("why")) if isinstance(error, NetlabError) else "it does not answer after netlab was away"
            await lifecycle.break_down(live, why)
            return False
        live.tell_state()
        self._listen()
        return True

    async def close(self) -> None:
        """Let go without ending the run: what is under way is undone and stays pending, the machine goes on."""
        await self._end_loop()
        await lifecycle.let_go(self.live)
        await self.live.settle()


def _is_about(command: Command) -> str:
    """Two commands about the same: the later one counts."""
    if isinstance(command, WriteFile):
        return f"file {command.file.path}"
    if isinstance(command, DeleteFile):
        return f"file {command.path}"
    return "step" if isinstance(command, OpenStep) else command.id
