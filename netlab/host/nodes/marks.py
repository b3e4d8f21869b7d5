"""Ownership marks: what on this host belongs to which run of this instance. Called by `plain` and `sandboxed`.

Everything is found by names that hold instance and run, so that clean-up works for runs of which only half is left.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from netlab.host.kernel import uid_slots
from netlab.host.kernel.cgroups import Hierarchies
from netlab.host.nsworker.places import NAMED_NETNS_DIR, RunDir, named_prefix
from netlab.wire.host_report import Leftover


@dataclass(frozen=True)
class Mark:
    """runs/<run>/mark.json. `complete` is set when the run has been built to the end."""

    instance: str
    run: str
    kind: str
    isolation: str
    uid_base: int
    nodes: tuple[str, ...]
    bpf_nodes: tuple[str, ...] = ()
    complete: bool = False

    def write(self, place: RunDir) -> None:
        new = place.mark.with_suffix(".new")
        new.write_text(json.dumps(asdict(self)))
        new.replace(place.mark)


def read_mark(place: RunDir) -> Mark | None:
    try:
        data = json.loads(place.mark.read_text())
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return None
    return Mark(**{**data, "nodes": tuple(data["nodes"]), "bpf_nodes": tuple(data["bpf_nodes"])})


def cgroup_of(instance: str, run: str = "", node: str = "") -> str:
    return "/".join(part for part in ("netlab", instance, run, node) if part)


def starters_of(instance: str, run: str) -> str:
    """The group of the container runtimes that work for a run. A dot: no node is called so."""
    return f"{cgroup_of(instance, run)}/.starters"


@dataclass(frozen=True)
class Found:
    """What there is of this instance, as (run, name) by kind."""

    folders: list[tuple[str, str]]
    mounts: list[tuple[str, str]]
    netns: list[tuple[str, str]]
    cgroups: list[tuple[str, str]]
    containers: list[tuple[str, str]]
    uid_slots: list[tuple[str, str]]

    def runs(self) -> set[str]:
        return {run for kind in (self.folders, self.netns, self.cgroups, self.containers, self.uid_slots) for run, _ in kind}

    def leftovers(self, known: set[str]) -> list[Leftover]:
        kinds = (
            ("folder", self.folders), ("mount", self.mounts), ("netns", self.netns), ("cgroup", self.cgroups),
            ("container", self.containers), ("uid_slot", self.uid_slots),
        )
        return [
            Leftover.model_validate({"kind": kind, "name": name})
            for kind, found in kinds for run, name in found if run not in known
        ]


def look(instance: str, base: Path, hierarchies: Hierarchies, containers: list[str]) -> Found:
    folders = _entries(base / "runs")
    vms = set(_entries(base / "vms"))  # their groups and uids are the `vm` runtime's to remove (host.vm.marks)
    return Found(
        folders=[(run, f"{base}/runs/{run}") for run in folders],
        mounts=[(run, f"{base}/runs/{run}") for run in folders if os.path.ismount(base / "runs" / run)],
        netns=[
            (name.removeprefix(named_prefix(instance)).partition(".")[0], name)
            for name in _entries(NAMED_NETNS_DIR) if name.startswith(named_prefix(instance))
        ],
        cgroups=[(run, cgroup_of(instance, run)) for run in sorted(hierarchies.children(cgroup_of(instance)) - vms)],
        containers=[(container.partition(".")[0], container) for container in containers],
        uid_slots=[
            (run, str(slot.number)) for slot in uid_slots.taken(instance) if (run := slot.owner.partition(" ")[2]) not in vms
        ],
    )


def _entries(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
