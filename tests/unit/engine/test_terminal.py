"""One terminal on a real PTY with a process of this test's own behind it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from netlab.host.engine.terminals import INPUT_WAITING_MAX_BYTES, Terminal, started_at
from netlab.wire.terminals import CHUNK_BYTES, UNACKED_HIGH_BYTES, UNACKED_LOW_BYTES
from tests.waiting import until


class Pty:
    def __init__(self, *argv: str) -> None:
        self.master, slave = os.openpty()
        self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        self.pieces: list[tuple[int, bytes]] = []
        self.ended = 0

    def terminal(self, offset: int = 0) -> Terminal:
        terminal = Terminal(
            "t", "r", "n", self.master, self.process.pid, offset, lambda _, end, data: self.pieces.append((end, data)), self._end,
        )
        terminal.start()
        return terminal

    def _end(self, _: Terminal) -> None:
        self.ended += 1

    @property
    def text(self) -> bytes:
        return b"".join(data for _, data in self.pieces)

    async def until(self, what: bytes) -> None:
        await until(lambda: what in self.text, repr(what))


@pytest.fixture
def started() -> Iterator[list[Pty]]:
    ptys: list[Pty] = []
    yield ptys
    for pty in ptys:
        with suppress(ProcessLookupError):
            pty.process.kill()
        pty.process.wait()


async def test_offsets_are_contiguous_and_go_on_after_adoption(started: list[Pty]) -> None:
    pty = Pty("sh", "-c", "stty raw -echo; echo ready; cat")
    started.append(pty)
    terminal = pty.terminal(offset=1000)
    await pty.until(b"ready\n")
    terminal.type("zażółć".encode())
    await pty.until("zażółć".encode())
    at = 1000
    for end, data in pty.pieces:
        at += len(data)
        assert end == at and len(data) <= CHUNK_BYTES
    terminal.let_go()


async def test_credit_is_kept_to_the_byte(started: list[Pty]) -> None:
    pty = Pty("yes")
    started.append(pty)
    terminal = pty.terminal()
    await until(lambda: terminal.offset >= UNACKED_HIGH_BYTES, "256 KiB")
    await asyncio.sleep(0.1)
    assert terminal.offset == UNACKED_HIGH_BYTES
    terminal.ack(UNACKED_HIGH_BYTES - UNACKED_LOW_BYTES)
    await asyncio.sleep(0.05)
    assert terminal.offset == UNACKED_HIGH_BYTES, "at the low mark it still waits"
    terminal.ack(UNACKED_HIGH_BYTES - UNACKED_LOW_BYTES + 1)
    await until(lambda: terminal.offset > UNACKED_HIGH_BYTES, "below the mark it goes on")
    terminal.hold(True)
    before = terminal.offset
    terminal.ack(before)
    await asyncio.sleep(0.05)
    assert terminal.offset == before, "held, whatever was acknowledged"
    terminal.hold(False)
    await until(lambda: terminal.offset > before, "let go, it goes on")
    terminal.let_go()


async def test_the_last_words_arrive_before_the_end(started: list[Pty]) -> None:
    pty = Pty(sys.executable, "-c", "print('x' * 3000, flush=True); print('last')")
    started.append(pty)
    terminal = pty.terminal()
    await until(lambda: pty.ended, "the end")
    assert pty.text.endswith(b"last\r\n") and pty.ended == 1 and terminal.master == -1
    terminal.type(b"late")
    terminal.resize(10, 10)
    terminal.ack(10)
    terminal.let_go()


async def test_input_waits_within_bounds_and_arrives_whole(started: list[Pty]) -> None:
    pty = Pty("sh", "-c", "stty raw -echo; echo ready; sleep 0.3; head -c 300000 | wc -c")
    started.append(pty)
    terminal = pty.terminal()
    await pty.until(b"ready")
    terminal.type(b"y" * 300_000)
    await pty.until(b"300000")
    for _ in range(40):
        terminal.type(b"z" * 65_536)
    assert len(terminal._waiting) <= INPUT_WAITING_MAX_BYTES
    terminal.let_go()


def test_a_process_is_told_from_a_later_one_with_its_pid() -> None:
    assert started_at(os.getpid()) == started_at(os.getpid()) > 0
    assert started_at(2**22 + 1) == 0
