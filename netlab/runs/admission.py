"""Who gets a place on a host: first come, first served, never an error for being too many.

Called after every start, after every end (projection) and by a sweep. Places are given away under the host row's lock,
so two processes never give away the same one.
"""

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from netlab.domain.lifecycle import RunState
from netlab.domain.placement import admitted
from netlab.runs.hosts import budget_of, cost_of_run, promised_on
from netlab.runs.models import Host, Run
from netlab.runs.moves import move
from netlab.runs.starting import start_command
from netlab.runs.telling import about, host_report, nudge, tell_browsers
from netlab.runs.times import first_deadline
from netlab.wire.events import QueueMoved, RunStateChanged


def queue_position(run: Run) -> int | None:
    """1 is next; None for a run that does not wait."""
    if run.run_state is not RunState.QUEUED:
        return None
    before = Q(created_at__lt=run.created_at) | Q(created_at=run.created_at, id__lt=run.pk)
    return Run.objects.filter(before, host=run.host, state=RunState.QUEUED.value).count() + 1


def lock_host(name: str) -> Host:
    """Inside a transaction: whoever else wants to give away this host's places waits."""
    Host.objects.get_or_create(name=name)
    return Host.objects.select_for_update().get(name=name)


def do_admit_queued(host: str) -> int:
    """Start as many waiting runs as fit, in order; the first that does not fit stops it, so that a large lab is not
    overtaken for ever by small ones. Returns how many were started."""
    if not Run.objects.filter(host=host, state=RunState.QUEUED.value).exists():
        return 0
    report = host_report(host)
    if report is None:
        return 0
    with transaction.atomic():
        lock_host(host)
        waiting = list(Run.objects.select_related("workshop").filter(host=host, state=RunState.QUEUED.value))
        count = admitted(map(cost_of_run, waiting), promised_on(host), budget_of(report))
        for run in waiting[:count]:
            admit(run)
        if count:
            tell_positions(host)
    return count


def admit(run: Run) -> None:
    """Queued -> starting, with its deadline, and the nudge. The caller holds the host's lock."""
    now = timezone.now()
    move(run, RunState.STARTING, admitted_at=now, deadline=first_deadline(run), seen_at=now)
    tell_browsers(RunStateChanged(state=RunState.STARTING, runtime=run.runtime, **about(run)))
    nudge(run.host, start_command(run))


def tell_positions(host: str) -> None:
    """Everybody who waits hears their place anew."""
    waiting = Run.objects.filter(host=host, state=RunState.QUEUED.value)
    for position, run in enumerate(waiting.only("id", "generation"), start=1):
        tell_browsers(QueueMoved(position=position, **about(run)))
