"""Run a program that the fork server starts and collect what it says. Called by `plain` and `sandboxed`.

Its stdio are pipes, never a device: crun would hand /dev/null's ownership to the node.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress

from netlab.host.nodes.api import ExecResult
from netlab.host.nsworker.client import Child

READ_BYTES = 64 * 1024
LATE_OUTPUT_S = 0.2
"""How long output is awaited after the program's end: what it left in the background may hold the pipe for ever."""

Start = Callable[[list[int]], Awaitable[Child]]


class _Reader:
    """One end of a pipe, read as it comes and kept up to a limit."""

    def __init__(self, fd: int, limit: int) -> None:
        self._fd, self._limit = fd, limit
        self.kept = bytearray()
        self.truncated = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        os.set_blocking(fd, False)
        asyncio.get_running_loop().add_reader(fd, self._readable)

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            asyncio.get_running_loop().remove_reader(self._fd)
            if not self.ended.done():
                self.ended.set_result(None)
            return
        room = max(self._limit - len(self.kept), 0)
        self.kept += data[:room]
        self.truncated = self.truncated or len(data) > room

    def take_rest(self) -> None:
        if not self.ended.done():
            self._readable()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)
        if not self.ended.done():
            self.ended.cancel()


class _Writer:
    """Feeds stdin and closes it."""

    def __init__(self, fd: int, data: bytes) -> None:
        self._fd, self._rest = fd, memoryview(data)
        self._open = True
        os.set_blocking(fd, False)
        asyncio.get_running_loop().add_writer(fd, self._writable)

    def _writable(self) -> None:
        try:
            if self._rest:
                self._rest = self._rest[os.write(self._fd, self._rest):]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._rest = self._rest[:0]
        if not self._rest:
            self.close()

    def close(self) -> None:
        if self._open:
            self._open = False
            asyncio.get_running_loop().remove_writer(self._fd)
            os.close(self._fd)


async def run(
    start: Start, *, stdin: bytes, timeout_s: float, output_limit: int, await_output: bool = True,
    on_timeout: Callable[[], Awaitable[None]] | None = None,
) -> ExecResult:
    """Start, feed, collect. When time is up or the caller is cancelled: `on_timeout`, then the process's group is killed.

    `await_output=False` is for programs that leave a child with their stdio behind: what is there at the end is taken.
    """
    in_read, in_write = os.pipe()
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    readers = [_Reader(out_read, output_limit), _Reader(err_read, output_limit)]
    writer = _Writer(in_write, stdin)
    try:
        try:
            child = await start([in_read, out_write, err_write])
        finally:
            for fd in (in_read, out_write, err_write):
                os.close(fd)
        code, timed_out = await _wait(child, timeout_s, on_timeout)
        if await_output:
            await asyncio.wait([reader.ended for reader in readers], timeout=LATE_OUTPUT_S)
        for reader in readers:
            reader.take_rest()
        out, err = readers
        return ExecResult(code, bytes(out.kept), bytes(err.kept), timed_out, out.truncated or err.truncated)
    finally:
        writer.close()
        for reader in readers:
            reader.close()


async def _wait(child: Child, timeout_s: float, on_timeout: Callable[[], Awaitable[None]] | None) -> tuple[int, bool]:
    try:
        async with asyncio.timeout(timeout_s):
            return await child.wait(), False
    except TimeoutError:
        return -1, True
    finally:
        if not child.ended:
            await asyncio.shield(_stop(child, on_timeout))


async def _stop(child: Child, on_timeout: Callable[[], Awaitable[None]] | None) -> None:
    if on_timeout:
        with suppress(OSError):
            await on_timeout()
    await child.kill()
