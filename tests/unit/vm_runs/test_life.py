"""A run in a VM from its start to its end: what the guest is told, what survives, what its loss means."""

import asyncio
import errno

import pytest

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_command_id, new_run_id
from netlab.domain.lab import Isolation, RuntimeName
from netlab.domain.lifecycle import RunState
from netlab.host.engine.terminals import NEW_SCREEN
from netlab.host.vm.api import Ending
from netlab.host.vm_runs import port
from netlab.wire.commands import LabFile, OpenStep, PauseRun, ResetRun, ResumeRun, StartRun, StopRun, WriteFile
from netlab.wire.events import (
    CommandDone,
    CommandFailed,
    FileChanged,
    HostStepFinished,
    RunStateChanged,
    TerminalClosed,
    TerminalOpened,
)
from netlab.wire.guest_port import GUEST_RUN, Kind
from netlab.wire.terminals import TerminalAck, TerminalInput
from tests.contract.kit import lab
from tests.unit.vm_runs.kit import VmKit
from tests.unit.vm_runs.peer import PeerMachine
from tests.waiting import until


async def test_a_start_bakes_clones_and_personalises_in_visible_steps(vms: VmKit) -> None:
    run = await vms.start()
    assert [e.key for e in vms.out.of(HostStepFinished) if e.ok] == ["template", "clone", "personalise"]
    assert run.guest.start is not None
    assert [(f.path, f.version) for f in run.guest.start.files] == [("a.c", 3)]
    assert [(e.run, e.terminal) for e in vms.out.of(TerminalOpened)] == [(run.id, t) for t in run.terminals]
    told = run.guest.heard[0].fields
    assert len(told["seed"]) >= 32 and len(told["machine_id"]) == 32
    again = await vms.start()
    assert [e.key for e in vms.out.of(HostStepFinished, run=again.id)] == ["clone", "personalise"]
    assert again.guest.heard[0].fields["seed"] != told["seed"]
    assert again.guest.heard[0].fields["machine_id"] != told["machine_id"]


async def test_a_start_without_an_image_is_refused_with_how_it_stands(vms: VmKit) -> None:
    (vms.config.guest_dir / "manifest.json").unlink()
    await until(lambda: vms.runtime.guest_report().state == "absent", "the image's end")
    with pytest.raises(NetlabError) as refused:
        await vms.start()
    assert refused.value.code is ErrorCode.LAB_CANNOT_RUN_HERE and "make guest" in refused.value.hint
    assert vms.out.events == [] and vms.runtime.runs() == []


async def test_a_template_that_cannot_be_baked_is_told_as_the_guest_explains_it(vms: VmKit) -> None:
    vms.templates.error = NetlabError(ErrorCode.START_FAILED, why="'wires' did not work", id="b123").body()
    run = await vms.start(wait=False)
    failed = await run.is_now(RunState.FAILED)
    assert failed.error is not None and failed.error.data["id"] == "b123" and "wires" in failed.error.message
    assert vms.machines.running == {}


async def test_a_machine_that_ends_breaks_its_run_and_a_reset_brings_it_back_with_files(vms: VmKit) -> None:
    run = await vms.start()
    run.guest.event({"kind": "file_changed", "path": "b.c", "content": "mine", "base_version": 0})
    await vms.out.told(FileChanged, path="b.c")
    vms.machines.running[run.id].ended.set_result(Ending("panicked", "it panicked: oops"))
    broken = await run.is_now(RunState.BROKEN, within_s=2)
    assert broken.error is not None and broken.error.code is ErrorCode.RUN_BROKEN and "oops" in broken.error.message
    assert vms.out.of(TerminalClosed) == [], "what they have printed can be read until the reset"
    assert vms.machines.running == {} and vms.runtime.runs()[0].memory_mb == 0
    with pytest.raises(NetlabError) as refused:
        await run.send(OpenStep, step="nowhere")
    assert refused.value.code is ErrorCode.STEP_UNKNOWN
    written = await run.send(WriteFile, file=LabFile(path="a.c", content="int edited;\n", version=4))
    await vms.out.told(CommandDone, command=written.id)
    before, offset = len(vms.out.events), vms.out.end_offset[run.terminals[0]]
    run.generation = 2
    await run.send(ResetRun)
    await run.is_now(RunState.RUNNING, after=before)
    assert run.guest.start is not None
    assert {f.path: f.content for f in run.guest.start.files} == {"a.c": "int edited;\n", "b.c": "mine"}
    await vms.out.until(lambda: vms.out.end_offset[run.terminals[0]] == offset + len(NEW_SCREEN) + 2, "the new prompt")
    assert bytes(vms.out.output[run.terminals[0]]) == b"# " + NEW_SCREEN + b"# "


