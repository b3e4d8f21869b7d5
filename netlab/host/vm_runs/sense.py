"""What a guest's event may be: parsed, bounded, and about this run alone. Raises ValueError for everything else.

Used by a run's `Conversation`. A guest's root can put any bytes onto the port: nothing here may end as an error in Redis, in
the database or in a browser, and nothing can be said in another run's name.
"""

import math
import time
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter

from netlab.domain.ids import CommandId, FilePath, TerminalId
from netlab.domain.lab import LabSpec
from netlab.wire.commands import FILE_BYTES_MAX
from netlab.wire.events import (
    VERIFIER_LOG_BYTES_MAX,
    CapturesSeen,
    CheckResult,
    CommandDone,
    CommandFailed,
    Event,
    FileChanged,
    FunctionsFound,
    HostStepFinished,
    HostStepStarted,
    LinkImpaired,
    MapsSeen,
    NodeReset,
    NodeStopped,
    PacketsSeen,
    ProgramResult,
    ProgramsChanged,
    RunStateChanged,
    TaggedFrames,
    TerminalClosed,
    TerminalOpened,
    TraceTold,
    parse_event,
)

EVENT_BYTES_MAX = 2 * VERIFIER_LOG_BYTES_MAX
NUMBER_MAX = 1 << 53
"""What JavaScript counts up to."""
DEPTH_MAX = 8
ENTRIES_MAX = 4000
NAME_CHARS_MAX = 200

MAY_BE_SAID = (
    CapturesSeen, FunctionsFound, PacketsSeen,
    CheckResult, CommandDone, CommandFailed, FileChanged, HostStepFinished, HostStepStarted, LinkImpaired, MapsSeen, NodeReset,
    NodeStopped, ProgramResult, ProgramsChanged, RunStateChanged, TaggedFrames, TerminalClosed, TerminalOpened, TraceTold,
)
"""The engine's words. Others are the web side's own, or for the host to say (a storm: a guest's own CPU is its limit)."""

_path: TypeAdapter[str] = TypeAdapter(FilePath)
_command: TypeAdapter[str] = TypeAdapter(CommandId)
_terminal: TypeAdapter[str] = TypeAdapter(TerminalId)


def read_event(data: object, lab: LabSpec, run: str, generation: int, commands: Callable[[str], bool]) -> Event:
    """The event as it may be told: of this run, now. `commands` says which ids were sent to this guest."""
    if not isinstance(data, str | bytes) or len(data) > EVENT_BYTES_MAX:
        raise ValueError("an event is JSON of bounded length")
    event = parse_event(data)  # pydantic's ValidationError is a ValueError
    if not isinstance(event, MAY_BE_SAID):
        raise ValueError(f"{event.kind} is nothing that a guest says")
    _check_values(event.model_dump())
    _check_about(event, lab)
    command = event.command if event.command is not None and commands(event.command) else None
    return event.model_copy(update={"run": run, "generation": generation, "at": time.time(), "command": command})


def _check_values(value: Any, depth: int = 0) -> None:
    """Numbers that every reader can hold, no endless nesting, no NUL (PostgreSQL's text has none)."""
    if depth > DEPTH_MAX:
        raise ValueError("nested too deep")
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("a NUL")
    elif isinstance(value, int | float):
        if not math.isfinite(value) or abs(value) > NUMBER_MAX:
            raise ValueError("a number out of range")
    elif isinstance(value, dict):
        _check_values(list(value), depth)
        _check_values(list(value.values()), depth)
    elif isinstance(value, list | tuple):
        if len(value) > ENTRIES_MAX:
            raise ValueError("too many entries")
        for each in value:
            _check_values(each, depth + 1)


def _check_about(event: Event, lab: LabSpec) -> None:
    """Nodes, steps, checks and programs are the lab's."""
    node = getattr(event, "node", None)
    if node is not None and lab.node(node) is None:
        raise ValueError("no such node")
    for name in ("key", "title", "interface", "switch"):
        if len(getattr(event, name, "")) > NAME_CHARS_MAX:
            raise ValueError(f"{name} is too long")
    if isinstance(event, FileChanged):
        _check_file(event)
    elif isinstance(event, CheckResult):
        step = lab.step(event.step)
        known = {check.id for check in step.checks} if step is not None else set()
        if not {verdict.check for verdict in event.verdicts} <= known:
            raise ValueError("no such check")
    elif isinstance(event, ProgramResult):
        if lab.program(event.program) is None:
            raise ValueError("no such program")
    elif isinstance(event, ProgramsChanged):
        if any(lab.node(attachment.node) is None for attachment in event.attachments):
            raise ValueError("no such node")
    elif isinstance(event, MapsSeen):
        if any(lab.node(seen.node) is None or (seen.program and lab.program(seen.program) is None) for seen in event.maps):
            raise ValueError("no such node, or no such program")
    elif isinstance(event, CapturesSeen):
        if any(lab.node(c.node) is None or len(c.interface) > NAME_CHARS_MAX for c in event.captures):
            raise ValueError("no such node")
    elif isinstance(event, PacketsSeen):
        _command.validate_python(event.capture)
    elif isinstance(event, TraceTold):
        _check_trace(event, lab)
    elif isinstance(event, TerminalOpened | TerminalClosed):
        _terminal.validate_python(event.terminal)


def _check_trace(event: TraceTold, lab: LabSpec) -> None:
    """Its own model bounds the rest."""
    if event.trace is None:
        return
    steps = [step for packet in event.trace.packets for step in packet.steps]
    nodes = {event.trace.node or None, *(cell.node for cell in event.trace.cells), *(step.node for step in steps)}
    if any(node is not None and lab.node(node) is None for node in nodes):
        raise ValueError("no such node")


def _check_file(event: FileChanged) -> None:
    _path.validate_python(event.path)
    if len((event.content or "").encode()) > FILE_BYTES_MAX or len(event.problem) > NAME_CHARS_MAX or event.base_version < 0:
        raise ValueError("a file that no lab keeps")
