"""Brings a run's machine into being, back to its first state, to sleep, and away: whole, or not at all.

Called by the run's actor, one call at a time; a start or reset that is cancelled or fails is undone before it returns. How
a machine is made is `netlab.host.vm`'s business, what is said with it `Conversation`'s.
"""

import asyncio
import logging
import time

from netlab.domain.errors import ErrorBody, ErrorCode, NetlabError
from netlab.domain.ids import new_bug_id
from netlab.domain.lab import RuntimeName
from netlab.domain.lifecycle import RunState
from netlab.host.engine.state import FileState
from netlab.host.engine.step_teller import StepTeller, turn
from netlab.host.engine.terminals import NEW_SCREEN
from netlab.host.steps import Steps
from netlab.host.vm.api import Machine, MachineFailed, Template
from netlab.host.vm_runs import baking
from netlab.host.vm_runs.conversation import Conversation
from netlab.host.vm_runs.live_vm import LiveVm
from netlab.host.vm_runs.record import TemplateNote
from netlab.wire.commands import LabFile, ResetRun, StartRun

log = logging.getLogger(__name__)

CLONE_LIMIT_S = 150
"""From the machine's start until it is somebody's; a fifth of a second when the host has time. A machine that hangs is known
by its silence, long before: this is for hosts that have much too much to do."""
PERSONALISE_LIMIT_S = 100
CLONE_TRIES = 3
"""A machine that does not come up is its template's fault at once; one that is silent, when the next one is, too."""


async def start(live: LiveVm, command: StartRun) -> None:
    """From STARTING to RUNNING or FAILED. Cancelled: undone, the state is the canceller's business."""
    sink = StepTeller(live, command.id)
    live.record.tries += 1
    await live.save()
    try:
        if live.record.tries > 1:
            await remove(live)
        await _build(live, sink, command.id)
    except Exception as error:
        await fail(live, _explain(live, error, sink), command.id)
        return
    await running(live, command.id)


async def reset(live: LiveVm, command: ResetRun) -> None:
    """From RESETTING to RUNNING or FAILED: a new machine, the same terminals for those that the lab declares."""
    sink = StepTeller(live, command.id)
    live.record.tries += 1
    _forget_before(live, command)
    await live.save()
    try:
        if command.files is not None:
            live.record.files = {f.path: FileState(version=f.version, content=f.content) for f in command.files}
        elif live.conversation is not None:
            await live.conversation.sync()
        live.close_terminals("the lab was reset", declared=False)
        live.record.outcomes, live.record.error = {}, None
        await remove(live)
        await _build(live, sink, command.id)
    except Exception as error:
        await fail(live, _explain(live, error, sink), command.id)
        return
    await running(live, command.id)


def _forget_before(live: LiveVm, command: ResetRun) -> None:
    """What was put off while the run was paused is in its files: it is not to be said to the new guest, now or ever."""
    accepted = [each.id for each in live.record.pending]
    if command.id in accepted:
        live.record.pending = live.record.pending[accepted.index(command.id):]


async def stop(live: LiveVm, command: str | None) -> None:
    """From STOPPING to STOPPED; to FAILED only when something of the run cannot be removed."""
    sink = StepTeller(live, command)
    try:
        async with Steps(sink).step("remove", "Take the lab down"):
            if live.conversation is not None:
                await live.conversation.sync()  # the last edits made in a shell are told before /lab goes away
            live.close_terminals("the lab was stopped", declared=True)
            await remove(live)
    except Exception as error:
        await fail(live, _explain(live, error, sink), command)
        return
    await _end(live, RunState.STOPPED, None, command)


async def fail(live: LiveVm, error: ErrorBody, command: str | None) -> None:
    """To FAILED: nothing is held any more."""
    live.close_terminals(error.message, declared=True)
    try:
        await remove(live)
    except Exception:  # what is left carries our mark and is removed at the next start of the agent
        log.exception("removing run %s after a failure", live.run)
    await _end(live, RunState.FAILED, error, command)


async def break_down(live: LiveVm, why: str) -> None:
    """To BROKEN: its machine is of no use any more and goes; files and terminals wait for a reset."""
    log.warning("run %s is broken: %s", live.run, why)
    error = NetlabError(ErrorCode.RUN_BROKEN, why=why)
    live.close_terminals(error.message, declared=False)  # what the lab's own have printed can be read until the reset
    try:
        await remove(live)
    except Exception:  # the reset removes it once more
        log.exception("removing the machine of run %s", live.run)
    live.record.state, live.record.error, live.record.changed_at = RunState.BROKEN, error.body(), time.time()
    live.record.pending, live.record.tries = [], 0
    await live.save()
    live.tell_state()


async def running(live: LiveVm, command: str | None) -> None:
    live.record.state, live.record.tries, live.record.error = RunState.RUNNING, 0, None
    await live.save()
    live.tell_state(command)


async def remove(live: LiveVm) -> None:
    """Nothing of the run's machine is there when this returns, also nothing that it had put aside."""
    await let_go(live)
    await live.parts.machines.remove(live.run)
    live.parts.release_uid(live.run)
    live.parts.store.drop_memory(live.run)