async def test_a_silent_guest_is_broken_within_ten_seconds_for_who_looks(vms: VmKit) -> None:
    run = await vms.start()
    vms.runtime.set_watched({run.id})
    run.guest.dumb = True
    broken = await run.is_now(RunState.BROKEN, within_s=10)
    assert broken.error is not None and "not answered" in broken.error.message


async def test_a_silent_guest_is_noticed_where_nobody_looks(vms: VmKit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "TICK_S", 0.2)  # else it takes 21 seconds
    run = await vms.start()
    run.guest.dumb = True
    await run.is_now(RunState.BROKEN, within_s=10)
    assert sum(m.kind is Kind.PING for m in run.guest.heard) <= 3, "an idle machine is left in peace"


async def test_another_agent_in_the_guest_is_not_taken_for_the_first(vms: VmKit) -> None:
    run = await vms.start()
    guest = run.guest
    guest.session.life = "another"
    guest.session.connected()
    guest.say(Kind.BOOTED, kernel="", abilities="[]")
    broken = await run.is_now(RunState.BROKEN, within_s=3)
    assert broken.error is not None and "agent was ended" in broken.error.message


async def test_commands_go_to_the_guest_and_its_refusals_come_back(vms: VmKit) -> None:
    run = await vms.start()
    sent = await run.send(OpenStep, step="mtu")
    assert [(c.id, c.run) for c in run.guest.commands()] == [(sent.id, GUEST_RUN)]
    await vms.runtime.handle(sent)
    assert len(run.guest.commands()) == 1, "the very same command is not sent twice"
    run.guest.dumb = True
    command = asyncio.create_task(run.send(OpenStep, step="attach"))
    await until(lambda: len(run.guest.commands()) == 2, "the command")
    error = NetlabError(ErrorCode.STEP_UNKNOWN, step="attach", steps="none").body()
    run.guest.say(Kind.REPLY, command=run.guest.commands()[1].id, error=error.model_dump_json())
    with pytest.raises(NetlabError) as refused:
        await command
    assert refused.value.code is ErrorCode.STEP_UNKNOWN


async def test_a_stop_does_not_wait_for_a_guest_that_does_not_answer(vms: VmKit) -> None:
    run = await vms.start()
    run.guest.dumb = True
    waiting = asyncio.create_task(run.send(OpenStep, step="attach"))
    await asyncio.sleep(0.1)
    run.generation = 2
    await run.send(StopRun)
    await run.is_now(RunState.STOPPED, within_s=4)
    sent = await waiting
    assert (await vms.out.told(CommandFailed, command=sent.id)).error.code is ErrorCode.RUN_BROKEN
    assert vms.machines.running == {} and vms.runtime.runs() == []


async def test_pause_holds_nothing_and_resume_goes_on(vms: VmKit) -> None:
    run = await vms.start()
    terminal = run.terminals[0]
    await run.send(PauseRun)
    await run.is_now(RunState.PAUSED)
    assert vms.machines.running == {} and vms.runtime.runs()[0].memory_mb == 0
    written = await run.send(WriteFile, file=LabFile(path="a.c", content="int edited;\n", version=4))
    await vms.out.told(CommandDone, command=written.id)
    await vms.restart()
    assert vms.runtime.runs()[0].state == "paused"
    before = len(vms.out.events)
    await run.send(ResumeRun)
    await run.is_now(RunState.RUNNING, after=before)
    assert Kind.CLOCK in [m.kind for m in run.guest.heard]
    await until(lambda: [c.id for c in run.guest.commands()] == [written.id], "what was saved meanwhile")
    run.guest.output(terminal, b"more", 6)
    await vms.out.said(terminal, b"more")
    assert bytes(vms.out.output[terminal]) == b"# more", "a pause is no new screen"


async def test_a_pause_and_a_resume_that_come_twice_are_one(vms: VmKit) -> None:
    """A sweep repeats them with ids of their own while it hears nothing, also when the first is still under way."""
    run = await vms.start()
    await asyncio.gather(run.send(PauseRun), run.send(PauseRun))
    await run.is_now(RunState.PAUSED)
    before = len(vms.out.events)
    await asyncio.gather(run.send(ResumeRun), run.send(ResumeRun))
    await run.is_now(RunState.RUNNING, after=before)
    sent = await run.send(OpenStep, step="mtu")
    await until(lambda: sent.id in [c.id for c in run.guest.commands()], "the guest is the one that was woken")
    assert not [e for e in vms.out.events if e.kind == "command_failed"]
    assert {e.state for e in vms.out.of(RunStateChanged)[before:]} <= {RunState.RUNNING}
    assert vms.runtime.runs()[0].state == "running"


