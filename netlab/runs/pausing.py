"""Pause and resume: a VM's memory goes to disk and its place to others; to go on it waits for one like everybody.

Called by views and by the sweep of idle runs. The row's state changes when the host says so (projection); what was asked
until then is in `Run.wish`.
"""

from django.db import transaction
from django.utils import timezone

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import RuntimeName
from netlab.domain.lifecycle import RunState, check_move
from netlab.runs.access import locked
from netlab.runs.admission import has_place, lock_host, tell_positions
from netlab.runs.choices import Wish
from netlab.runs.going_on import go_on
from netlab.runs.models import Run
from netlab.runs.pace import check_pace
from netlab.runs.telling import host_report, nudge, wish
from netlab.wire.commands import PauseRun

SHARED = "it runs on the host's own kernel, and only a kernel of its own can be put aside"


def can_pause(run: Run) -> bool:
    return run.runtime == RuntimeName.VM and run.run_state is RunState.RUNNING and run.wish != Wish.PAUSE


def changing_to(run: Run) -> RunState | None:
    if run.wish == Wish.PAUSE:
        return RunState.PAUSED
    if run.wish == Wish.RESUME:
        return RunState.RUNNING
    return RunState.RESETTING if run.wish else None


def do_pause_run(run: Run) -> Run:
    """Put it aside. Raises CANNOT_PAUSE on a shared kernel, RUN_STATE for what does not run. Pressed twice: once."""
    with transaction.atomic():
        run = locked(run)
        if run.runtime != RuntimeName.VM:
            raise NetlabError(ErrorCode.CANNOT_PAUSE, why=SHARED)
        if run.wish == Wish.PAUSE or (run.run_state is RunState.PAUSED and not run.wish):
            return run
        if run.run_state is RunState.PAUSED:
            stop_waiting(run)
            return run
        if resumes_once_paused(run):
            _wish(run, Wish.PAUSE)
            return run
        check_move(run.run_state, RunState.PAUSED)
        check_pace(run.attendee)
        pause_now(run)
    return run


def pause_now(run: Run) -> None:
    """Inside a transaction, for a run that `can_pause`. Also the sweep's, for one that nobody looks at."""
    command = PauseRun(**wish(run))
    run.wish, run.wish_command, run.nudged_at = Wish.PAUSE, command.id, timezone.now()
    run.save(update_fields=["wish", "wish_command", "nudged_at"])
    nudge(run.host, command)


def stop_waiting(run: Run) -> None:
    """It was to go on and waits for a place: it stays paused after all. One that has its place goes on."""
    if run.queued_at is not None:
        run.wish, run.wish_command, run.queued_at = "", "", None
        run.save(update_fields=["wish", "wish_command", "queued_at"])
        tell_positions(run.host)


def do_resume_run(run: Run) -> Run:
    """Go on, or wait for a place to. Raises RUN_STATE for what is not paused, HOST_AWAY. Pressed twice: once."""
    with transaction.atomic():
        run = locked(run)
        if run.run_state is RunState.RUNNING:
            if run.wish == Wish.PAUSE:
                _wish(run, Wish.RESUME)
            return run
    return do_wish_of_paused(run, Wish.RESUME)


def resumes_once_paused(run: Run) -> bool:
    """Resume was pressed before the host's word of the pause came here: browsers hear it first, rows follow."""
    return run.run_state is RunState.RUNNING and run.wish == Wish.RESUME


def _wish(run: Run, asked: Wish) -> None:
    """Instead of what was wished; the host's answer to the command that it has still counts."""
    run.wish = asked
    run.save(update_fields=["wish"])


def do_wish_of_paused(run: Run, asked: Wish) -> Run:
    """What needs a place: taken at once when there is one, else in turn. A later wish takes the earlier one's turn."""
    report = host_report(run.host)
    if report is None:
        raise NetlabError(ErrorCode.HOST_AWAY)
    with transaction.atomic():
        lock_host(run.host)
        run = locked(run)
        if run.run_state is not RunState.PAUSED:
            check_move(run.run_state, RunState.RUNNING if asked == Wish.RESUME else RunState.RESETTING)
        now = timezone.now()
        has_its_place = bool(run.wish) and run.queued_at is None
        if run.wish == asked:
            return run
        check_pace(run.attendee)
        run.wish, run.seen_at = asked, now
        if not has_its_place:
            run.queued_at = run.queued_at or now
        run.save(update_fields=["wish", "queued_at", "seen_at"])
        if has_its_place or has_place(run, report):
            go_on(run)
        else:
            tell_positions(run.host)
    return run
