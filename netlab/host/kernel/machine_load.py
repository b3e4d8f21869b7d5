"""What the machine and some processes have used so far, as /proc says it.

Read by the agent's report and by a guest's sampler; it keeps nothing.

Formats: proc(5), Documentation/filesystems/proc.rst; softnet_seq_show() in net/core/net-procfs.c.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
IDLE_FIELDS = (3, 4)
"""idle, iowait; of the line `cpu` of /proc/stat, after its name."""
SOFTIRQ_FIELD = 6
GUEST_FIELD = 8
"""From here on: time of guests, which is in `user` as well."""
UTIME_AFTER_NAME = 11
"""Place of utime behind the process's name in /proc/PID/stat; stime follows."""
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Machine:
    """Ticks of all processors since boot; memory in MiB."""

    ticks: int
    idle_ticks: int
    softirq_ticks: int
    memory_total_mb: int
    memory_available_mb: int


def machine() -> Machine:
    numbers = [int(n) for n in (PROC / "stat").read_text().split("\n", 1)[0].split()[1 : GUEST_FIELD + 1]]
    memory = dict(line.split(":", 1) for line in (PROC / "meminfo").read_text().splitlines())
    return Machine(
        sum(numbers), sum(numbers[at] for at in IDLE_FIELDS), numbers[SOFTIRQ_FIELD],
        _mb(memory["MemTotal"]), _mb(memory.get("MemAvailable", memory["MemFree"])),
    )


@dataclass(frozen=True)
class Softnet:
    """Since boot: packets handled, dropped at a full backlog, rounds that ended with work left."""

    processed: int
    dropped: int
    squeezed: int


def softnet_by_processor() -> list[Softnet]:
    """Raises OSError."""
    rows = [line.split() for line in (PROC / "net" / "softnet_stat").read_text().splitlines()]
    return [Softnet(*(int(word, 16) for word in row[:3])) for row in rows]


def softnet() -> Softnet:
    """Of all processors together."""
    every = softnet_by_processor()
    return Softnet(sum(one.processed for one in every), sum(one.dropped for one in every), sum(one.squeezed for one in every))


def processors() -> int:
    return os.cpu_count() or 1


def process(pid: int) -> tuple[float, int]:
    """(seconds of processor time so far, resident memory in MiB); zeros for one that has gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        after_name = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        resident = int((PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        spent = sum(int(n) for n in after_name[UTIME_AFTER_NAME : UTIME_AFTER_NAME + 2])
        return spent / TICKS_PER_S, resident >> 20
    return 0.0, 0


def _mb(value: str) -> int:
    """Of '16384 kB'."""
    return int(value.split()[0]) >> 10
