"""Everything that netlab counts, as Prometheus metrics. Called by the page `/metrics`; reads rows and reports, writes nothing.

Names are noun_verb_unit after `netlab_`, as JupyterHub's (jupyterhub/metrics.py): what it is about, what happened, the unit;
`_total` for what only grows. Every value of a label that is a closed set is there from the start, with 0.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from django.conf import settings
from django.db.models import Count
from django.utils import timezone
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily as Total
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import HistogramMetricFamily as Histogram
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from netlab.domain.lab import RuntimeName
from netlab.domain.lifecycle import RunState
from netlab.queue.routing import SWEEPS_QUEUE, control_queue, work_queue
from netlab.runs.hosts import promised_on
from netlab.runs.models import Run
from netlab.runs.telling import host_report, queue_lengths, web_reports
from netlab.wire.host_report import HostReport
from netlab.wire.web_report import LAG_BUCKETS_S, WebReport
from netlab.workshops.models import Attendee, Workshop

START_BUCKETS_S = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 60.0)
SOCKET_KINDS = ("run", "terminal", "workshop")
LEFTOVER_KINDS = ("netns", "mount", "cgroup", "container", "process", "folder", "uid_slot", "bpf", "vm")
GUEST_STATES = ("absent", "building", "failed", "trying", "ready", "cannot_boot")
MIB = 1 << 20


def metrics_text() -> bytes:
    """In Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Netlab())
    text: bytes = generate_latest(registry)
    return text


class _Netlab(Collector):
    def collect(self) -> Iterable[Metric]:
        yield from _workshops()
        yield from _runs()
        hosts = list(settings.HOST_NAMES)
        yield from _hosts({name: host_report(name) for name in hosts})
        yield from _queues(hosts)
        yield from _web(web_reports())


# --- rows


def _workshops() -> Iterator[Metric]:
    are_open = sum(workshop.is_open() for workshop in Workshop.objects.all())
    yield _gauge("netlab_workshops_open", "Workshops that people can be in now.", are_open)
    yield _gauge("netlab_attendees", "People who have joined a workshop that is there.", Attendee.objects.count())


def _runs() -> Iterator[Metric]:
    rows = Run.objects.values_list("state", "runtime").annotate(n=Count("id")).order_by()
    counted = Counter({(state, runtime): n for state, runtime, n in rows})
    runs = Gauge("netlab_runs", "Runs by state and runtime, ended ones that are kept as well.", labels=["state", "runtime"])
    for state in RunState:
        for runtime in RuntimeName:
            runs.add_metric([state.value, runtime.value], counted[state.value, runtime.value])
    yield runs
    starts = Histogram(
        "netlab_run_start_seconds", "From the place that a run got until it ran, of all runs that are kept.", labels=["runtime"]
    )
    took: dict[str, list[float]] = {runtime.value: [] for runtime in RuntimeName}
    began = Run.objects.exclude(started_at=None).exclude(admitted_at=None)
    for kind, admitted, started in began.values_list("runtime", "admitted_at", "started_at"):
        assert admitted is not None and started is not None
        took[kind].append(max(0.0, (started - admitted).total_seconds()))
    for name, seconds in took.items():
        counts = [sum(s <= bound for s in seconds) for bound in START_BUCKETS_S]
        starts.add_metric([name], _buckets(START_BUCKETS_S, counts, len(seconds)), sum(seconds))
    yield starts


# --- hosts


def _hosts(reports: dict[str, HostReport | None]) -> Iterator[Metric]:
    up = Gauge("netlab_host_up", "1: the host's agent has reported within 20 s.", labels=["host"])
    for name, report in reports.items():
        up.add_metric([name], report is not None)
    yield up
    there = {name: report for name, report in reports.items() if report is not None}
    for metric, about, value in _OF_A_HOST:
        family = Gauge(metric, about, labels=["host"])
        for name, report in there.items():
            family.add_metric([name], value(report))
        yield family
    yield from _promised(there)
    yield from _found(there)
    yield from _used(there)


_OF_A_HOST: tuple[tuple[str, str, Callable[[HostReport], float]], ...] = (
    ("netlab_host_report_age_seconds", "Since the host's newest report.", lambda r: max(0.0, timezone.now().timestamp() - r.at)),
    ("netlab_host_processors", "Processors of the host.", lambda r: r.load.processors),
    ("netlab_host_cpu_busy_ratio", "Of all processors, 0 to 1.", lambda r: r.load.cpu_percent / 100),
    ("netlab_host_softirq_ratio", "Of all processors, for packets, charged to no lab.", lambda r: r.load.softirq_percent / 100),
    ("netlab_host_load_1m", "The kernel's load average of a minute.", lambda r: r.load_1m),
    ("netlab_host_memory_total_bytes", "Memory of the host.", lambda r: r.load.memory_total_mb * MIB),
    ("netlab_host_memory_available_bytes", "Memory to be had without swapping.", lambda r: r.load.memory_available_mb * MIB),
)


