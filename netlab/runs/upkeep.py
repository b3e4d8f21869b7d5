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

from netlab.domain.errors import NetlabError
from netlab.domain.ids import new_command_id
from netlab.domain.lifecycle import RunState
from netlab.runs.actions import do_stop_run
from netlab.runs.choices import ACTIVE_VALUES, UNFINISHED_VALUES
from netlab.runs.files import lab_files
from netlab.runs.models import Host, ProjectedEvent, Run
from netlab.runs.starting import reset_command, start_command
from netlab.runs.telling import about, host_report, nudge, tell_browsers, watched, wish
from netlab.runs.times import WARN_BEFORE
from netlab.wire.commands import StopRun
from netlab.wire.events import Announcement
from netlab.wire.host_report import HostReport, RunningRun
from netlab.workshops.choices import WorkshopState

log = structlog.get_logger("netlab.runs")

SETTLED_AFTER = timedelta(seconds=8)
"""A row and a host's report are compared only when both have had this long to agree: reports come every 5 s."""
NUDGE_AGAIN_AFTER = timedelta(seconds=20)
EVENTS_KEPT = timedelta(hours=1)
BUILDING = frozenset({RunState.STARTING.value, RunState.RESETTING.value})


# --- the end of runs


def do_expire_runs() -> int:
    """Stop what is over: its time, its workshop, or everybody's interest. Returns how many were stopped."""
    _refresh_seen()
    now = timezone.now()
    _warn(now)
    unfinished = Run.objects.select_related("workshop").filter(state__in=UNFINISHED_VALUES).exclude(state=RunState.STOPPING.value)
    idle_since = now - timedelta(minutes=settings.CONFIG.idle_minutes)
    closed = Q(workshop__closes_at__lte=now) | Q(workshop__state=WorkshopState.CLOSED)
    over = list(unfinished.filter(Q(deadline__lte=now) | Q(seen_at__lte=idle_since) | closed))
    for run in over:
        do_stop_run(run, _why_over(run, now))
    return len(over)


def _why_over(run: Run, now: datetime) -> str:
    if run.workshop.is_over(now):
        return "The workshop is over; the lab was stopped. Your files are kept."
    if run.deadline is not None and run.deadline <= now:
        return "The time of this lab is over; it was stopped. Your files are kept, press Start to go on."
    return f"Nobody has looked at this lab for {settings.CONFIG.idle_minutes} minutes; it was stopped. Your files are kept."


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
    count = sum(_heal(run, there.get(run.pk), reported_at) for run in active.values())
    strays = [found for found in report.runs if found.run not in active]
    return count + sum(_send_away(found, report.host, reported_at) for found in strays)


def _agrees(run: Run, found: RunningRun | None) -> bool:
    """What the host has is what the row says, or is on the way there."""
    if found is None:
        return False
    if run.run_state is RunState.STOPPING:
        return found.state == RunState.STOPPING.value
    return found.generation == run.generation and (found.state == run.state or found.state in BUILDING)


def _heal(run: Run, found: RunningRun | None, reported_at: datetime) -> bool:
    now = timezone.now()
    if _agrees(run, found) or reported_at < run.state_at + SETTLED_AFTER:
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
        if run.run_state is RunState.STOPPING:
            nudge(run.host, StopRun(**wish(run)))
        elif run.run_state is RunState.RESETTING and found is not None:
            nudge(run.host, reset_command(run, lab_files(run) if run.start_sent.get("with_files") else None))
        else:
            nudge(run.host, start_command(run))
    return True


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
