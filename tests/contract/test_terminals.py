"""Terminals: what is typed arrives, what is printed arrives once and in order, and nobody can make a buffer grow."""

import asyncio
import time

import pytest

from netlab.domain.errors import ErrorCode
from netlab.domain.ids import new_terminal_id
from netlab.wire.commands import CloseTerminal, OpenTerminal
from netlab.wire.events import CommandFailed, TerminalClosed, TerminalOpened
from netlab.wire.terminals import UNACKED_HIGH_BYTES
from tests.contract.kit import Kit, Run

pytestmark = pytest.mark.kernel


async def _open(kit: Kit, run: Run, **size: int) -> str:
    terminal = new_terminal_id()
    await run.send(OpenTerminal, terminal=terminal, node="client", **size)
    await kit.out.told(TerminalOpened, terminal=terminal)
    await run.prompt(terminal)
    return terminal


async def test_prompt_input_size_and_letters_of_every_language(kit: Kit) -> None:
    run = await kit.start()
    terminal = await _open(kit, run, rows=40, cols=132)
    await run.shell(terminal, "stty size", "40 132")
    run.resize(terminal, 50, 200)
    await run.shell(terminal, "stty size", "50 200")
    await run.shell(terminal, "echo ż''ółć 日''本語 🐧''.", "żółć 日本語 🐧.")
    await run.shell(terminal, "sleep 100 & jobs; kill %1; echo re''ady", "ready")
    await run.shell(terminal, "tty; echo $TERM", "/dev/pts/")


async def test_yes_without_acks_stops_and_goes_on_and_ctrl_c_works(kit: Kit) -> None:
    run = await kit.start()
    terminal = run.terminals[0]
    await run.prompt(terminal)
    before = kit.out.end_offset[terminal]
    run.ack(terminal, before)
    run.type(terminal, "yes\n")
    out = kit.out
    await out.until(lambda: out.end_offset[terminal] - before >= UNACKED_HIGH_BYTES, "256 KiB of y")
    await asyncio.sleep(0.5)
    assert out.end_offset[terminal] - before == UNACKED_HIGH_BYTES, "not a byte more than the credit"
    run.ack(terminal, before + 1)
    await asyncio.sleep(0.2)
    assert out.end_offset[terminal] - before == UNACKED_HIGH_BYTES, "above the low mark it waits"
    run.ack(terminal, 0)
    run.ack(terminal, out.end_offset[terminal] + 10**9)
    await out.until(lambda: out.end_offset[terminal] - before > 1.5 * UNACKED_HIGH_BYTES, "more y")
    run.type(terminal, b"\x03")
    mark, deadline = len(out.output[terminal]), time.monotonic() + 60
    while b"# " not in out.output[terminal][mark:] and time.monotonic() < deadline:
        run.ack(terminal, out.end_offset[terminal])
        await asyncio.sleep(0.01)
    await run.shell(terminal, "echo af''ter", "after")


async def test_the_furthest_viewer_counts(kit: Kit) -> None:
    run = await kit.start()
    terminal = run.terminals[0]
    await run.prompt(terminal)
    run.type(terminal, "yes\n")
    out = kit.out
    await out.until(lambda: out.end_offset[terminal] >= UNACKED_HIGH_BYTES, "256 KiB")
    run.ack(terminal, out.end_offset[terminal])
    run.ack(terminal, 10)
    await out.until(lambda: out.end_offset[terminal] >= 2 * UNACKED_HIGH_BYTES, "the next 256 KiB")
    run.type(terminal, b"\x03")


async def test_a_flood_of_input_to_a_program_that_does_not_read_is_bounded(kit: Kit) -> None:
    run = await kit.start()
    terminal = run.terminals[0]
    await run.prompt(terminal)
    run.type(terminal, "stty -echo raw; sleep 2; stty sane; echo; echo aw''ake\n")
    await asyncio.sleep(0.5)
    for _ in range(64):
        run.type(terminal, b"x" * 65536)
    assert kit.typed_and_not_taken(run, terminal) <= 3 << 20
    run.ack(terminal, kit.out.end_offset[terminal])
    await kit.out.said(terminal, b"awake")


async def test_a_shell_that_ends_closes_its_terminal_even_with_a_job_left_behind(kit: Kit) -> None:
    run = await kit.start()
    terminal = await _open(kit, run)
    run.type(terminal, "nohup sleep 600 & exit\n")
    closed = await kit.out.told(TerminalClosed, terminal=terminal, within_s=5)
    assert closed.reason == "the shell ended"
    run.type(terminal, "ls\n")  # ignored: there is no such terminal any more


async def test_close_ends_the_shell_and_is_idempotent(kit: Kit) -> None:
    run = await kit.start()
    terminal = await _open(kit, run)
    await run.shell(terminal, "echo $$ > /lab/.shell; echo do''ne", "done")
    await run.send(CloseTerminal, terminal=terminal)
    await kit.out.told(TerminalClosed, terminal=terminal, within_s=5)
    await run.send(CloseTerminal, terminal=terminal)
    await run.shell(run.terminals[0], "while kill -0 $(cat /lab/.shell) 2>/dev/null; do sleep 0.1; done; echo en''ded", "ended")
    assert len(kit.out.of(TerminalClosed, terminal=terminal)) == 1


async def test_the_ninth_terminal_of_a_node_is_refused(kit: Kit) -> None:
    run = await kit.start()
    for _ in range(7):
        await run.send(OpenTerminal, terminal=new_terminal_id(), node="client")
    command = await run.send(OpenTerminal, terminal=new_terminal_id(), node="client")
    failed = await kit.out.told(CommandFailed, command=command.id)
    assert failed.error.code is ErrorCode.TERMINALS_FULL
    assert len(kit.out.of(TerminalOpened, node="client")) == 8


async def test_another_runs_browser_cannot_type_into_a_terminal(kit: Kit) -> None:
    mine, yours = await kit.start(), await kit.start()
    await mine.prompt(mine.terminals[0])
    yours.type(mine.terminals[0], "echo intr''uder\n")
    await mine.shell(mine.terminals[0], "echo mi''ne", "mine")
    assert b"intruder" not in kit.out.output[mine.terminals[0]]