async def let_go(live: LiveVm) -> None:
    conversation, live.conversation = live.conversation, None
    if conversation is not None:
        await conversation.close()


async def begin_conversation(live: LiveVm, machine: Machine) -> Conversation:
    """Also with a machine that was found again."""
    conversation = live.conversation = Conversation(live, machine)
    await conversation.open()
    return conversation


async def _build(live: LiveVm, sink: StepTeller, command: str) -> None:
    """Everything from the template to shells that wait; on any failure all of it is taken back."""
    async with Steps(sink) as steps:
        steps.undo("the machine", lambda: remove(live))
        template = await _template(live, steps)
        async with turn(live.parts.clone_slots, sink, "Wait for other labs that are being started"):
            for failures in range(CLONE_TRIES):
                try:
                    await _clone(live, steps, template, command)
                    break
                except (MachineFailed, TimeoutError, NetlabError) as error:
                    if failures + 1 == CLONE_TRIES or not _may_be_the_machines_fault(error):
                        raise
                    log.warning("a clone of %s does not live: %r", template.key, error)
                    await remove(live)
                    if isinstance(error, MachineFailed) or failures:
                        await live.parts.guest.templates.condemn(template)
                        template = await _template(live, steps)
        steps.keep()


def _may_be_the_machines_fault(error: Exception) -> bool:
    """It does not come up, or does not answer; what the engine in it refuses is something else."""
    return not isinstance(error, NetlabError) or error.code is ErrorCode.RUN_BROKEN


async def _template(live: LiveVm, steps: Steps) -> Template:
    if live.parts.guest.is_trying:
        async with steps.step("guest", "Wait until the guest's kernel has been tried"):
            await live.parts.guest.tried()
    digest = baking.digest_of(live.lab)
    return await live.parts.guest.templates.get(digest, live.shape, live.parts.guest.greet, baking.bake(live.lab), steps)


async def _clone(live: LiveVm, steps: Steps, template: Template, command: str) -> None:
    async with asyncio.timeout(CLONE_LIMIT_S):
        async with steps.step("clone", "Copy a machine that has the lab in it"):
            uid = live.parts.take_uid(live.run)
            machine = await live.parts.machines.clone(live.run, template, uid)
            live.record.template = TemplateNote.of(template)
        async with steps.step("personalise", "Make it yours: clock, keys, files, terminals"):
            conversation = await begin_conversation(live, machine)
            _new_screens(live)
            try:
                async with asyncio.timeout(PERSONALISE_LIMIT_S):
                    await conversation.personalise(_start_of(live, command))
            except NetlabError as error:
                if machine.ended.done() and error.code is ErrorCode.RUN_BROKEN:
                    raise MachineFailed(machine.ended.result().why) from error
                raise


def _new_screens(live: LiveVm) -> None:
    """Browsers that have drawn another machine's terminals begin with an empty screen."""
    for state in live.record.terminals:
        line = live.lines.line(state.id)
        if line.offset:
            live.parts.outlet.terminal_output(state.id, *live.lines.say(state.id, NEW_SCREEN))
        live.lines.begin_anew(state.id)


def _start_of(live: LiveVm, command: str) -> StartRun:
    """The run as it is to be now: what a StartRun would say that came today."""
    record = live.record
    files = [LabFile(path=path, content=f.content, version=max(1, f.version)) for path, f in record.files.items()]
    return StartRun(
        id=command, run=record.run, generation=record.generation, lab=live.lab, lab_digest=baking.digest_of(live.lab),
        files=files, runtime=RuntimeName.VM, isolation=record.isolation, open_step=record.open_step,
        terminals=[t.id for t in record.terminals if t.declared],
    )


async def _end(live: LiveVm, state: RunState, error: ErrorBody | None, command: str | None) -> None:
    record = live.record
    record.state, record.error, record.changed_at = state, error, time.time()
    record.forget_content()
    await live.settle()
    await live.save()
    live.tell_state(command)


def _explain(live: LiveVm, error: Exception, sink: StepTeller) -> ErrorBody:
    """What the attendee is told; a bug's traceback goes to the log under the id they are told."""
    bug = new_bug_id()
    if isinstance(error, NetlabError) and error.code is not ErrorCode.RUN_BROKEN:
        if error.code not in (ErrorCode.START_FAILED, ErrorCode.BUG) or error.data.get("id"):
            return error.body()
        return NetlabError(error.code, **{**error.data, "id": bug}).body()
    log.error("run %s could not be built (%s)", live.run, bug, exc_info=error)
    why = f"'{sink.failed_title}' did not work" if sink.failed_title else "something in netlab broke"
    if isinstance(error, TimeoutError):
        why = "its machine did not answer in time"
    elif isinstance(error, OSError) and error.strerror:
        why = f"{why}: {error.strerror}"
    elif isinstance(error, MachineFailed | baking.BakeFailed | NetlabError):
        why = f"{why}: {error}".rstrip(".")
    return NetlabError(ErrorCode.START_FAILED, why=why, id=bug).body()