def _promised(there: dict[str, HostReport]) -> Iterator[Metric]:
    memory = Gauge("netlab_host_memory_promised_bytes", "What runs that hold a place may use.", labels=["host"])
    memory_budget = Gauge("netlab_host_memory_budget_bytes", "What may be promised.", labels=["host"])
    cpu = Gauge("netlab_host_cpu_promised_ratio", "Processors that runs may use; labs idle.", labels=["host"])
    cpu_budget = Gauge("netlab_host_cpu_budget_ratio", "What may be promised.", labels=["host"])
    for name, report in there.items():
        promised = promised_on(name)
        memory.add_metric([name], promised.memory_mb * MIB)
        memory_budget.add_metric([name], report.memory_budget_mb * MIB)
        cpu.add_metric([name], promised.cpu_percent / 100)
        cpu_budget.add_metric([name], report.cpu_budget_percent / 100)
    yield from (memory, memory_budget, cpu, cpu_budget)


def _found(there: dict[str, HostReport]) -> Iterator[Metric]:
    softnet = Total("netlab_host_softnet", "Of the packet softirqs of all processors, since boot.", labels=["host", "what"])
    storms = Total("netlab_host_storms_stopped", "Links that the storm guard has set down.", labels=["host"])
    leftovers = Gauge("netlab_host_leftovers", "Things with netlab's mark that belong to no run.", labels=["host", "kind"])
    abilities = Gauge("netlab_host_ability", "1: the host's kernel can do it, found by trying.", labels=["host", "ability"])
    guest = Gauge("netlab_host_guest", "How it stands with VMs: 1 for the state it is in.", labels=["host", "state"])
    for name, report in there.items():
        for what in ("processed", "dropped", "squeezed"):
            softnet.add_metric([name, what], getattr(report.load.softnet, what))
        storms.add_metric([name], report.storms_stopped)
        left: Counter[str] = Counter(one.kind for one in report.leftovers)
        for kind in LEFTOVER_KINDS:
            leftovers.add_metric([name, kind], left[kind])
        for ability in report.abilities:
            abilities.add_metric([name, ability.ability], ability.works)
        for state in GUEST_STATES:
            guest.add_metric([name, state], report.guest.state == state)
    yield from (softnet, storms, leftovers, abilities, guest)


def _used(there: dict[str, HostReport]) -> Iterator[Metric]:
    cpu = Gauge("netlab_process_cpu_ratio", "Processors that a process of netlab uses.", labels=["host", "process"])
    memory = Gauge("netlab_process_memory_bytes", "Resident memory of a process of netlab.", labels=["host", "process"])
    run_labels = ["host", "run", "lab"]
    run_cpu = Gauge("netlab_run_cpu_ratio", "Processors that a run uses; without its softirqs.", labels=run_labels)
    run_memory = Gauge("netlab_run_memory_bytes", "Memory that a run uses.", labels=run_labels)
    for name, report in there.items():
        for process in report.load.processes:
            cpu.add_metric([name, process.name], process.cpu_percent / 100)
            memory.add_metric([name, process.name], process.memory_mb * MIB)
        for run in report.runs:
            run_cpu.add_metric([name, run.run, run.lab], run.cpu_percent_used / 100)
            run_memory.add_metric([name, run.run, run.lab], run.memory_mb_used * MIB)
    yield from (cpu, memory, run_cpu, run_memory)


# --- queues, web processes


def _queues(hosts: list[str]) -> Iterator[Metric]:
    names = [SWEEPS_QUEUE, *(queue(host) for host in hosts for queue in (control_queue, work_queue))]
    waiting = Gauge("netlab_queue_messages_waiting", "Commands and sweeps that no worker has taken yet.", labels=["queue"])
    for queue, length in queue_lengths(names).items():
        waiting.add_metric([queue], length)
    yield waiting


def _web(reports: list[WebReport]) -> Iterator[Metric]:
    sockets = Gauge("netlab_sockets_open", "Websockets by kind.", labels=["process", "kind"])
    sent = Total("netlab_counter_frames_sent", "Counter frames to browsers.", labels=["process"])
    skipped = Total(
        "netlab_counter_frames_skipped", "Counter frames that a slow browser did not get; it got a newer one.", labels=["process"]
    )
    lag = Histogram(
        "netlab_counter_frame_lag_seconds", "From the sampler's reading until the frame was handed to the browser's connection.",
        labels=["process"],
    )
    for report in reports:
        process = str(report.process)
        for kind in SOCKET_KINDS:
            sockets.add_metric([process, kind], report.sockets.get(kind, 0))
        sent.add_metric([process], report.frames_sent)
        skipped.add_metric([process], report.frames_skipped)
        counts = [sum(report.lag_counts[: at + 1]) for at in range(len(LAG_BUCKETS_S))]
        lag.add_metric([process], _buckets(LAG_BUCKETS_S, counts, sum(report.lag_counts)), report.lag_sum_s)
    yield from (sockets, sent, skipped, lag)


# --- forms


def _gauge(name: str, about: str, value: float) -> Metric:
    return Gauge(name, about, value=value)


def _buckets(bounds: tuple[float, ...], cumulative: list[int], total: int) -> list[tuple[str, float]]:
    return [*((f"{bound:g}", float(n)) for bound, n in zip(bounds, cumulative, strict=True)), ("+Inf", float(total))]
