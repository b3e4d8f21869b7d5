"""What a host can take: its abilities against a lab, its budget against the costs of runs. Reads, decides, writes nothing.

Budgets come from the host's report, costs from the rows: what was promised counts, whether the host knows of it or not.
"""

from django.conf import settings
from django.db.models import Q, Sum

from netlab.domain.lab import Isolation, LabSpec, RuntimeName
from netlab.domain.lifecycle import RunState
from netlab.domain.placement import Cost, Placement, can_run
from netlab.runs.choices import MEMORY_VALUES, Wish
from netlab.runs.models import Run
from netlab.wire.host_report import HostReport

AWAY = "the machine that runs the labs does not answer"
AWAY_FIX = "It is tried again by itself; the operator sees why with `make status`."


def choose_host() -> str:
    """One machine has one host."""
    name: str = settings.HOST_NAMES[0]
    return name


def can_run_here(lab: LabSpec, isolation: Isolation, report: HostReport | None) -> Placement:
    """Whether the lab could be started, before anybody presses Start. A host that is away cannot run anything."""
    if report is None:
        runtime = RuntimeName.VM if isolation is Isolation.PRIVATE else RuntimeName.NAMESPACES
        return Placement(False, runtime, isolation, AWAY, AWAY_FIX, waits=True)
    return can_run(lab, isolation, {a.ability: a for a in report.abilities}, report.guest)


def kernel_of(runtime: RuntimeName, report: HostReport) -> str:
    """Release of the kernel that such a run gets."""
    return report.guest.kernel if runtime is RuntimeName.VM else report.kernel


def cost_of_run(run: Run) -> Cost:
    return Cost(run.memory_mb, run.cpu_percent)


def promised_on(host: str) -> Cost:
    """What runs that hold, or may hold, something on the host may use in all. A paused one is on disk: it counts from
    the moment when it got its place to go on."""
    going_on = Q(state=RunState.PAUSED.value, queued_at=None) & ~Q(wish__in=("", Wish.PAUSE))
    holding = Run.objects.filter(Q(state__in=MEMORY_VALUES) | going_on, host=host)
    taken = holding.aggregate(m=Sum("memory_mb"), c=Sum("cpu_percent"))
    return Cost(taken["m"] or 0, taken["c"] or 0)


def budget_of(report: HostReport) -> Cost:
    return Cost(report.memory_budget_mb, report.cpu_budget_percent)
