"""The box in which clang meets an attendee's source: no network, no rights, no time, the image read-only. Used by `build`.

One crun (or runc) container a build, gone when clang ends: user namespace on host uids of its own (after all labs' ranges), no
capability, seccomp, a control group, clang's own clock inside. Its only input is a read-only folder, its only output two
bounded pipes. A private mount namespace around it holds the mount of the image, so that no crash leaves one behind.
"""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from netlab.config import Config
from netlab.host.kernel.cgroups import Hierarchies
from netlab.host.kernel.process import Finished, run
from netlab.host.sandbox import seccomp
from netlab.host.sandbox.door import ContainerDoor

BUILD_LIMIT_S = 10
GRACE_S = 5
"""What starting and ending the container may take beyond clang's own time."""
MEMORY_MB = 512
PIDS_MAX = 32
CPU_PERCENT = 100
OBJECT_BYTES_MAX = 1 << 20
TMP_MB = 16
PARALLEL_BUILDS = 4
UIDS_PER_SLOT = 65_536
BUILDER_UID = 1000
"""Inside the container; neither it nor anybody else there is root of anything."""
EXIT_TIMED_OUT = 124
"""What coreutils' timeout ends with."""

_ENTER = (
    'mount --bind "$1" "$2" && mount -o remount,bind,ro,nosuid,nodev "$2"'
    ' && { [ -z "$3" ] || umount "$3"; } && shift 3 && exec "$@"'
)
"""Runs in a mount namespace of its own. $3 is the v2 side of a hybrid host: crun 1.8 refuses it, runc leaves groups there."""


class BuildSandbox:
    def __init__(self, config: Config) -> None:
        self._config = config
        self._dir = config.run_dir / "build"
        self._free: asyncio.Queue[int] = asyncio.Queue()
        for slot in range(PARALLEL_BUILDS):
            self._free.put_nowait(slot)
        self._cgroups = Hierarchies.of_this_host()
        self._prepared = False

    async def run(self, argv: Sequence[str], files: Mapping[str, str]) -> Finished:
        """Run a compiler on files that it sees in /lab, read-only. `code` 124: its time was up."""
        async with self._slot() as slot:
            folder = self._dir / str(slot)
            _write_sources(folder / "lab", files)
            (folder / "config.json").write_text(json.dumps(self._bundle(slot, argv)))
            name = f"{self._config.instance}-build-{slot}"
            try:
                return await run(
                    self._entered("run", "--bundle", str(folder), name),
                    timeout_s=BUILD_LIMIT_S + GRACE_S, output_limit=OBJECT_BYTES_MAX + 1, cwd=Path("/"),
                )
            finally:
                await asyncio.shield(self._clear(slot, name))

    async def clear(self) -> None:
        """Whatever builds of this instance have left, also of a process that was killed. No build may be under way."""
        for slot in range(PARALLEL_BUILDS):
            await self._clear(slot, f"{self._config.instance}-build-{slot}")
        shutil.rmtree(self._dir, ignore_errors=True)

    def uid(self, slot: int) -> int:
        """The first host uid of a slot's range; the ranges begin where those of labs end."""
        return self._config.uid_base + (self._config.uid_slots + slot) * UIDS_PER_SLOT

    @property
    def reader_uid(self) -> int:
        """A uid for readers of objects: of no container, lab or user."""
        return self.uid(PARALLEL_BUILDS) + BUILDER_UID

    @property
    def loader_uid(self) -> int:
        """A uid for the processes that load programs where there are no tokens: of nobody else."""
        return self.reader_uid + 1

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[int]:
        slot = await self._free.get()
        try:
            await self._prepare()
            yield slot
        finally:
            self._free.put_nowait(slot)

    async def _prepare(self) -> None:
        """Once a process: the folders, and nothing in them of one that was killed."""
        if self._prepared:
            return
        self._prepared = True
        await self.clear()
        for slot in range(PARALLEL_BUILDS):
            (self._dir / str(slot)).mkdir(parents=True, exist_ok=True)
        (self._dir / "image").mkdir(exist_ok=True)
        for folder in (self._dir, self._dir / "image"):
            folder.chmod(0o711)

    async def _clear(self, slot: int, name: str) -> None:
        """After a build that ended by itself there is nothing left but the folder."""
        if (self._dir / "containers" / name).exists():
            await run(self._entered("delete", "--force", name), timeout_s=GRACE_S, cwd=Path("/"))
        await self._cgroups.remove(self._cgroup(slot))
        self._cgroups.remove_if_empty(f"netlab-build/{self._config.instance}")
        self._cgroups.remove_if_empty("netlab-build")
        shutil.rmtree(self._dir / "containers" / name, ignore_errors=True)
        shutil.rmtree(self._dir / str(slot) / "lab", ignore_errors=True)

    def _cgroup(self, slot: int) -> str:
        return f"netlab-build/{self._config.instance}/{slot}"

    def _entered(self, *arguments: str) -> list[str]:
        door = ContainerDoor.find(self._dir / "containers")
        unified = "" if self._cgroups.v2 else _unified_mount()
        return [
            "unshare", "--mount", "--propagation", "private", "sh", "-c", _ENTER, "sh",
            str(self._config.rootfs_dir), str(self._dir / "image"), unified,
            str(door.program), *(("--cgroup-manager=cgroupfs",) if door.is_crun else ()), "--root", str(door.state_dir),
            *arguments,
        ]

    def _bundle(self, slot: int, argv: Sequence[str]) -> dict[str, Any]:
        mapping = [{"containerID": 0, "hostID": self.uid(slot), "size": UIDS_PER_SLOT}]
        namespaces = ("user", "network", "pid", "mount", "ipc", "uts", "cgroup")
        return {
            "ociVersion": "1.0.2",
            "process": _process(["/usr/bin/timeout", "--kill-after=1", str(BUILD_LIMIT_S), *argv]),
            "root": {"path": str(self._dir / "image"), "readonly": True},
            "hostname": "build",
            "mounts": [
                _mount("/proc", "proc", "proc", ["ro", "nosuid", "noexec", "nodev"]),
                _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "noexec", "mode=755", "size=64k", "nr_inodes=32"]),
                _mount("/tmp", "tmpfs", "tmp", ["nosuid", "nodev", "noexec", "mode=1777", f"size={TMP_MB}m", "nr_inodes=500"]),  # noqa: S108
                _mount("/lab", "bind", str(self._dir / str(slot) / "lab"), ["bind", "ro", "nosuid", "nodev", "noexec"]),
            ],
            "linux": {
                "namespaces": [{"type": kind} for kind in namespaces],
                "uidMappings": mapping, "gidMappings": mapping, "cgroupsPath": f"/{self._cgroup(slot)}",
                "resources": {
                    "devices": [{"allow": False, "access": "rwm"}],
                    "memory": {"limit": MEMORY_MB << 20, "swap": MEMORY_MB << 20},
                    "pids": {"limit": PIDS_MAX},
                    "cpu": {"quota": CPU_PERCENT * 1000, "period": 100_000},
                },
                "seccomp": _seccomp(),
                "maskedPaths": [f"/proc/{name}" for name in _masked()],
                "readonlyPaths": ["/proc/sys"],
            },
        }


