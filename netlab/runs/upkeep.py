"""What has to be done from time to time: end what is over, heal what a crash or a lost message left behind, tidy up.

Called by the sweeps. Each function may be called at any moment, twice at once, or not for an hour: it compares what is
with what should be and does the difference.
"""

from datetime import UTC, datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_command_id
from netlab.domain.lifecycle import RunState
from netlab.runs.access import locked
from netlab.runs.actions import do_stop_run
from netlab.runs.choices import ACTIVE_VALUES, UNFINISHED_VALUES, Wish
from netlab.runs.files import lab_files
from netlab.runs.going_on import resume_now
from netlab.runs.models import Host, ProjectedEvent, Run
from netlab.runs.moves import move
from netlab.runs.pausing import can_pause, pause_now, stop_waiting
from netlab.runs.starting import reset_command, start_command
from netlab.runs.telling import about, host_report, nudge, tell_browsers, watched, wish
from netlab.runs.times import WARN_BEFORE, idle_sentence, idle_since
from netlab.wire.commands import StopRun
from netlab.wire.events import Announcement, RunStateChanged
from netlab.wire.host_report import HostReport, RunningRun
from netlab.workshops.choices import WorkshopState

log = structlog.get_logger("netlab.runs")

SETTLED_AFTER = timedelta(seconds=8)
"""A row and a host's report are compared only when both have had this long to agree: reports come every 5 s."""
AWAKE_AFTER_S = 60
NUDGE_AGAIN_AFTER = timedelta(seconds=20)
EVENTS_KEPT = timedelta(hours=1)
BUILDING = frozenset({RunState.STARTING.value, RunState.RESETTING.value})


# --- the end of runs


def do_expire_runs() -> int:
    """Stop what is over: its time, its workshop, or everybody's interest; a VM that nobody looks at is put aside first.
    Returns how many were stopped or put aside."""
    _refresh_seen()
    now = timezone.now()
    _warn(now)
    unfinished = Run.objects.select_related("workshop").filter(state__in=UNFINISHED_VALUES).exclude(state=RunState.STOPPING.value)
    closed = Q(workshop__closes_at__lte=now) | Q(workshop__state=WorkshopState.CLOSED)
    over = Q(deadline__lte=now) | Q(seen_at__lte=idle_since()) | closed | _left_aside(now)
    return sum(_expire(run, now) for run in unfinished.filter(over))


def _left_aside(now: datetime) -> Q:
    """Paused for longer than such runs are kept."""
    minutes = settings.CONFIG.paused_minutes
    since = now - timedelta(minutes=minutes)
    return Q(state=RunState.PAUSED.value, state_at__lte=since) if minutes else Q(pk__in=[])


def _expire(run: Run, now: datetime) -> bool:
    why = _why_over(run, now)
    if why:
        do_stop_run(run, why)
        return True
    if run.run_state is RunState.PAUSED:
        return _do_give_up_waiting(run)
    if run.wish == Wish.PAUSE:
        return False
    return _do_put_aside(run) or bool(do_stop_run(run, idle_sentence("stopped. Your files are kept")))


def _why_over(run: Run, now: datetime) -> str:
    """Empty for a run whose only fault is that nobody looks at it."""
    if run.workshop.is_over(now):
        return "The workshop is over; the lab was stopped. Your files are kept."
    if run.deadline is not None and run.deadline <= now:
        return "The time of this lab is over; it was stopped. Your files are kept, press Start to go on."
    minutes = settings.CONFIG.paused_minutes
    if run.run_state is RunState.PAUSED and minutes and run.state_at <= now - timedelta(minutes=minutes):
        return f"This lab was paused for {minutes} minutes; it was stopped. Your files are kept, press Start to go on."
    return ""


def _do_put_aside(run: Run) -> bool:
    """False: it cannot be paused."""
    with transaction.atomic():
        run = locked(run)
        if not can_pause(run):
            return False
        _say(run, idle_sentence("paused. Press Resume to go on"))
        pause_now(run)
    return True


def _do_give_up_waiting(run: Run) -> bool:
    """Nobody is there any more for whom it should go on; who comes back presses Resume."""
    with transaction.atomic():
        run = locked(run)
        if run.queued_at is not None:
            stop_waiting(run)
    return False


def _refresh_seen() -> None:
    ids = list(Run.objects.filter(state__in=UNFINISHED_VALUES).values_list("id", flat=True))
    seen = watched(ids)
    if seen:
        Run.objects.filter(id__in=seen).update(seen_at=timezone.now())


def _warn(now: datetime) -> None:
    soon = Run.objects.filter(state__in=ACTIVE_VALUES, warned_at=None, deadline__lte=now + WARN_BEFORE, deadline__gt=now)
    for run in soon:
        run.warned_at = now
        run.save(update_fields=["warned_at"])
        assert run.deadline is not None
        minutes = max(1, round((run.deadline - now).total_seconds() / 60))
        _say(run, f"This lab ends in {minutes} minute{'s' if minutes > 1 else ''}; your files are kept.")


def _say(run: Run, text: str) -> None:
    tell_browsers(Announcement(text=text, **about(run)))


# --- hosts and runs that do not agree


