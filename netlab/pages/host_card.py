"""What the operator's page says of one host: its report beside the rows. Reads only; words instead of states."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from netlab.catalogue.labs import all_labs
from netlab.domain.lab import Ability
from netlab.domain.lifecycle import RunState
from netlab.pages.lab_cards import STATE_WORDS
from netlab.queue.routing import SWEEPS_QUEUE, control_queue, work_queue
from netlab.runs.choices import UNFINISHED_VALUES
from netlab.runs.hosts import promised_on
from netlab.runs.models import Run
from netlab.runs.telling import host_report
from netlab.wire.host_report import HostReport, RunningRun

GUEST_WORDS = {
    "absent": ("no guest image", "warn"), "building": ("the guest kernel is being built", "warn"),
    "failed": ("the guest kernel could not be built", "bad"), "trying": ("trying whether it boots", "warn"),
    "ready": ("ready", "good"), "cannot_boot": ("guests do not boot here", "bad"),
}


@dataclass(frozen=True)
class RunRow:
    run: str
    attendee: str
    workshop: str
    workshop_id: str
    lab: str
    state: str
    tone: str
    runtime: str
    since: datetime
    cpu_percent: float
    memory_mb: int
    memory_limit_mb: int


@dataclass(frozen=True)
class StormRow:
    at: datetime
    run: str
    attendee: str
    lab: str
    where: str
    pps: int
    limit_pps: int


@dataclass(frozen=True)
class AbilityRow:
    name: str
    host: str
    guest: str
    """yes, no, or nothing while nobody has tried."""
    why: str


@dataclass(frozen=True)
class HostCard:
    name: str
    report: HostReport | None
    """None: the host is away."""
    queues: list[str]
    runs: list[RunRow] = field(default_factory=list)
    storms: list[StormRow] = field(default_factory=list)
    up_since: datetime | None = None
    promised_memory_mb: int = 0
    promised_cpu_percent: int = 0
    memory_used_mb: int = 0
    guest: tuple[str, str] = ("", "")
    """Words and tone."""
    abilities: list[AbilityRow] = field(default_factory=list)


def host_card(name: str) -> HostCard:
    queues = [SWEEPS_QUEUE, control_queue(name), work_queue(name)]
    rows = _rows(name)
    report = host_report(name)
    promised = promised_on(name)
    if report is None:
        return HostCard(name, None, queues, _run_rows(rows, {}), promised_memory_mb=promised.memory_mb)
    return HostCard(
        name, report, queues,
        runs=_run_rows(rows, {one.run: one for one in report.runs}),
        storms=_storm_rows(report),
        up_since=_moment(report.started_at),
        promised_memory_mb=promised.memory_mb, promised_cpu_percent=promised.cpu_percent,
        memory_used_mb=report.load.memory_total_mb - report.load.memory_available_mb,
        guest=GUEST_WORDS[report.guest.state],
        abilities=_ability_rows(report),
    )


def _rows(host: str) -> list[Run]:
    wanted = Run.objects.filter(host=host, state__in=UNFINISHED_VALUES).select_related("attendee__user", "workshop")
    return list(wanted.defer("lab_spec", "start_sent", "host_steps"))


def _run_rows(rows: list[Run], told: dict[str, RunningRun]) -> list[RunRow]:
    """What uses most comes first."""
    titles = _titles()
    shown = []
    for run in rows:
        words, tone = STATE_WORDS[run.run_state]
        one = told.get(run.pk)
        shown.append(RunRow(
            run=run.pk, attendee=run.attendee.name, workshop=run.workshop.title, workshop_id=run.workshop_id,
            lab=titles.get(run.lab, run.lab), state=words, tone=tone, runtime=run.runtime, since=run.state_at,
            cpu_percent=one.cpu_percent_used if one else 0.0, memory_mb=one.memory_mb_used if one else 0,
            memory_limit_mb=run.memory_mb if run.run_state is not RunState.QUEUED else 0,
        ))
    return sorted(shown, key=lambda row: (-row.cpu_percent, -row.memory_mb, row.since))


def _storm_rows(report: HostReport) -> list[StormRow]:
    """The newest first."""
    names = dict(
        Run.objects.filter(pk__in={storm.run for storm in report.storms}).values_list("pk", "attendee__user__name")
    )
    titles = _titles()
    return [
        StormRow(
            at=_moment(storm.at), run=storm.run, attendee=names.get(storm.run, ""), lab=titles.get(storm.lab, storm.lab),
            where=f"{storm.node}:{storm.interface}", pps=storm.pps, limit_pps=storm.limit_pps,
        )
        for storm in reversed(report.storms)
    ]


def _ability_rows(report: HostReport) -> list[AbilityRow]:
    """Without what is about VMs themselves: that is told as the guest's state, which is newer."""
    in_guest = {one.ability: one.works for one in report.guest.abilities}
    words = {True: "yes", False: "no", None: ""}
    return [
        AbilityRow(one.ability, words[one.works], words[in_guest.get(one.ability)], "" if one.works else one.why)
        for one in report.abilities if one.ability not in (Ability.KVM, Ability.VM)
    ]


def _titles() -> dict[str, str]:
    return {lab.id: lab.spec.title for lab in all_labs() if lab.spec}


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
