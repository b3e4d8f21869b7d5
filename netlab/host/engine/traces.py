"""A run's trace: begun and stopped by its attendee, told while somebody looks, gone with the nodes. One at a time.

Called by `carry_out` and `attention`. What a trace attaches to the kernel is held by a process of its own; it has ended when
`end` returns, so nobody pays for a trace that nobody looks at.
"""

import asyncio
import logging
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import RuntimeName
from netlab.host.tracing import tracefs
from netlab.host.tracing.function_trace import FunctionTrace
from netlab.host.tracing.trace import BROKE, Trace
from netlab.wire.commands import FindFunctions, StartTrace
from netlab.wire.events import FunctionsFound, TraceTold
from netlab.wire.traces import OWN_KERNEL_ONLY, TRACES_AT_ONCE

if TYPE_CHECKING:
    from netlab.host.engine.live_run import LiveRun

log = logging.getLogger(__name__)

TELL_SOON_S = 0.2
TELL_CALLS_EVERY = 5
"""Of the rounds: call graphs that change no more are large, and told for whoever has just come."""
SO_NETNS_COOKIE = 71
"""include/uapi/asm-generic/socket.h."""

_at_work: set[Trace] = set()
"""Of this host."""


@dataclass
class RunTrace:
    """The newest of a run, and what of it is at work."""

    trace: Trace | None = None
    task: asyncio.Task[None] | None = None
    telling: asyncio.Handle | None = None


async def start(live: "LiveRun", command: StartTrace) -> None:
    """Raises CANNOT_TRACE; then nothing has begun. One that is at work makes room."""
    if command.mode == "functions":
        _check_own_kernel(live)
    await end(live, "another was begun")
    if len(_at_work) >= TRACES_AT_ONCE:
        raise NetlabError(
            ErrorCode.CANNOT_TRACE, why=f"{TRACES_AT_ONCE} traces are at work on this host",
            fix="Try again in a moment: each ends when nobody looks at it.",
        )
    nodes = [node.name for node in live.lab.nodes]
    cookies = [] if command.mode == "functions" else [await _cookie(live, node) for node in nodes]
    kind = FunctionTrace if command.mode == "functions" else Trace
    trace = kind(command, nodes, lambda: _tell_soon(live))
    _at_work.add(trace)
    live.trace.trace = trace
    live.trace.task = asyncio.create_task(_run(live, trace, cookies), name=f"trace {live.run}")
    tell(live)


async def find(live: "LiveRun", command: FindFunctions) -> None:
    """Raises CANNOT_TRACE."""
    _check_own_kernel(live)
    try:
        names, more = await asyncio.to_thread(tracefs.find, command.search)
    except (OSError, ValueError) as error:
        raise NetlabError(ErrorCode.CANNOT_TRACE, why=f"its kernel does not tell its functions ({error})", fix="") from None
    live.tell(FunctionsFound, command.id, search=command.search, functions=names, more=more)


def _check_own_kernel(live: "LiveRun") -> None:
    """Whose functions are shown is the whole kernel's."""
    if live.parts.runtime != RuntimeName.VM:
        raise NetlabError(ErrorCode.CANNOT_TRACE, **OWN_KERNEL_ONLY)


async def stop(live: "LiveRun", trace: str) -> None:
    """Raises TRACE_UNKNOWN. One that is over stays as it is."""
    if live.trace.trace is None or live.trace.trace.id != trace:
        raise NetlabError(ErrorCode.TRACE_UNKNOWN)
    await end(live, "you stopped it")


async def end(live: "LiveRun", why: str) -> None:
    """Nothing of it is attached any more when this returns; what it has seen stays."""
    trace, task = live.trace.trace, live.trace.task
    live.trace.task = None
    if trace is None or task is None:
        return
    trace.end(why)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.wait({task})
    tell(live)


async def forget(live: "LiveRun") -> None:
    """The run is over."""
    await end(live, "the lab has ended")
    if live.trace.telling is not None:
        live.trace.telling.cancel()
    live.trace = RunTrace()


def tell_again(live: "LiveRun", second: int) -> None:
    """Each second what there is; that there is none is told by `tell`, once."""
    trace = live.trace.trace
    if trace is not None and (trace.running or not trace.is_large or second % TELL_CALLS_EVERY == 0):
        tell(live)


def tell(live: "LiveRun") -> None:
    trace = live.trace.trace
    live.tell(TraceTold, trace=trace.seen() if trace else None)


def _tell_soon(live: "LiveRun") -> None:
    """Many steps become one event."""
    def now() -> None:
        live.trace.telling = None
        tell(live)

    if live.trace.telling is None:
        live.trace.telling = asyncio.get_running_loop().call_later(TELL_SOON_S, now)


async def _cookie(live: "LiveRun", node: str) -> int:
    """Of the node's network namespace: the kernel never gives it again."""
    with await live.parts.nodes.open_socket(live.nodes_there, node, socket.AF_INET, socket.SOCK_DGRAM) as sock:
        return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8), "little")


async def _run(live: "LiveRun", trace: Trace, cookies: list[int]) -> None:
    try:
        await trace.run(cookies)
    except Exception:  # a background task's edge: whatever bcc says must not end the run
        log.exception("trace of run %s", live.run)
        trace.end(BROKE)
    finally:
        _at_work.discard(trace)
