"""Pause and resume: a run's memory goes to the disk and comes back; meanwhile nothing is held. Called by the run's actor.

A pause that fails leaves the run running. A resume that fails leaves it broken: a reset brings it back with its files.
"""

import logging
import time

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lifecycle import RunState
from netlab.host.engine.step_teller import StepTeller
from netlab.host.steps import Steps
from netlab.host.vm.api import MachineFailed
from netlab.host.vm_runs import lifecycle
from netlab.host.vm_runs.live_vm import LiveVm

log = logging.getLogger(__name__)

WAKE_LIMIT_S = 8.0
RESERVED_DISK_MB = 512
"""Left to others: the database lies on the same disk, and without room nobody can save anything."""
NO_MEMORY = "its memory was not found on the disk"
NOT_WOKEN = "its memory could not be brought back from the disk"


async def pause(live: LiveVm, command: str) -> None:
    """From RUNNING to PAUSED, or to RUNNING still with CANNOT_PAUSE."""
    conversation, folder = live.guest, live.parts.store.memory_folder(live.run)
    if live.parts.store.free_mb() < live.shape.memory_mb + RESERVED_DISK_MB:
        raise NetlabError(ErrorCode.CANNOT_PAUSE, why="the disk of its host is nearly full")
    async with Steps(StepTeller(live, command)).step("pause", "Write the machine's memory to the disk"):
        await conversation.sync()
        await conversation.rest()
        await conversation.close()
        live.conversation = None
        live.parts.store.drop_memory(live.run)
        folder.mkdir(mode=0o700)
        try:
            await conversation.machine.suspend(folder)
        except (OSError, MachineFailed) as error:
            log.warning("run %s could not be paused: %s", live.run, error)
            live.parts.store.drop_memory(live.run)
            await lifecycle.begin_conversation(live, conversation.machine)
            raise NetlabError(ErrorCode.CANNOT_PAUSE, why=_why(error)) from error
        await live.parts.machines.remove(live.run)
        live.parts.release_uid(live.run)
    if live.record.state is not RunState.RUNNING:
        return  # a reset was accepted meanwhile: it begins with a machine of its own
    live.record.state, live.record.changed_at = RunState.PAUSED, time.time()
    await live.save(durable=True)
    live.tell_state(command)


async def resume(live: LiveVm, command: str | None) -> None:
    """From PAUSED to RUNNING, or to BROKEN. Raises LAB_CANNOT_RUN_HERE while no guest runs here: it stays PAUSED then."""
    await live.parts.guest.tried()
    live.parts.guest.check_ready()
    folder, template = live.parts.store.memory_folder(live.run), live.record.template
    if template is None or not live.parts.store.has_memory(live.run):
        await lifecycle.break_down(live, NO_MEMORY)
        return
    try:
        async with Steps(StepTeller(live, command)).step("resume", "Bring the machine back from the disk"):
            await live.parts.machines.remove(live.run)  # of an earlier try
            machine = await live.parts.machines.resume(live.run, folder, template.template(), live.parts.take_uid(live.run))
            conversation = await lifecycle.begin_conversation(live, machine)
            await conversation.wake(WAKE_LIMIT_S)
    except (OSError, TimeoutError, MachineFailed, NetlabError) as error:
        log.warning("run %s could not be resumed: %r", live.run, error)
        if live.record.state is RunState.PAUSED:
            await lifecycle.break_down(live, NOT_WOKEN)
        return
    if live.record.state is RunState.PAUSED:  # else a reset was accepted meanwhile
        await lifecycle.running(live, command)
    live.parts.store.drop_memory(live.run)


def _why(error: Exception) -> str:
    strerror = error.strerror if isinstance(error, OSError) else None
    return f"its memory could not be written to the disk ({(strerror or str(error)).lower()})"
