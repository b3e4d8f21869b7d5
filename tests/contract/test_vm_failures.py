"""What can happen to a machine, from outside and by its own root: its run says so within ten seconds, a reset brings it back,
and nobody else notices."""

import asyncio
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from netlab.domain.errors import ErrorCode
from netlab.domain.ids import new_terminal_id
from netlab.domain.lab import LabSpec, RuntimeName
from netlab.domain.lifecycle import RunState
from netlab.host.vm.machine import QemuMachine
from netlab.wire.commands import OpenStep, OpenTerminal, ResetRun
from netlab.wire.events import CommandDone, FileChanged, HostStepFinished, RunStateChanged, TerminalClosed, TerminalOpened
from tests.contract.kit import Kit, Run, lab, own_config

pytestmark = pytest.mark.kernel

SEEN_WITHIN_S = 12 / 3
"""Ten seconds and the host's own slowness; a recorder that waits for machines has three times the patience."""
MANY = 50
FIND_AGENT = "pgrep -of 'netlab.host [g]uest'"
FLOOD = """
import ctypes, os
agent = int(os.popen("pgrep -of 'netlab.host [g]uest'").read())
port = next(fd for fd in os.listdir(f"/proc/{agent}/fd") if "vport" in os.readlink(f"/proc/{agent}/fd/{fd}"))
SYS_pidfd_getfd = 438
ours = ctypes.CDLL(None).syscall(SYS_pidfd_getfd, os.pidfd_open(agent), int(port), 0)
os.set_blocking(ours, True)
print("flo" + "oding", flush=True)
while True:
    os.write(ours, os.urandom(30000) + bytes([0xC0]))
"""


def small() -> LabSpec:
    return lab(
        id="small", title="A small lab", links=[], programs=[], terminals=[{"node": "alone"}], nodes=[{"name": "alone"}],
        steps=[{"id": "look", "title": "Look around", "text": "steps/01.md"}],
    )


async def _is_broken(run: Run) -> str:
    event = await run.is_now(RunState.BROKEN, within_s=SEEN_WITHIN_S)
    assert event.error is not None and event.error.code is ErrorCode.RUN_BROKEN
    return event.error.message


async def _reset(run: Run) -> None:
    run.generation += 1
    seen = len(run.kit.out.events)
    await run.send(ResetRun)
    await run.is_now(RunState.RUNNING, after=seen)


async def _lives(run: Run, terminal: str) -> None:
    await run.shell(terminal, "echo still-he''re", "still-here")


async def test_a_killed_machine_breaks_its_run_and_a_reset_brings_it_back_with_its_files(vm: Kit) -> None:
    run, other = await vm.start(), await vm.start()
    terminal, extra = run.terminals[0], new_terminal_id()
    await run.send(OpenTerminal, terminal=extra, node="client")
    await vm.out.told(TerminalOpened, terminal=extra)
    await run.shell(terminal, "echo mine > /lab/mine.txt; touch /root/gone; echo do''ne", "done")
    await vm.out.told(FileChanged, path="mine.txt")
    os.kill((await _machine(run)).pid, signal.SIGKILL)
    assert "killed" in await _is_broken(run)
    closed = {e.terminal for e in vm.out.of(TerminalClosed, run=run.id)}
    assert closed == {extra}, "what the lab's own have printed can be read until the reset"
    assert run.id not in await vm.machines.owned_runs()
    await _reset(run)
    await run.shell(terminal, "cat /lab/mi*; ls /root/gone 2>&1; uptime -p", "No such file")
    assert b"mine" in vm.out.output[terminal]
    await _lives(other, other.terminals[0])


async def test_a_panic_is_told_as_one(vm: Kit) -> None:
    run = await vm.start()
    await run.prompt(run.terminals[0])
    run.type(run.terminals[0], "echo c > /proc/sysrq-trigger\n")
    assert "panicked" in await _is_broken(run)
    await _reset(run)
    await _lives(run, run.terminals[0])


async def test_a_guest_that_switches_itself_off_is_told(vm: Kit) -> None:
    run = await vm.start()
    await run.prompt(run.terminals[0])
    run.type(run.terminals[0], "echo o > /proc/sysrq-trigger\n")
    assert "switched off" in await _is_broken(run)


async def test_a_killed_agent_in_the_guest_is_told(vm: Kit) -> None:
    run = await vm.start()
    await run.prompt(run.terminals[0])
    await run.shell(run.terminals[0], f"AGENT=$({FIND_AGENT}); echo re''ady", "ready")
    run.type(run.terminals[0], "kill -9 $AGENT\n")
    assert "agent" in await _is_broken(run)
    await _reset(run)
    await _lives(run, run.terminals[0])