def do_notice_silent_host(name: str) -> HostReport | None:
    """Tell once when a host falls silent, and once when it is back. Its labs are left alone: they go on without us."""
    report = host_report(name)
    host, _ = Host.objects.get_or_create(name=name)
    now = timezone.now()
    if report is not None:
        if host.silent_since is not None:
            log.warning("host_is_back", host=name, silent_s=round((now - host.silent_since).total_seconds()))
            _say_on(name, "The machine that runs the labs is back.")
        Host.objects.filter(name=name).update(seen_at=datetime.fromtimestamp(report.at, UTC), silent_since=None)
    elif host.silent_since is None:
        log.warning("host_is_silent", host=name)
        Host.objects.filter(name=name).update(silent_since=now)
        _say_on(name, "The machine that runs the labs does not answer; this page goes on by itself when it is back.")
    return report


def _say_on(host: str, text: str) -> None:
    for run in Run.objects.filter(host=host, state__in=UNFINISHED_VALUES):
        _say(run, text)


def do_heal_runs(report: HostReport) -> int:
    """Nudge again what the host does not have as it should, and away what it should not have. Returns how many nudges."""
    there = {run.run: run for run in report.runs}
    reported_at = datetime.fromtimestamp(report.at, UTC)
    active = {run.pk: run for run in Run.objects.select_related("workshop").filter(host=report.host, state__in=ACTIVE_VALUES)}
    is_awake = report.at - report.started_at > AWAKE_AFTER_S
    count = sum(_heal(run, there.get(run.pk), reported_at, is_awake) for run in active.values())
    strays = [found for found in report.runs if found.run not in active]
    return count + sum(_send_away(found, report.host, reported_at) for found in strays)


def _agrees(run: Run, found: RunningRun | None) -> bool:
    """What the host has is what the row says, or is on the way there."""
    if run.run_state is RunState.BROKEN:
        return True  # it waits for a person, whatever is left of it
    if found is None:
        return False
    if run.run_state is RunState.STOPPING:
        return found.state == RunState.STOPPING.value
    if run.wish == Wish.PAUSE or _is_resuming(run):
        return False
    return found.generation == run.generation and (found.state == run.state or found.state in BUILDING)


def _is_resuming(run: Run) -> bool:
    return run.run_state is RunState.PAUSED and run.wish == Wish.RESUME and run.queued_at is None


def _heal(run: Run, found: RunningRun | None, reported_at: datetime, is_awake: bool) -> bool:
    """`is_awake`: the agent has been there for long enough to know what it has on disk."""
    now = timezone.now()
    if _agrees(run, found) or reported_at < run.state_at + SETTLED_AFTER:
        return False
    if run.run_state is RunState.PAUSED and found is None and not is_awake:
        return False
    if run.nudged_at is not None and now < run.nudged_at + NUDGE_AGAIN_AFTER:
        return False
    log.warning("run_nudged_again", run=run.pk, state=run.state, host_has=found.state if found else "nothing")
    with transaction.atomic():
        run = Run.objects.select_for_update(of=("self",)).select_related("workshop").get(pk=run.pk)
        if not run.is_active:
            return False
        run.nudged_at = now
        run.save(update_fields=["nudged_at"])
        _nudge_again(run, found)
    return True


def _nudge_again(run: Run, found: RunningRun | None) -> None:
    """The same wish once more. A StartRun for a run that is there is answered with its state, which may be news to us."""
    if run.run_state is RunState.STOPPING:
        nudge(run.host, StopRun(**wish(run)))
    elif run.run_state is RunState.RESETTING and found is not None:
        nudge(run.host, reset_command(run, lab_files(run) if run.start_sent.get("with_files") else None))
    elif run.run_state is RunState.PAUSED and found is None:
        _do_lose(run)
    elif _is_resuming(run) and found is not None and found.state == RunState.PAUSED.value:
        resume_now(run)
    elif run.wish == Wish.PAUSE and found is not None and found.state == RunState.RUNNING.value:
        pause_now(run)
    else:
        carried = run.start_sent
        nudge(run.host, start_command(run))
        if run.run_state is RunState.PAUSED:  # what was saved meanwhile is still to be sent when it runs again
            run.start_sent = carried
            run.save(update_fields=["start_sent"])


def _do_lose(run: Run) -> None:
    """What was put aside is not there any more; it cannot go on, and a start would not be what the person left."""
    error = NetlabError(ErrorCode.RUN_LOST, why="it was paused, and its host no longer has it").body()
    nudge(run.host, StopRun(**wish(run)))
    tell_browsers(RunStateChanged(state=RunState.FAILED, error=error, runtime=run.runtime, **about(run)))
    move(run, RunState.FAILED, error)


def _send_away(found: RunningRun, host: str, reported_at: datetime) -> bool:
    """A host holds a run that has ended for us, or that nobody here knows (a database put back from yesterday)."""
    run = Run.objects.filter(pk=found.run).first()
    if run is not None and reported_at < (run.ended_at or run.state_at) + SETTLED_AFTER:
        return False
    if found.state == RunState.STOPPING.value:
        return False
    generation = max(found.generation, run.generation if run else 0)
    log.warning("stray_run_sent_away", run=found.run, host=host, known=run is not None)
    try:
        command = StopRun(id=new_command_id(), run=found.run, generation=generation)
    except (ValueError, NetlabError):  # not an id of ours: whatever it is, it is not ours to stop
        log.error("stray_run_has_no_id", run=found.run[:40], host=host)
        return False
    nudge(host, command)
    return True


def do_tidy() -> int:
    """Forget event ids that cannot come again. Returns how many."""
    return ProjectedEvent.objects.filter(at__lt=timezone.now() - EVENTS_KEPT).delete()[0]
