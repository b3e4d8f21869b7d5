"""The last part of BAKE: waits until shells are at their prompts and the machine is quiet, and touches what clones need first.

Called by the agent. Every page that is written before the template is made is shared by all clones; what a clone writes is
its own. So modules are imported, programs read and descriptors opened now. It changes nothing that an attendee could see.
"""

import asyncio
import gc
import importlib
import logging
import os
import time
from contextlib import suppress
from pathlib import Path

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.host.engine import programs
from netlab.host.engine.live_run import LiveRun
from netlab.host.engine.terminals import Terminal
from netlab.host.guest.outlet import Baked
from netlab.host.runtimes.namespaces import NamespacesRuntime
from netlab.wire.guest_port import GUEST_RUN

log = logging.getLogger(__name__)

PROMPT_LIMIT_S = 30.0
"""A login shell with completion takes seconds under software emulation."""
PROMPT_STILL_S = 0.3
"""A shell that waits and has said nothing for so long is at its prompt."""
LOOK_EVERY_S = 0.05
QUIET_SHARE = 0.06
QUIET_WINDOW_S = 0.5
QUIET_LIMIT_S = 10.0
LATE_MODULES = ("pyroute2", "encodings.idna", "netlab.host.programs.verifier", "netlab.host.checks.evaluate")
FIRST_COMMANDS = (["true"], ["bpftool", "version"], ["ip", "-V"], ["tc", "-V"], ["ping", "-V"], ["bash", "-c", "ls /lab"])
"""What a first check, build or look in a terminal runs: their pages are in memory then."""


async def settle(runtime: NamespacesRuntime, baked: Baked | None) -> None:
    """Returns when nothing is to be awaited any more. Raises START_FAILED when a shell does not come to its prompt."""
    live = runtime.live(GUEST_RUN)
    for name in LATE_MODULES:
        importlib.import_module(name)
    await _prompts(runtime.terminals(GUEST_RUN), baked)
    await _touch(live)
    await _quiet()


def freeze() -> None:
    """What is alive now is never looked at by the garbage collector again: looking would write to every page of it."""
    gc.collect()
    gc.freeze()


async def _prompts(terminals: list[Terminal], baked: Baked | None) -> None:
    deadline = time.monotonic() + PROMPT_LIMIT_S
    still: dict[str, tuple[int, float]] = {}
    waiting = list(terminals)
    while waiting:
        now = time.monotonic()
        if now > deadline:
            shells = ", ".join(t.node for t in waiting)
            raise NetlabError(ErrorCode.START_FAILED, why=f"the shells of {shells} did not come to their prompts", id="")
        for terminal in list(waiting):
            said = len(baked.output.get(terminal.id, b"")) if baked is not None else terminal.offset
            before, since = still.get(terminal.id, (-1, now))
            if said != before or not said or not _awaits_input(terminal.pid):
                still[terminal.id] = said, now
            elif now - since >= PROMPT_STILL_S:
                waiting.remove(terminal)
        await asyncio.sleep(LOOK_EVERY_S)


def _awaits_input(pid: int) -> bool:
    """The shell sleeps, and is itself in the foreground of its terminal (proc(5): state, pgrp, tpgid)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return False
    state, group, foreground = fields[0], fields[2], fields[5]
    return state == "S" and group == foreground


async def _touch(live: LiveRun) -> None:
    nodes, run_nodes = live.parts.nodes, live.nodes_there
    await programs.look(live)
    live.told_attachments = None
    node = next(iter(run_nodes.places))
    for argv in FIRST_COMMANDS:
        result = await nodes.execute(run_nodes, node, list(argv), cwd="/")
        if result.exit_code:
            log.info("%s ended with %d", argv[0], result.exit_code)


async def _quiet() -> None:
    """The processors have had next to nothing to do for a moment; not for ever, a lab may have a daemon that works."""
    deadline = time.monotonic() + QUIET_LIMIT_S
    busy, whole = _times()
    while time.monotonic() < deadline:
        await asyncio.sleep(QUIET_WINDOW_S)
        busy_now, whole_now = _times()
        if busy_now - busy <= QUIET_SHARE * (whole_now - whole):
            return
        busy, whole = busy_now, whole_now
    log.warning("the machine does not become quiet")


def _times() -> tuple[int, int]:
    """(busy, all) in clock ticks since boot, of all processors."""
    with suppress(OSError, ValueError):
        numbers = [int(n) for n in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        idle = numbers[3] + numbers[4]
        return sum(numbers) - idle, sum(numbers)
    return 0, os.cpu_count() or 1
