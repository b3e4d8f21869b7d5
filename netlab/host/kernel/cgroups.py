"""Control groups of nodes on v1, v2 and hybrid hosts: find, empty, remove. Called by `nodes`.

crun or runc make a node's groups and set its limits from the bundle; here they are only taken away again, which is
also how a run's processes are found and ended: whoever is in the group is the node's, whatever became of its container.
"""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MOUNTS = Path("/proc/self/mounts")
GONE_WAIT_S = 10.0
POLL_S = 0.002
POLL_MAX_S = 0.05


class CgroupBusy(Exception):
    """Processes in a group did not go although they were killed."""


@dataclass(frozen=True)
class Usage:
    """Processor time from the group's beginning, in ns; memory that is its own (no page cache), in bytes."""

    cpu_ns: int
    memory_bytes: int


@dataclass(frozen=True)
class Hierarchies:
    """The roots of all hierarchies: one with v2, one a controller with v1, both with a hybrid (runc uses its v2 side too)."""

    roots: tuple[Path, ...]
    v2: bool

    @classmethod
    def of_this_host(cls) -> "Hierarchies":
        found = [line.split()[:3] for line in MOUNTS.read_text().splitlines()]
        v1 = tuple(Path(where) for _, where, kind in found if kind == "cgroup")
        v2 = tuple(Path(where) for _, where, kind in found if kind == "cgroup2")
        return cls(roots=v1 + v2[:1], v2=False) if v1 else cls(roots=v2[:1], v2=True)

    @property
    def bookkeeping_root(self) -> Path:
        """The hierarchy for groups without limits, which only say whose a process is."""
        return next((root for root in self.roots if root.name == "pids"), self.roots[0])

    def folders(self, path: str) -> list[Path]:
        """Where the group is there, in any hierarchy. `path` is like netlab/main/r0.../client."""
        names = (f"{root}/{path}" for root in self.roots)
        return [Path(name) for name in names if os.path.isdir(name)]

    def children(self, path: str) -> set[str]:
        """Names of the groups directly below, in any hierarchy."""
        return {entry.name for folder in self.folders(path) for entry in os.scandir(folder) if entry.is_dir()}

    def pids(self, path: str) -> set[int]:
        """Of the group and all groups below it."""
        pids: set[int] = set()
        for folder in self.folders(path):
            for group in _tree(folder):
                with suppress(OSError):
                    pids.update(int(line) for line in (group / "cgroup.procs").read_text().split())
        return pids - {0}

    async def remove(self, path: str) -> None:
        """End all processes in the group and below, and remove the groups. Idempotent. Raises CgroupBusy.

        One loop for both: a container runtime that was itself killed may leave a child that joins the group late.
        """
        deadline = time.monotonic() + GONE_WAIT_S
        pause = POLL_S
        while self.folders(path):
            pids = self._kill(path)
            if not pids and self._remove_folders(path):
                return
            if time.monotonic() > deadline:
                raise CgroupBusy(f"{path}: " + (f"{len(pids)} processes do not go" if pids else "cannot be removed"))
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, POLL_MAX_S)

    def limit(self, path: str, memory_bytes: int, pids: int) -> None:
        """Make a group with these limits for everything below it. Only where v2 is all there is; elsewhere nothing is done."""
        if not self.v2 or not self.roots:
            return
        folder = self.roots[0]
        for part in path.split("/"):
            (folder / "cgroup.subtree_control").write_text("+memory +pids")
            folder = folder / part
            folder.mkdir(exist_ok=True)
        (folder / "memory.max").write_text(str(memory_bytes))
        (folder / "pids.max").write_text(str(pids))

    def usage(self, path: str) -> "Usage":
        """What the group and all below it have used; zeros where no hierarchy counts it, or the group has gone."""
        cpu_ns = memory_bytes = 0
        for root in self.roots:
            names = root.name.split(",")  # with v1 'cpu,cpuacct' or each by itself
            with suppress(OSError, ValueError):
                if "cpuacct" in names:
                    cpu_ns = int((root / path / "cpuacct.usage").read_text())
                elif self.v2:
                    cpu_ns = _number(root / path / "cpu.stat", "usage_usec") * 1000
            with suppress(OSError, ValueError):
                if "memory" in names:
                    memory_bytes = _number(root / path / "memory.stat", "total_rss")
                elif self.v2:
                    memory_bytes = _number(root / path / "memory.stat", "anon")
        return Usage(cpu_ns, memory_bytes)

    def kill_session(self, path: str, member: int) -> None:
        """Those processes of the group that are in the member's session, itself included."""
        pids = self.pids(path)
        if member not in pids:
            return
        session = os.getsid(member)
        for pid in pids:
            with suppress(ProcessLookupError):
                if os.getsid(pid) == session:
                    os.kill(pid, signal.SIGKILL)

    def remove_if_empty(self, path: str) -> None:
        """A parent group that may still hold groups of others."""
        for folder in self.folders(path):
            with suppress(OSError):
                folder.rmdir()

    def _kill(self, path: str) -> set[int]:
        """Signal by descriptor, and only those that are in the group after the descriptor was opened: a pid that was
        taken by somebody else in between is never hit."""
        held: dict[int, int] = {}
        try:
            for pid in self.pids(path):
                with suppress(ProcessLookupError):
                    held[pid] = os.pidfd_open(pid)
            there = self.pids(path) if held else set()
            for pid in there & held.keys():
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(held[pid], signal.SIGKILL)
            return there
        finally:
            for fd in held.values():
                os.close(fd)

    def _remove_folders(self, path: str) -> bool:
        whole = True
        for folder in self.folders(path):
            for group in reversed(list(_tree(folder))):
                try:
                    group.rmdir()
                except FileNotFoundError:
                    pass
                except OSError:  # EBUSY: the last process is on its way out
                    whole = False
        return whole


def _number(file: Path, name: str) -> int:
    """Of a file of 'name number' lines. Raises ValueError when it has no such line."""
    for line in file.read_text().splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    raise ValueError(f"{file} has no {name}")


def _tree(folder: Path) -> Iterator[Path]:
    """The folder and all below it, parents first."""
    yield folder
    with suppress(OSError):
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                yield from _tree(Path(entry.path))
