"""Shells of a run: opens them on terminals, gives a terminal a new shell after a reset, closes them.

Called by `lifecycle` and for OpenTerminal and CloseTerminal. What flows through a terminal is `terminals`' business.
"""

import asyncio
import logging
import os
from collections.abc import Iterable
from typing import Any

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_terminal_id
from netlab.host.engine.live_run import LiveRun
from netlab.host.engine.parts import HeldMaster
from netlab.host.engine.state import TerminalState
from netlab.host.engine.terminals import NEW_SCREEN, Terminal, started_at
from netlab.wire.commands import StartRun
from netlab.wire.events import TerminalClosed, TerminalOpened

log = logging.getLogger(__name__)

TERMINALS_PER_NODE_MAX = 8


def declared(command: StartRun) -> list[TerminalState]:
    """The terminals that the lab wants, with the ids that the command gives them."""
    ids = iter(command.terminals)
    return [
        TerminalState(id=next(ids, None) or new_terminal_id(), node=wanted.node, title=wanted.title or wanted.node, declared=True)
        for wanted in command.lab.terminals
    ]


async def open_new(live: LiveRun, terminal: str, node: str, rows: int, cols: int, command: str) -> None:
    """For OpenTerminal. One that is there already is told of again. Raises TERMINALS_FULL, TERMINAL_FAILED."""
    there = live.record.terminal(terminal)
    if there is not None and there.open:
        live.tell(TerminalOpened, command, terminal=there.id, node=there.node, title=there.title)
        return
    if sum(1 for t in live.desk.of_run(live.run) if t.node == node) >= TERMINALS_PER_NODE_MAX:
        raise NetlabError(ErrorCode.TERMINALS_FULL, limit=TERMINALS_PER_NODE_MAX)
    spec = live.lab.node(node)
    title = (spec.title if spec else "") or node
    wanted = TerminalState(id=terminal, node=node, title=title, declared=False, rows=rows, cols=cols)
    await open_shell(live, wanted, command)
    live.record.terminals = [*(t for t in live.record.terminals if t.id != terminal), wanted]


async def open_shell(live: LiveRun, wanted: TerminalState, command: str | None = None, offset: int = 0) -> None:
    """A shell on this terminal, whose output goes on at `offset`. Marks it as open and tells."""
    new = await live.parts.nodes.open_terminal(live.nodes_there, wanted.node, wanted.rows, wanted.cols)
    output = live.parts.outlet.terminal_output
    terminal = Terminal(wanted.id, live.run, wanted.node, new.master, new.pid, offset, output, _on_end(live))
    live.desk.add(terminal)
    wanted.open = True
    await deposit(live, terminal, wanted)
    live.tell(TerminalOpened, command, terminal=wanted.id, node=wanted.node, title=wanted.title)
    if offset:
        terminal.say(NEW_SCREEN)
    terminal.start()


async def open_all(live: LiveRun, wanted: Iterable[TerminalState], offsets: dict[str, int], command: str | None = None) -> None:
    """Several at once, side by side. The first failure is raised, after the others have ended."""
    try:
        async with asyncio.TaskGroup() as group:
            for terminal in wanted:
                group.create_task(open_shell(live, terminal, command, offsets.get(terminal.id, 0)))
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def deposit(live: LiveRun, terminal: Terminal, state: TerminalState) -> None:
    """Give the holder the master, too. Without a holder the terminal works, it only does not outlive the agent."""
    meta: dict[str, Any] = {
        "run": live.run, "node": terminal.node, "terminal": terminal.id, "pid": terminal.pid,
        "started": started_at(terminal.pid), "title": state.title,
    }
    try:
        await live.parts.holder.put(terminal.id, terminal.master, meta)
    except OSError as error:
        log.warning("the holder does not answer (%s): terminal %s would not outlive the agent", error, terminal.id)


async def deposit_missing(live: LiveRun, held: set[str]) -> None:
    """Once more, the open terminals of a run that the holder does not have: it was restarted."""
    for terminal in live.desk.of_run(live.run):
        state = live.record.terminal(terminal.id)
        if state is not None and terminal.id not in held and terminal.master >= 0:
            await deposit(live, terminal, state)


async def adopt(live: LiveRun, held: dict[str, HeldMaster]) -> None:
    """Take a run's terminals back from the holder. Where a shell is gone: declared ones get a new one."""
    for state in list(live.record.terminals):
        if not state.open:
            continue
        offset = await live.parts.end_offset(state.id)
        master = held.pop(state.id, None)
        if master is not None and _same_shell(master):
            terminal = Terminal(
                state.id, live.run, state.node, master.descriptor, int(master.meta["pid"]), offset,
                live.parts.outlet.terminal_output, _on_end(live),
            )
            live.desk.add(terminal)
            terminal.start()
            continue
        if master is not None:
            os.close(master.descriptor)
            await _drop(live, state.id)
        await _replace_lost(live, state, offset)


async def _replace_lost(live: LiveRun, state: TerminalState, offset: int) -> None:
    if state.declared:
        state.open = False
        await open_shell(live, state, offset=offset)
    else:
        _forget(live, state.id, "its shell was lost when netlab was restarted")


async def close(live: LiveRun, terminal: str, reason: str, command: str | None = None) -> None:
    """End a shell and tell of it. Idempotent."""
    await hang_up(live, terminal)
    _forget(live, terminal, reason, command)


async def hang_up(live: LiveRun, terminal: str) -> Terminal | None:
    """Close a terminal's master everywhere: the kernel sends its shell SIGHUP."""
    open_one = live.desk.remove(terminal)
    if open_one is not None:
        await _drop(live, terminal)
        open_one.let_go()
    return open_one


async def take_down(
    live: LiveRun, reason: str, node: str | None = None, *, keep_declared: bool
) -> tuple[list[TerminalState], dict[str, int]]:
    """Close the shells of a node or of the whole run. With `keep_declared` the lab's own terminals are not told as
    closed: they are returned, with the offsets at which their next shell goes on."""
    kept, offsets = [], {}
    for state in list(live.record.terminals):
        if node is not None and state.node != node:
            continue
        if not (keep_declared and state.declared):
            await close(live, state.id, reason)
            continue
        terminal = await hang_up(live, state.id)
        offsets[state.id] = terminal.offset if terminal is not None else await live.parts.end_offset(state.id)
        state.open = False
        kept.append(state)
    return kept, offsets


def _on_end(live: LiveRun) -> Any:
    def ended(terminal: Terminal) -> None:
        live.desk.remove(terminal.id)
        live.background(_drop(live, terminal.id))
        _forget(live, terminal.id, "the shell ended")
        live.save_soon()

    return ended


def _forget(live: LiveRun, terminal: str, reason: str, command: str | None = None) -> None:
    state = live.record.terminal(terminal)
    if state is None or not state.open:
        return
    if state.declared:
        state.open = False
    else:
        live.record.terminals = [t for t in live.record.terminals if t.id != terminal]
    live.tell(TerminalClosed, command, terminal=terminal, reason=reason)


def _same_shell(master: HeldMaster) -> bool:
    """The shell is still there, and no other process has got its pid."""
    pid, started = int(master.meta.get("pid", 0)), int(master.meta.get("started", 0))
    return pid > 0 and started > 0 and started_at(pid) == started


async def _drop(live: LiveRun, terminal: str) -> None:
    try:
        await live.parts.holder.drop(terminal)
    except OSError as error:
        log.warning("the holder does not answer (%s): it still has terminal %s", error, terminal)