async def test_a_guest_whose_agent_hangs_is_told(vm: Kit) -> None:
    run = await vm.start()
    vm.runtime.set_watched({run.id})
    await run.prompt(run.terminals[0])
    await run.shell(run.terminals[0], f"AGENT=$({FIND_AGENT}); echo re''ady", "ready")
    run.type(run.terminals[0], "kill -STOP $AGENT\n")
    assert "not answered" in await _is_broken(run)


async def test_a_machine_that_stands_still_is_told(vm: Kit) -> None:
    run = await vm.start()
    vm.runtime.set_watched({run.id})
    await run.prompt(run.terminals[0])
    await (await _machine(run)).execute("stop")
    assert "not answered" in await _is_broken(run)


async def test_garbage_on_the_port_ends_its_own_run_alone(vm: Kit) -> None:
    run, other = await vm.start(files={"flood.py": FLOOD}), await vm.start()
    terminal = run.terminals[0]
    await run.prompt(terminal)
    run.type(terminal, "python3 /lab/flood.py\n")
    await vm.out.until(
        lambda: b"flooding" in vm.out.output[terminal] or vm.out.of(RunStateChanged, state=RunState.BROKEN), "the flood",
    )
    await _is_broken(run)
    await _lives(other, other.terminals[0])
    await _reset(run)
    await _lives(run, terminal)


async def test_a_guest_out_of_memory_ends_the_one_who_took_it(vm: Kit) -> None:
    run = await vm.start()
    terminal = run.terminals[0]
    await run.prompt(terminal)
    run.type(terminal, "tail /dev/zero; echo ca''me-back\n")
    await vm.out.said(terminal, b"came-back")
    await _lives(run, terminal)
    command = await run.send(OpenStep, step="mtu")
    await vm.out.told(CommandDone, command=command.id)


async def test_a_template_that_was_damaged_is_made_anew(vm: Kit) -> None:
    spec = small()
    run = await vm.start(spec)
    template = vm.vms.runtime.template_of(run.id)
    assert template is not None
    await run.stop()
    state = template.state
    state.chmod(0o600)
    state.write_bytes(state.read_bytes()[:-1000] + bytes(1000))
    await vm.close()
    await vm.open()
    seen = len(vm.out.events)
    run = await vm.start(spec)
    steps = [e.key for e in vm.out.events[seen:] if isinstance(e, HostStepFinished) and e.ok]
    assert "damaged" in steps and "template" in steps
    await _lives(run, run.terminals[0])


async def test_a_disk_that_is_full_while_a_template_is_made(tmp_path: Path) -> None:
    """Nothing half is left of it; with room again the same start works."""
    with own_config(tmp_path / "state") as config:
        folder = tmp_path / "templates"
        folder.mkdir()
        _call("mount", "-t", "tmpfs", "-o", "size=200m,mode=700", "netlab-test", str(folder))
        kit = Kit(config.model_copy(update={"templates_dir": folder}), RuntimeName.VM)
        try:
            _copy_base(config.templates_dir, folder)
            await kit.open()
            before = {path.name for path in folder.iterdir()}
            run = await kit.start(wait=False)
            failed = await run.is_now(RunState.FAILED)
            assert failed.error is not None and "No space left" in failed.error.message
            assert {path.name for path in folder.iterdir()} == before
            assert await kit.what_is_left() == []
            _call("mount", "-o", "remount,size=800m", str(folder))
            again = await kit.start()
            await _lives(again, again.terminals[0])
        finally:
            await kit.end()
            _call("umount", str(folder))


@pytest.mark.timeout(600)
async def test_fifty_starts_at_once_wait_for_their_turn_and_none_is_lost(vm: Kit) -> None:
    await (await vm.start()).stop()
    runs = await asyncio.gather(*(vm.start(wait=False) for _ in range(MANY)))
    for run in runs:
        await run.is_now(RunState.RUNNING, within_s=100)
    assert len({e.run for e in vm.out.of(HostStepFinished, key="turn")}) >= MANY - vm.config.vm_clones_at_once
    await asyncio.gather(*(_lives(run, run.terminals[0]) for run in runs[:: MANY // 5]))
    await asyncio.gather(*(run.stop() for run in runs))
    assert await vm.what_is_left() == []
    assert vm.out.of(RunStateChanged, state=RunState.FAILED) == vm.out.of(RunStateChanged, state=RunState.BROKEN) == []


async def _machine(run: Run) -> QemuMachine:
    machine = await run.kit.machines.adopt(run.id)
    assert machine is not None
    return machine


def _copy_base(from_folder: Path, to_folder: Path) -> None:
    """The newest template that has said what it can do: a base. It is what every lab's template begins with."""
    bases = [path.parent for path in from_folder.glob("*/said.json")]
    base = max(bases, key=lambda path: path.stat().st_mtime)
    shutil.copytree(base, to_folder / base.name, copy_function=_copy_sparse)


def _copy_sparse(source: str, target: str) -> None:
    _call("cp", "--sparse=always", "-p", source, target)


def _call(*argv: str) -> None:
    subprocess.run(argv, check=True)
