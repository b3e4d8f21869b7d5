"""Wishes about the inside of a running lab: nodes, checks, terminals, programs, homes. Each becomes one command.

Views call these with a run that `netlab.runs.access` gave them. They raise RUN_NOT_RUNNING before anything else.
"""

from datetime import timedelta
from typing import Literal

from django.db import transaction
from django.utils import timezone

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_terminal_id
from netlab.domain.lab import LabSpec, RuntimeName
from netlab.domain.lifecycle import RunState
from netlab.runs.choices import FileOrigin, TerminalState
from netlab.runs.files import check_content, check_path, write_command
from netlab.runs.models import Run, Terminal
from netlab.runs.telling import nudge, wish
from netlab.wire.commands import (
    BuildProgram,
    CloseTerminal,
    Command,
    DetachProgram,
    ExportCapture,
    ExportHome,
    FindFunctions,
    FormatFile,
    ImpairLink,
    OpenTerminal,
    ResetNode,
    RunCheck,
    StartCapture,
    StartTrace,
    StopCapture,
    StopTrace,
)
from netlab.wire.traces import OWN_KERNEL_ONLY, TraceMode, TraceProtocol

TERMINALS_PER_NODE = 8
JUST_SAVED = timedelta(seconds=30)
"""Saves younger than this travel with a build once more: they go through another queue and may arrive after it."""


def _check_running(run: Run) -> LabSpec:
    if run.run_state is not RunState.RUNNING:
        raise NetlabError(ErrorCode.RUN_NOT_RUNNING)
    return run.spec()


def _check_node(spec: LabSpec, node: str) -> None:
    if spec.node(node) is None:
        raise NetlabError(ErrorCode.NODE_UNKNOWN, node=node, nodes=", ".join(n.name for n in spec.nodes))


def do_reset_node(run: Run, node: str) -> str:
    """Returns the command's id, as all of these do."""
    _check_node(_check_running(run), node)
    with transaction.atomic():
        run.terminals.filter(node=node, declared=True).update(state=TerminalState.OPENING, closed_reason="")
        return _nudge(run, ResetNode(node=node, **wish(run)))


def do_run_check(run: Run, step: str) -> str:
    spec = _check_running(run)
    if spec.step(step) is None:
        raise NetlabError(ErrorCode.STEP_UNKNOWN, step=step, steps=", ".join(s.id for s in spec.steps))
    return _nudge(run, RunCheck(step=step, **wish(run)))


def do_open_terminal(run: Run, node: str) -> Terminal:
    """A further terminal; browsers may connect to its id at once. Raises NODE_UNKNOWN, TERMINALS_FULL."""
    _check_node(_check_running(run), node)
    with transaction.atomic():
        Run.objects.select_for_update().get(pk=run.pk)
        present = run.terminals.exclude(state=TerminalState.CLOSED).filter(node=node).count()
        if present >= TERMINALS_PER_NODE:
            raise NetlabError(ErrorCode.TERMINALS_FULL, limit=TERMINALS_PER_NODE)
        position = run.terminals.count()
        number = run.terminals.filter(node=node).count() + 1
        command = OpenTerminal(terminal=new_terminal_id(), node=node, **wish(run))
        title = node if number == 1 else f"{node} {number}"
        terminal = Terminal.objects.create(
            id=command.terminal, run=run, node=node, title=title, position=position, opened_by=command.id
        )
        _nudge(run, command)
    return terminal


def do_close_terminal(terminal: Terminal) -> str:
    """Hang up. For one that has ended: nothing happens."""
    run = terminal.run
    command = CloseTerminal(terminal=terminal.pk, **wish(run))
    if terminal.state == TerminalState.CLOSED or run.run_state is not RunState.RUNNING:
        return command.id
    return _nudge(run, command)


