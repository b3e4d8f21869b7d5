"""What a run that has a place is made to do: begin anew (reset), or go on where it was paused. Writes rows, nudges the host.

Called by actions and by admission, under the host's lock when the run was paused: from then on it takes its place.
"""

from django.utils import timezone

from netlab.catalogue.labs import get_lab
from netlab.domain.errors import NetlabError
from netlab.domain.lifecycle import RunState
from netlab.runs.choices import Wish
from netlab.runs.files import do_reset_files
from netlab.runs.models import Run
from netlab.runs.moves import move
from netlab.runs.starting import reset_command, revive_declared_terminals
from netlab.runs.telling import about, nudge, tell_browsers, wish
from netlab.wire.commands import LabFile, ResumeRun
from netlab.wire.events import Announcement, RunStateChanged


def go_on(run: Run) -> None:
    """A paused run got the place that it waited for. A lab whose folder broke meanwhile keeps nobody else waiting."""
    if run.wish == Wish.RESUME:
        resume_now(run)
        return
    try:
        starter = get_lab(run.lab).files if run.wish == Wish.RESET_FILES else None
    except NetlabError as error:
        run.wish, run.queued_at = "", None
        run.save(update_fields=["wish", "queued_at"])
        tell_browsers(Announcement(text=f"The lab was not reset: {error.message}", **about(run)))
    else:
        reset_now(run, starter)


def resume_now(run: Run) -> None:
    """The state stays `paused` until the host says that it runs."""
    now = timezone.now()
    command = ResumeRun(**wish(run))
    run.wish, run.wish_command, run.queued_at, run.nudged_at, run.seen_at = Wish.RESUME, command.id, None, now, now
    run.save(update_fields=["wish", "wish_command", "queued_at", "nudged_at", "seen_at"])
    nudge(run.host, command)


def reset_now(run: Run, starter: dict[str, str] | None) -> None:
    """All nodes as new, whatever the run was like: running, broken, paused, or resetting already. `starter` None: the files
    stay as they are."""
    begin_anew(run, None if starter is None else do_reset_files(run, starter))


def begin_anew(run: Run, files: list[LabFile] | None) -> None:
    """All nodes as new, with these files; None: with those that are there."""
    run.generation += 1
    if run.run_state is RunState.RESETTING:
        run.save(update_fields=["generation"])
    else:
        move(run, RunState.RESETTING, generation=run.generation, host_steps=[])
    run.bringing = {}
    run.save(update_fields=["bringing"])
    run.program_outcomes.all().delete()
    run.checks.update(passed=False, observed="", expected="", at=None)
    revive_declared_terminals(run)
    tell_browsers(RunStateChanged(state=RunState.RESETTING, runtime=run.runtime, **about(run)))
    nudge(run.host, reset_command(run, files))
