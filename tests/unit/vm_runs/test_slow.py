"""A guest that is slow, silent or asleep: whoever asks something of it is answered, and nobody else waits."""

import asyncio
import time
from pathlib import Path

import pytest

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lifecycle import RunState
from netlab.host.vm.api import Ending
from netlab.host.vm_runs import sleeping
from netlab.host.vm_runs.actor import UNANSWERED_MAX
from netlab.wire.commands import DeleteFile, LabFile, OpenStep, PauseRun, ResetRun, ResumeRun, StopRun, WriteFile
from netlab.wire.events import CommandFailed
from netlab.wire.guest_port import Kind
from tests.unit.vm_runs.kit import VmKit, VmRun


async def test_a_guest_that_does_not_answer_holds_up_no_worker(vms: VmKit) -> None:
    run = await vms.start()
    run.guest.answers_commands = False
    began = time.monotonic()
    first = await run.send(OpenStep, step="attach")
    assert time.monotonic() - began < 1
    for _ in range(UNANSWERED_MAX - 1):
        await run.send(OpenStep, step="attach")
    assert time.monotonic() - began < 1.5, "the others are not waited for"
    with pytest.raises(NetlabError) as refused:
        await run.send(OpenStep, step="attach")
    assert refused.value.code is ErrorCode.RUN_SILENT
    failed = await vms.out.told(CommandFailed, command=first.id, within_s=8)
    assert failed.error.code is ErrorCode.RUN_SILENT
    run.guest.answers_commands = True
    await vms.out.until(lambda: len(vms.out.of(CommandFailed)) == UNANSWERED_MAX, "all of them", within_s=3)
    await run.send(OpenStep, step="mtu")


async def test_a_late_no_is_told(vms: VmKit) -> None:
    run = await vms.start()
    run.guest.answers_commands = False
    sent = await run.send(OpenStep, step="attach")
    error = NetlabError(ErrorCode.STEP_UNKNOWN, step="attach", steps="none").body()
    run.guest.say(Kind.REPLY, command=sent.id, error=error.model_dump_json())
    failed = await vms.out.told(CommandFailed, command=sent.id)
    assert failed.error.code is ErrorCode.STEP_UNKNOWN


async def test_a_run_whose_machine_ends_while_it_is_put_aside_can_be_stopped(
    vms: VmKit, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is under way takes its time; a stop does not wait for that."""
    run = await vms.start()
    conversation = vms.runtime._actors[run.id].live.guest
    for_ever = asyncio.Event()
    monkeypatch.setattr(conversation, "rest", for_ever.wait)
    run.generation = 2
    await run.send(PauseRun)
    await asyncio.sleep(0.1)
    vms.machines.running[run.id].ended.set_result(Ending("panicked", "it panicked"))
    await asyncio.sleep(0.1)
    run.generation = 3
    await asyncio.wait_for(run.send(StopRun), 30)
    await run.is_now(RunState.STOPPED)


async def test_an_editor_that_saves_all_day_leaves_one_command_a_file(vms: VmKit) -> None:
    run = await _paused(vms)
    for version in (4, 6, 5):
        await run.send(WriteFile, file=LabFile(path="a.c", content=f"int v{version};\n", version=version))
        await run.send(OpenStep, step="mtu")
    await run.send(WriteFile, file=LabFile(path="b.c", content="b", version=1))
    await run.send(DeleteFile, path="b.c")
    pending = vms.runtime._actors[run.id].record.pending
    assert len(pending) == 3
    run.generation = 3
    await run.send(ResumeRun)
    await vms.out.until(lambda: len(run.guest.commands()) == 3, "what was changed")
    written = next(c for c in run.guest.commands() if isinstance(c, WriteFile))
    assert (written.file.version, written.file.content) == (6, "int v6;\n"), "the newest, whichever came last"


async def test_what_was_changed_while_paused_is_told_after_a_resume_that_a_restart_interrupted(
    vms: VmKit, monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = await _paused(vms)
    await run.send(WriteFile, file=LabFile(path="a.c", content="int b;\n", version=4))
    with monkeypatch.context() as patch:
        patch.setattr(vms.machines, "resume", lambda *_: asyncio.Event().wait())
        run.generation = 3
        await run.send(ResumeRun)
        await asyncio.sleep(0.1)
        await vms.runtime.close()
    await vms.restart()
    await vms.out.until(lambda: any(isinstance(c, WriteFile) for c in run.guest.commands()), "the file")
    assert vms.out.of(CommandFailed) == []


async def test_a_memory_that_was_half_written_when_the_agent_was_killed_is_none(
    vms: VmKit, monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = await vms.start()

    async def half(folder: Path) -> None:
        (folder / "state.new").write_text("half")
        await asyncio.Event().wait()

    monkeypatch.setattr(vms.machines.running[run.id], "suspend", half)
    run.generation = 2
    await run.send(PauseRun)
    await asyncio.sleep(0.2)
    await vms.runtime.close()
    await vms.machines.remove(run.id)
    await vms.restart()
    await run.is_now(RunState.BROKEN)


async def test_a_reset_forgets_what_was_put_off(vms: VmKit) -> None:
    run = await _paused(vms)
    await run.send(WriteFile, file=LabFile(path="a.c", content="int b;\n", version=4))
    run.generation = 3
    before = len(vms.out.events)
    await run.send(ResetRun)
    await run.is_now(RunState.RUNNING, after=before)
    await vms.out.until(lambda: vms.runtime._actors[run.id].record.pending == [], "nothing is left to do")
    assert run.guest.start is not None and run.guest.start.files[0].content == "int b;\n"


async def test_memories_leave_room_on_the_disk_for_others(vms: VmKit, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await vms.start()
    monkeypatch.setattr(sleeping, "RESERVED_DISK_MB", vms.runtime._parts.store.free_mb())
    command = await run.send(PauseRun)
    failed = await vms.out.told(CommandFailed, command=command.id)
    assert failed.error.code is ErrorCode.CANNOT_PAUSE and "nearly full" in failed.error.message
    await run.send(OpenStep, step="mtu")
    assert [r.state for r in vms.runtime.runs()] == ["running"] and not vms.runtime._parts.store.memories()


async def _paused(vms: VmKit) -> VmRun:
    run = await vms.start()
    run.generation = 2
    await run.send(PauseRun)
    await run.is_now(RunState.PAUSED)
    return run
