"""How much of the machine its runs and netlab itself use, between one look and the next. Asked by the report; sets nothing."""

import time
from collections.abc import Mapping

from netlab.host.kernel import machine_load
from netlab.host.kernel.cgroups import Hierarchies
from netlab.host.nodes.marks import cgroup_of
from netlab.wire.host_report import HostLoad, ProcessLoad, RunningRun, SoftnetReport

LEAST_S = 0.5
"""Between two looks that are this close the books say little: the answer is the one before."""


class LoadMeter:
    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._hierarchies = Hierarchies.of_this_host()
        self._at = float("-inf")
        self._machine = machine_load.machine()
        self._softnet = machine_load.softnet()
        self._runs: dict[str, int] = {}
        self._processes: dict[int, float] = {}
        self._load = HostLoad()
        self._used: dict[str, tuple[float, int]] = {}

    def look(self, runs: list[RunningRun], processes: Mapping[str, int | None]) -> tuple[HostLoad, list[RunningRun]]:
        """What the machine does, and the runs with what they use. `processes`: pid by name, None while there is none."""
        elapsed_s = time.monotonic() - self._at
        if elapsed_s >= LEAST_S:
            self._at = time.monotonic()
            self._load = self._machine_load(processes, elapsed_s)
            self._used = {one.run: self._run_load(one.run, elapsed_s) for one in runs}
            self._runs = {run: ns for run, ns in self._runs.items() if run in self._used}
        shown = []
        for one in runs:
            percent, megabytes = self._used.get(one.run, (0.0, 0))
            shown.append(one.model_copy(update={"cpu_percent_used": percent, "memory_mb_used": megabytes}))
        return self._load, shown

    def _machine_load(self, processes: Mapping[str, int | None], elapsed_s: float) -> HostLoad:
        before, now = self._machine, machine_load.machine()
        self._machine = now
        ticks = max(1, now.ticks - before.ticks)
        seen = {}
        loads = []
        for name, pid in processes.items():
            if pid is None:
                continue
            spent_s, megabytes = machine_load.process(pid)
            share = max(0.0, spent_s - self._processes.get(pid, spent_s)) / elapsed_s
            seen[pid] = spent_s
            loads.append(ProcessLoad(name=name, cpu_percent=round(100 * share, 1), memory_mb=megabytes))
        self._processes = seen
        return HostLoad(
            processors=machine_load.processors(),
            cpu_percent=_percent(ticks - (now.idle_ticks - before.idle_ticks), ticks),
            softirq_percent=_percent(now.softirq_ticks - before.softirq_ticks, ticks),
            softnet=self._softnet_report(elapsed_s),
            memory_total_mb=now.memory_total_mb, memory_available_mb=now.memory_available_mb, processes=loads,
        )

    def _softnet_report(self, elapsed_s: float) -> SoftnetReport:
        before, now = self._softnet, machine_load.softnet()
        self._softnet = now
        return SoftnetReport(
            processed=now.processed, dropped=now.dropped, squeezed=now.squeezed,
            processed_per_s=_rate(now.processed - before.processed, elapsed_s),
            dropped_per_s=_rate(now.dropped - before.dropped, elapsed_s),
            squeezed_per_s=_rate(now.squeezed - before.squeezed, elapsed_s),
        )

    def _run_load(self, run: str, elapsed_s: float) -> tuple[float, int]:
        used = self._hierarchies.usage(cgroup_of(self._instance, run))
        before = self._runs.get(run, used.cpu_ns)
        self._runs[run] = used.cpu_ns
        percent = max(0.0, used.cpu_ns - before) / (elapsed_s * 1e9) * 100
        return round(percent, 1), used.memory_bytes >> 20


def _rate(more: int, elapsed_s: float) -> float:
    """Columns of the kernel are 32 bits wide: one that has come round says nothing once."""
    return round(max(0, more) / elapsed_s, 1)


def _percent(part: int, whole: int) -> float:
    return round(100 * max(0, part) / whole, 1)
