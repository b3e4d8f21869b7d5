"""The one door to processes on a host: a list of arguments, an allow-listed environment, limits, always reaped.

Called by whatever needs a program (crun, clang's sandbox, the sampler); never through a shell. The fork server is the
one other place that makes processes, because it works below exec.
"""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
READ_BYTES = 64 * 1024


@dataclass(frozen=True)
class Finished:
    """How a program ended. `code` is negative for a signal, as in subprocess; output is cut at the limit."""

    argv: tuple[str, ...]
    code: int
    stdout: bytes
    stderr: bytes
    timed_out: bool
    truncated: bool

    def check(self) -> "Finished":
        """Raise ProcessFailed unless it ended well."""
        if self.code != 0 or self.timed_out:
            raise ProcessFailed(self)
        return self


class ProcessFailed(Exception):
    """A program of ours that should have worked did not: a bug or a broken host, never an attendee's mistake."""

    def __init__(self, finished: Finished) -> None:
        self.finished = finished
        said = (finished.stderr or finished.stdout)[-500:].decode(errors="replace").strip()
        how = "timed out" if finished.timed_out else _how(finished.code)
        super().__init__(f"{Path(finished.argv[0]).name} {how}: {said}" if said else f"{Path(finished.argv[0]).name} {how}")


async def run(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout_s: float = 30,
    output_limit: int = 1 << 20,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
) -> Finished:
    """Run to the end. Output beyond `output_limit` bytes per stream is read and dropped, so the program never blocks.

    On a time-out, or when the caller is cancelled, the program's whole process group is killed and reaped.
    """
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**ENVIRONMENT, **(env or {})}, cwd=cwd, start_new_session=True, pass_fds=pass_fds,
    )
    assert process.stdin and process.stdout and process.stderr
    work = asyncio.gather(
        _feed(process.stdin, stdin),
        _collect(process.stdout, output_limit),
        _collect(process.stderr, output_limit),
        process.wait(),
    )
    timed_out = False
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.shield(work)
    except TimeoutError:
        timed_out = True
    finally:
        if not work.done():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.wait({asyncio.ensure_future(process.wait())}, timeout=5)
            with suppress(TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(2):
                    await work
    out, err = ((b"", False), (b"", False)) if not work.done() or work.cancelled() else work.result()[1:3]
    code = process.returncode if process.returncode is not None else -signal.SIGKILL
    return Finished(tuple(argv), code, out[0], err[0], timed_out, truncated=out[1] or err[1])


async def _feed(pipe: asyncio.StreamWriter, data: bytes) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):
        pipe.write(data)
        await pipe.drain()
    pipe.close()


async def _collect(pipe: asyncio.StreamReader, limit: int) -> tuple[bytes, bool]:
    kept, truncated = bytearray(), False
    while data := await pipe.read(READ_BYTES):
        room = limit - len(kept)
        kept += data[:room]
        truncated = truncated or len(data) > room
    return bytes(kept), truncated


def _how(code: int) -> str:
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return "was not found" if code == 127 else f"ended with code {code}"
