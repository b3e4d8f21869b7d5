"""Who gets a place on a host: first come, first served, never an error for being too many.

Called after every start, after every end or pause (projection) and by a sweep. In one queue wait runs that are to start
and paused ones that are to go on. Places are given away under the host row's lock, so two processes never give away the
same one.
"""

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from netlab.domain.lifecycle import RunState
from netlab.domain.placement import admitted
from netlab.runs.going_on import go_on
from netlab.runs.hosts import budget_of, cost_of_run, promised_on
from netlab.runs.models import Host, Run
from netlab.runs.moves import move
from netlab.runs.starting import start_command
from netlab.runs.telling import about, host_report, nudge, tell_browsers
from netlab.runs.times import first_deadline
from netlab.wire.events import QueueMoved, RunStateChanged
from netlab.wire.host_report import HostReport


def queue_position(run: Run) -> int | None:
    """1 is next; None for a run that does not wait."""
    if run.queued_at is None:
        return None
    before = Q(queued_at__lt=run.queued_at) | Q(queued_at=run.queued_at, id__lt=run.pk)
    return waiting_on(run.host).filter(before).count() + 1


def waiting_on(host: str) -> QuerySet[Run]:
    """In the order of the queue."""
    return Run.objects.filter(host=host, queued_at__isnull=False).order_by("queued_at", "id")


def has_place(run: Run, report: HostReport) -> bool:
    """Whether it may begin now. The caller holds the host's lock, and the run's row says that it waits."""
    return queue_position(run) == 1 and cost_of_run(run).fits(promised_on(run.host), budget_of(report))


def lock_host(name: str) -> Host:
    """Inside a transaction: whoever else wants to give away this host's places waits."""
    Host.objects.get_or_create(name=name)
    return Host.objects.select_for_update().get(name=name)


def do_admit_queued(host: str) -> int:
    """Start as many waiting runs as fit, in order; the first that does not fit stops it, so that a large lab is not
    overtaken for ever by small ones. Returns how many were started."""
    if not waiting_on(host).exists():
        return 0
    report = host_report(host)
    if report is None:
        return 0
    with transaction.atomic():
        lock_host(host)
        waiting = list(waiting_on(host).select_related("workshop"))
        count = admitted(map(cost_of_run, waiting), promised_on(host), budget_of(report))
        for run in waiting[:count]:
            admit(run)
        if count:
            tell_positions(host)
    return count


def admit(run: Run) -> None:
    """Queued -> starting, with its deadline, and the nudge; a paused run goes on. The caller holds the host's lock."""
    now = timezone.now()
    if run.run_state is RunState.PAUSED:
        go_on(run)
        return
    move(run, RunState.STARTING, admitted_at=now, deadline=first_deadline(run), seen_at=now)
    tell_browsers(RunStateChanged(state=RunState.STARTING, runtime=run.runtime, **about(run)))
    nudge(run.host, start_command(run))


def tell_positions(host: str) -> None:
    """Everybody who waits hears their place anew."""
    for position, run in enumerate(waiting_on(host).only("id", "generation"), start=1):
        tell_browsers(QueueMoved(position=position, **about(run)))
