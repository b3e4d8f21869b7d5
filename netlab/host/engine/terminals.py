"""Terminals: reads PTY masters as far as browsers keep up, writes what is typed. One `Terminal` a shell.

Created by the lifecycle of a run; fed by the inbox of the agent. Bytes are counted and handed on as they are, never
decoded, never logged. It starts no shell: `Nodes.open_terminal` does.
"""

import asyncio
import errno
import fcntl
import logging
import os
import struct
import termios
from collections.abc import Callable
from contextlib import suppress

from netlab.wire.terminals import (
    CHUNK_BYTES,
    INPUT_BYTES_MAX,
    UNACKED_HIGH_BYTES,
    UNACKED_LOW_BYTES,
    TerminalAck,
    TerminalInput,
    TerminalMessage,
)

log = logging.getLogger(__name__)

INPUT_WAITING_MAX_BYTES = 16 * INPUT_BYTES_MAX
"""Typed bytes that a shell has not read yet; what goes beyond is dropped, as a line too long for a tty is."""
INPUT_PIECE_BYTES = 4096
DRAIN_MAX_BYTES = 4 * CHUNK_BYTES
"""What is still read from a terminal whose shell has ended."""
NEW_SCREEN = b"\x1bc"
"""RIS (ECMA-48): the browser's emulator forgets modes and screen of the shell that is gone."""


class Terminal:
    """One PTY. `ended` is called once, from the event loop, when the shell has ended or its PTY has gone."""

    def __init__(
        self, terminal: str, run: str, node: str, master: int, pid: int, offset: int,
        output: Callable[[str, int, bytes], None], ended: Callable[["Terminal"], None],
    ) -> None:
        self.id, self.run, self.node, self.pid = terminal, run, node, pid
        self.offset = self.acked = offset
        self.master = master
        self._output, self._ended = output, ended
        self._waiting = bytearray()
        self._reading = self._writing = self._held = False
        self._loop = asyncio.get_running_loop()
        os.set_blocking(master, False)
        self._pidfd = _open_pidfd(pid)

    def start(self) -> None:
        """Begin to read. Apart from the constructor, so that the opening is told before the first byte."""
        if self._pidfd >= 0:
            self._loop.add_reader(self._pidfd, self._shell_ended)
        self._read_as_allowed()

    # --- output

    def hold(self, held: bool) -> None:
        """Stop reading while nobody can take the bytes (Redis is away)."""
        self._held = held
        self._read_as_allowed()

    def _read_as_allowed(self) -> None:
        if self.master < 0:
            return
        unacked = self.offset - self.acked
        limit = UNACKED_HIGH_BYTES if self._reading else UNACKED_LOW_BYTES
        wanted = not self._held and unacked < limit
        if wanted and not self._reading:
            self._loop.add_reader(self.master, self._readable)
        elif self._reading and not wanted:
            self._loop.remove_reader(self.master)
        self._reading = wanted

    def _readable(self) -> None:
        if self._read_piece(min(CHUNK_BYTES, UNACKED_HIGH_BYTES - (self.offset - self.acked))):
            self._read_as_allowed()
        else:
            self._end()

    def _read_piece(self, limit: int) -> bool:
        """Read and hand on; False when the PTY has no other side any more."""
        try:
            data = os.read(self.master, limit)
        except BlockingIOError:
            return True
        except OSError as error:
            if error.errno != errno.EIO:  # EIO: the last descriptor of the other side was closed
                log.exception("reading terminal %s", self.id)
            return False
        if not data:
            return False
        self.say(data)
        return True

    def say(self, data: bytes) -> None:
        self.offset += len(data)
        self._output(self.id, self.offset, data)

    def ack(self, offset: int) -> None:
        """A viewer has drawn up to `offset`; with several viewers the furthest counts."""
        self.acked = max(self.acked, min(offset, self.offset))
        self._read_as_allowed()

    # --- input

    def type(self, data: bytes) -> None:
        room = INPUT_WAITING_MAX_BYTES - len(self._waiting)
        self._waiting += data[:room]
        self._write()

    @property
    def waiting_bytes(self) -> int:
        """Typed and not yet read by the shell."""
        return len(self._waiting)

    def _write(self) -> None:
        if self.master < 0:
            return
        try:
            while self._waiting:
                del self._waiting[: os.write(self.master, self._waiting[:INPUT_PIECE_BYTES])]
        except BlockingIOError:
            pass
        except OSError:
            self._waiting.clear()  # the shell is gone; the reader finds out
        if bool(self._waiting) != self._writing:
            self._writing = not self._writing
            if self._writing:
                self._loop.add_writer(self.master, self._write)
            else:
                self._loop.remove_writer(self.master)

    def resize(self, rows: int, cols: int) -> None:
        if self.master >= 0:
            with suppress(OSError):
                fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    # --- the end

    def _shell_ended(self) -> None:
        """The shell itself is gone, though what it started in the background may still hold the PTY."""
        drained = self.offset + DRAIN_MAX_BYTES
        while self.offset < drained:
            before = self.offset
            if not self._read_piece(CHUNK_BYTES) or self.offset == before:
                break
        self._end()

    def _end(self) -> None:
        if self.master >= 0:
            self.let_go()
            self._ended(self)

    def let_go(self) -> None:
        """Close our descriptors. The shell lives on only if a holder has the master too."""
        if self.master < 0:
            return
        if self._reading:
            self._loop.remove_reader(self.master)
        if self._writing:
            self._loop.remove_writer(self.master)
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
        os.close(self.master)
        self.master = self._pidfd = -1


class TerminalDesk:
    """All terminals of this host by their id: where messages from browsers arrive."""

    def __init__(self) -> None:
        self._terminals: dict[str, Terminal] = {}
        self._held = False

    def add(self, terminal: Terminal) -> None:
        self._terminals[terminal.id] = terminal
        if self._held:
            terminal.hold(True)

    def remove(self, terminal: str) -> Terminal | None:
        return self._terminals.pop(terminal, None)

    def rename(self, terminal: str, new: str) -> None:
        """A terminal gets the id by which browsers will know it; nobody has heard of the old one."""
        found = self._terminals.pop(terminal, None)
        if found is not None:
            found.id = new
            self._terminals[new] = found

    def of_run(self, run: str) -> list[Terminal]:
        return [t for t in self._terminals.values() if t.run == run]

    def get(self, terminal: str) -> Terminal | None:
        return self._terminals.get(terminal)

    def all(self) -> list[Terminal]:
        return list(self._terminals.values())

    def take(self, message: TerminalMessage) -> None:
        """Input, ack or resize. Ignored for terminals that have ended and for those of another run."""
        terminal = self._terminals.get(message.terminal)
        if terminal is None or terminal.run != message.run:
            return
        if isinstance(message, TerminalInput):
            terminal.type(message.data)
        elif isinstance(message, TerminalAck):
            terminal.ack(message.offset)
        else:
            terminal.resize(message.rows, message.cols)

    def hold(self, held: bool) -> None:
        self._held = held
        for terminal in self._terminals.values():
            terminal.hold(held)


def started_at(pid: int) -> int:
    """When a process began, in clock ticks since boot (proc(5), field 22): tells it from a later one with its pid.

    0 when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return int(stat.read().rsplit(b")", 1)[1].split()[19])
    except (OSError, IndexError):
        return 0


def _open_pidfd(pid: int) -> int:
    """-1 when the process has ended already: then the PTY says so itself."""
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        if error.errno != errno.ESRCH:
            raise
        return -1