def _process(argv: Sequence[str]) -> dict[str, Any]:
    limits = {"RLIMIT_CPU": BUILD_LIMIT_S, "RLIMIT_FSIZE": 8 << 20, "RLIMIT_NOFILE": 128, "RLIMIT_CORE": 0}
    return {
        "terminal": False, "user": {"uid": BUILDER_UID, "gid": BUILDER_UID}, "args": list(argv), "cwd": "/lab",
        "env": ["PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp"],
        "capabilities": {kind: [] for kind in ("bounding", "effective", "permitted", "inheritable", "ambient")},
        "rlimits": [{"type": kind, "soft": value, "hard": value} for kind, value in limits.items()],
        "noNewPrivileges": True,
    }


def _seccomp() -> dict[str, Any]:
    """A node's profile without bpf(2) and without any socket."""
    profile = seccomp.profile(allow_bpf=False)
    return profile | {"syscalls": [rule for rule in profile["syscalls"] if rule["names"] != ["socket"]]}


def _masked() -> list[str]:
    """All that a source could include and that is the host's: of /proc, clang needs its own executable's link only."""
    kept = {"self", "thread-self", "sys"}
    return sorted(name for name in os.listdir("/proc") if not name.isdigit() and name not in kept)


def _write_sources(folder: Path, files: Mapping[str, str]) -> None:
    """Afresh, so that no file of an earlier build is there; readable by the container's user."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o755, parents=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)


def _mount(destination: str, kind: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": source, "options": options}


def _unified_mount() -> str:
    mounts = [line.split()[:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return next((where for _, where, kind in mounts if kind == "cgroup2"), "")
