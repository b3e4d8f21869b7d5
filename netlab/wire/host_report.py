"""HostReport: what a host says of itself every few seconds. Published with an expiry; a host that is silent is away."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class AbilityReport(BaseModel):
    """One line of the probe's table: found by trying; `why` says what was tried and what came back."""

    ability: str
    works: bool
    why: str = ""


class RunningRun(BaseModel):
    run: str
    lab: str
    state: str
    generation: int
    memory_mb: int
    cpu_percent: int
    memory_mb_used: int = 0
    cpu_percent_used: float = 0
    """Of one processor, since the report before. What softirqs do for its packets is nobody's: `HostLoad.softirq_percent`."""


class StoppedStorm(BaseModel):
    """A link that the storm guard set down."""

    at: float
    run: str
    lab: str
    node: str
    interface: str
    pps: int
    limit_pps: int


class ProcessLoad(BaseModel):
    """One of netlab's own processes on the host."""

    name: str
    cpu_percent: float
    """Of one processor, since the report before."""
    memory_mb: int


class SoftnetReport(BaseModel):
    """What the packet softirqs of all processors did since boot, and a second since the report before."""

    processed: int = 0
    dropped: int = 0
    """The backlog of a processor was full: `net.core.netdev_max_backlog`."""
    squeezed: int = 0
    """A round of NAPI polls ended by its budget with work left: `net.core.netdev_budget`."""
    processed_per_s: float = 0
    dropped_per_s: float = 0
    squeezed_per_s: float = 0


class HostLoad(BaseModel):
    """What the machine does, by the kernel's own books, since the report before. Shares are of all processors together."""

    processors: int = 0
    cpu_percent: float = 0
    softirq_percent: float = 0
    """Packets on their way: no control group is charged for them."""
    softnet: SoftnetReport = SoftnetReport()
    memory_total_mb: int = 0
    memory_available_mb: int = 0
    processes: list[ProcessLoad] = []


class Leftover(BaseModel):
    """Something with our ownership mark that belongs to no run."""

    kind: Literal["netns", "mount", "cgroup", "container", "process", "folder", "uid_slot", "bpf", "vm"]
    name: str


class GuestReport(BaseModel):
    """How it stands with VMs on this host. Abilities are the guest kernel's, found by the same probe inside a guest."""

    state: Literal["absent", "building", "failed", "trying", "ready", "cannot_boot"] = "absent"
    doing: str = ""
    """building: 'compiling the guest kernel'; failed, cannot_boot: why, one sentence."""
    minutes_left: int | None = None
    kernel: str = ""
    acceleration: Literal["", "kvm", "tcg"] = ""
    abilities: list[AbilityReport] = []


class HostReport(BaseModel):
    model_config = ConfigDict(extra="ignore")

    v: Literal[1] = 1
    host: str
    at: float
    started_at: float
    abilities: list[AbilityReport]
    memory_budget_mb: int
    cpu_budget_percent: int
    runs: list[RunningRun] = []
    leftovers: list[Leftover] = []
    load_1m: float = 0
    load: HostLoad = HostLoad()
    storms: list[StoppedStorm] = []
    """The newest, oldest first."""
    storms_stopped: int = 0
    """Since the agent began."""
    guest: GuestReport = GuestReport()
    kernel: str = ""
    """Release of the kernel that shared-kernel labs run on, as `uname -r` says it; shown on the page."""
