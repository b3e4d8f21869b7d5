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


class Leftover(BaseModel):
    """Something with our ownership mark that belongs to no run."""

    kind: Literal["netns", "mount", "cgroup", "container", "process", "folder", "uid_slot", "bpf"]
    name: str


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
    kernel: str = ""
    """Release of the kernel that shared-kernel labs run on, as `uname -r` says it; shown on the page."""