def do_build_program(run: Run, program: str, mode: Literal["native", "generic"] | None = None, load: bool = True) -> str:
    """Build what the database holds. Raises PROGRAM_UNKNOWN."""
    spec = _check_running(run)
    if spec.program(program) is None:
        raise NetlabError(ErrorCode.PROGRAM_UNKNOWN, program=program, programs=", ".join(p.name for p in spec.programs))
    fresh = run.files.filter(deleted=False, changed_at__gt=timezone.now() - JUST_SAVED).exclude(origin=FileOrigin.SHELL)
    saves: list[Command] = [write_command(run, file) for file in fresh]
    return _nudge(run, *saves, BuildProgram(program=program, mode=mode, load=load, **wish(run)))


def do_format_file(run: Run, path: str, content: str) -> str:
    """The text, which need not be saved, comes laid out as a blob under the returned id."""
    _check_running(run)
    check_path(path)
    check_content(path, content)
    if not path.endswith((".c", ".h")):
        raise NetlabError(ErrorCode.CANNOT_FORMAT, path=path, why="it is no C")
    return _nudge(run, FormatFile(path=path, content=content, **wish(run)))


def do_detach(run: Run, node: str, interface: str, hook: Literal["xdp", "tc-ingress", "tc-egress"] = "xdp") -> str:
    _check_node(_check_running(run), node)
    return _nudge(run, DetachProgram(node=node, interface=interface, hook=hook, **wish(run)))


def do_impair_link(
    run: Run, node: str, interface: str, *, delay_ms: float = 0, jitter_ms: float = 0, loss_percent: float = 0, rate_kbit: int = 0
) -> str:
    """What this end does to the packets that it sends; all zero: nothing any more. Kept over resets, as the wire is."""
    _check_node(_check_running(run), node)
    return _nudge(run, ImpairLink(
        node=node, interface=interface, delay_ms=delay_ms, jitter_ms=jitter_ms, loss_percent=loss_percent, rate_kbit=rate_kbit,
        **wish(run),
    ))


def do_start_capture(run: Run, node: str, interface: str, snap_bytes: int) -> str:
    """Of any interface of the node, whoever made it. The returned id is the capture's."""
    _check_node(_check_running(run), node)
    return _nudge(run, StartCapture(node=node, interface=interface, snap_bytes=snap_bytes, **wish(run)))


def do_stop_capture(run: Run, capture: str) -> str:
    _check_running(run)
    return _nudge(run, StopCapture(capture=capture, **wish(run)))


def do_export_capture(run: Run, capture: str) -> str:
    """The file comes as a blob under the returned id."""
    _check_running(run)
    return _nudge(run, ExportCapture(capture=capture, **wish(run)))


def do_start_trace(
    run: Run, mode: TraceMode, node: str | None, protocol: TraceProtocol, packets: int, function: str, depth: int, calls: int
) -> str:
    """The returned id is the trace's."""
    lab = _check_running(run)
    if node is not None:
        _check_node(lab, node)
    if mode == "functions":
        _check_own_kernel(run)
    return _nudge(run, StartTrace(
        mode=mode, node=node, protocol=protocol, packets=packets, function=function, depth=depth, calls=calls, **wish(run),
    ))


def do_find_functions(run: Run, search: str) -> str:
    _check_running(run)
    _check_own_kernel(run)
    return _nudge(run, FindFunctions(search=search, **wish(run)))


def _check_own_kernel(run: Run) -> None:
    if run.runtime != RuntimeName.VM:
        raise NetlabError(ErrorCode.CANNOT_TRACE, **OWN_KERNEL_ONLY)


def do_stop_trace(run: Run, trace: str) -> str:
    _check_running(run)
    return _nudge(run, StopTrace(trace=trace, **wish(run)))


def do_export_home(run: Run, node: str) -> str:
    """The tar comes as a blob under the returned id."""
    _check_node(_check_running(run), node)
    return _nudge(run, ExportHome(node=node, **wish(run)))


def _nudge(run: Run, *commands: Command) -> str:
    nudge(run.host, *commands)
    return commands[-1].id
