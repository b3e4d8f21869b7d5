"""A run as JSON, in the one shape that REST answers and websocket snapshots share (docs/architecture.md). Reads rows only."""

from datetime import datetime
from typing import Literal

from django.db.models import QuerySet
from pydantic import BaseModel

from netlab.domain.errors import ErrorBody
from netlab.domain.ids import RunId, TerminalId
from netlab.domain.lab import Isolation, RuntimeName
from netlab.domain.lifecycle import RunState
from netlab.runs.admission import queue_position
from netlab.runs.choices import TerminalState
from netlab.runs.models import Run, Terminal
from netlab.runs.pausing import can_pause, changing_to
from netlab.runs.times import can_extend
from netlab.wire.events import Attachment, Impairment, ProgramResult


class TerminalShape(BaseModel):
    id: TerminalId
    node: str
    title: str


class FileShape(BaseModel):
    path: str
    version: int
    origin: Literal["starter", "editor", "shell", "solution", "reset"]
    size: int


class VerdictShape(BaseModel):
    """The newest verdict of one check; `ever_passed` stays true once it was."""

    passed: bool
    ever_passed: bool
    observed: str
    expected: str
    at: datetime | None


class HostStepShape(BaseModel):
    key: str
    title: str
    state: Literal["running", "done", "failed"]
    ms: float | None = None
    detail: str = ""


class RunShape(BaseModel):
    id: RunId
    workshop: str
    lab: str
    state: RunState
    generation: int
    runtime: RuntimeName
    isolation: Isolation
    kernel: str
    why_here: str
    """One sentence on why it runs in a kernel of its own; empty where it does not."""
    created_at: datetime
    deadline: datetime | None
    queue_position: int | None
    """1 is next; of a queued run, and of a paused one that waits for a place to go on."""
    changing_to: RunState | None
    """What a running or paused run was asked to become and is not yet."""
    error: ErrorBody | None
    ended_why: str
    """Why it was stopped, when it was not its owner who did."""
    open_step: str
    steps: dict[str, dict[str, VerdictShape]]
    terminals: list[TerminalShape]
    attachments: list[Attachment]
    impairments: list[Impairment]
    files: list[FileShape]
    program_results: dict[str, ProgramResult | None]
    host_steps: list[HostStepShape]
    can_extend: bool
    can_pause: bool


def present_run(run: Run) -> RunShape:
    """Six queries, whatever the run holds."""
    spec = run.spec()
    verdicts: dict[str, dict[str, VerdictShape]] = {step.id: {} for step in spec.steps}
    for c in run.checks.all():
        verdicts.setdefault(c.step, {})[c.check_id] = VerdictShape(
            passed=c.passed, ever_passed=c.ever_passed, observed=c.observed, expected=c.expected, at=c.at
        )
    outcomes = {o.program: ProgramResult.model_validate(o.result) for o in run.program_outcomes.all()}
    return RunShape(
        id=run.pk, workshop=run.workshop_id, lab=run.lab, state=run.run_state, generation=run.generation,
        runtime=RuntimeName(run.runtime), isolation=Isolation(run.isolation), kernel=run.kernel, why_here=run.why_here,
        created_at=run.created_at, deadline=run.deadline, queue_position=queue_position(run),
        changing_to=changing_to(run), ended_why=run.ended_why,
        error=ErrorBody.model_validate(run.error) if run.error else None,
        open_step=run.open_step, steps=verdicts,
        terminals=[present_terminal(t) for t in open_terminals(run)],
        attachments=[Attachment.model_validate(a) for a in run.attachments],
        impairments=[Impairment.model_validate(i) for i in run.impairments],
        files=present_files(run),
        program_results={p.name: outcomes.get(p.name) for p in spec.programs},
        host_steps=[HostStepShape.model_validate(s) for s in run.host_steps],
        can_extend=can_extend(run), can_pause=can_pause(run),
    )


def present_files(run: Run) -> list[FileShape]:
    rows = run.files.filter(deleted=False).values("path", "version", "origin", "size")
    return [FileShape.model_validate(row) for row in rows]


def open_terminals(run: Run) -> QuerySet[Terminal]:
    return run.terminals.exclude(state=TerminalState.CLOSED)


def present_terminal(terminal: Terminal) -> TerminalShape:
    return TerminalShape(id=terminal.pk, node=terminal.node, title=terminal.title)
