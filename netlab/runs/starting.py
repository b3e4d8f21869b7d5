"""A run's StartRun command from its rows: the same for the first start and for every later nudge that heals."""

from django.utils import timezone

from netlab.domain.lab import Isolation, RuntimeName
from netlab.runs.choices import TerminalState
from netlab.runs.files import lab_files
from netlab.runs.models import Run
from netlab.runs.telling import wish
from netlab.wire.commands import LabFile, ResetRun, StartRun


def start_command(run: Run) -> StartRun:
    """Remembers in the row what it carries and when it was made; the caller sends it."""
    files = lab_files(run)
    declared = run.terminals.filter(declared=True).order_by("position")
    command = StartRun(
        lab=run.spec(), lab_digest=run.lab_digest, files=files,
        runtime=RuntimeName(run.runtime), isolation=Isolation(run.isolation),
        open_step=run.open_step, terminals=list(declared.values_list("id", flat=True)), **wish(run),
    )
    remember_carried(run, files, command.id)
    return command


def reset_command(run: Run, files: list[LabFile] | None) -> ResetRun:
    """`files` None: those that are there stay."""
    command = ResetRun(files=files, **wish(run))
    if files is not None:
        remember_carried(run, files, command.id)
    run.nudged_at = timezone.now()
    run.start_sent = {**run.start_sent, "command": command.id, "with_files": files is not None}
    run.save(update_fields=["start_sent", "nudged_at"])
    return command


def remember_carried(run: Run, files: list[LabFile], command_id: str) -> None:
    run.start_sent = {"files": {f.path: f.version for f in files}, "step": run.open_step, "command": command_id}
    run.nudged_at = timezone.now()
    run.save(update_fields=["start_sent", "nudged_at"])


def revive_declared_terminals(run: Run) -> None:
    """A reset gives the lab's own terminals new shells under their old ids; all others are gone with it."""
    run.terminals.filter(declared=True).update(state=TerminalState.OPENING, closed_reason="")
    run.terminals.filter(declared=False).exclude(state=TerminalState.CLOSED).update(
        state=TerminalState.CLOSED, closed_reason="the lab was reset"
    )