async def test_a_reset_of_a_run_that_is_being_resumed_is_not_told_as_running_before_it_is(vms: VmKit) -> None:
    run = await vms.start()
    await run.send(PauseRun)
    await run.is_now(RunState.PAUSED)
    before = len(vms.out.events)
    await run.send(ResumeRun)
    run.generation = 2
    reset = await run.send(ResetRun)
    await vms.out.told(RunStateChanged, state=RunState.RUNNING, command=reset.id)
    *first, last = [e for e in vms.out.events[before:] if isinstance(e, RunStateChanged) and e.generation == 2]
    assert {e.state for e in first} == {RunState.RESETTING} and last.state is RunState.RUNNING


async def test_a_pause_for_which_there_is_no_room_leaves_the_run_running(vms: VmKit) -> None:
    run = await vms.start()
    vms.machines.running[run.id].fail_suspend = OSError(errno.ENOSPC, "No space left on device")
    command = await run.send(PauseRun)
    failed = await vms.out.until(lambda: [e for e in vms.out.events if e.kind == "command_failed"], "the refusal")
    assert failed[0].command == command.id and "no space left" in failed[0].error.message
    sent = await run.send(OpenStep, step="mtu")
    assert run.guest.commands()[-1].id == sent.id
    assert vms.runtime.runs()[0].state == "running"


async def test_a_restarted_agent_finds_the_machine_its_terminals_and_files(vms: VmKit) -> None:
    run = await vms.start()
    terminal = run.terminals[0]
    await vms.restart()
    run.guest.output(terminal, b"# more", 6)  # what the old agent had told comes again
    await vms.out.said(terminal, b"more")
    assert bytes(vms.out.output[terminal]) == b"# more"
    vms.runtime.terminal(TerminalAck(run=run.id, terminal=terminal, offset=6))
    vms.runtime.terminal(TerminalInput(run=run.id, terminal=terminal, data=b"\xff\x00"))
    heard = await until(lambda: [m.fields["message"] for m in run.guest.heard if m.kind is Kind.TERMINAL][1:], "the input")
    assert heard[0]["data"] == b"\xff\x00" and heard[0]["run"] == GUEST_RUN
    await vms.machines.remove(run.id)
    await vms.restart()
    assert vms.runtime.runs()[0].state == "broken"


async def test_a_ping_lost_while_a_port_changes_hands_is_no_silence(vms: VmKit) -> None:
    run = await vms.start()
    run.guest.pings_to_lose = 1
    await vms.restart()
    assert vms.runtime.runs()[0].state == "running"


async def test_a_start_under_way_is_begun_again_after_a_restart(vms: VmKit) -> None:
    run = await vms.start(wait=False)
    await vms.restart()
    await run.is_now(RunState.RUNNING)
    assert len(vms.machines.running) == 1


async def test_a_clone_that_does_not_live_condemns_its_template(vms: VmKit, monkeypatch: pytest.MonkeyPatch) -> None:
    clone, made = vms.machines.clone, []

    async def damaged(*words: object) -> PeerMachine:
        machine = await clone(*words)  # type: ignore[arg-type]
        made.append(machine)
        if len(made) == 1:
            machine.guest.dumb = True
            machine.ended.set_result(Ending("qemu_failed", "its state could not be loaded"))
        return machine

    monkeypatch.setattr(vms.machines, "clone", damaged)
    run = await vms.start()
    assert len(made) == 2 and len(vms.templates.condemned) == 1
    assert [e.state for e in vms.out.of(RunStateChanged, run=run.id)] == [RunState.STARTING, RunState.RUNNING]


async def test_a_stale_start_is_refused(vms: VmKit) -> None:
    name = new_run_id()
    await vms.runtime.handle(StopRun(id=new_command_id(), run=name, generation=2))
    with pytest.raises(NetlabError) as refused:
        await vms.runtime.handle(StartRun(
            id=new_command_id(), run=name, generation=1, lab=lab(), lab_digest="d", files=[], runtime=RuntimeName.VM,
            isolation=Isolation.PRIVATE,
        ))
    assert refused.value.code is ErrorCode.COMMAND_STALE
