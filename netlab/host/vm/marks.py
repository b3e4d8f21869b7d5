"""Ownership marks of VMs: what on this host belongs to which machine of this instance. Called by `machines`.

    <run_dir>/vms/                0700, root's: no machine's own user gets in here
        <run>/mark.json           instance, run, uid, template, process; written before there is anything else of it
        <run>/monitor  port       sockets that QEMU was given listening
        <run>/qemu.log            what QEMU has said, its first 1 MiB
"""

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

VMS_FOLDER = "vms"
TRIAL = "trial"


@dataclass(frozen=True)
class VmPlace:
    base: Path
    """The instance's run_dir."""
    run: str

    @property
    def path(self) -> Path:
        return self.base / VMS_FOLDER / self.run

    @property
    def mark(self) -> Path:
        return self.path / "mark.json"

    @property
    def monitor(self) -> Path:
        return self.path / "monitor"

    @property
    def port(self) -> Path:
        return self.path / "port"

    @property
    def log(self) -> Path:
        return self.path / "qemu.log"

    def make(self) -> None:
        self.base.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        self.path.mkdir(mode=0o700)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


@dataclass(frozen=True)
class VmMark:
    instance: str
    run: str
    uid: int
    memory_mb: int
    cpus: int
    template: str = ""
    """Its key; empty for a machine that booted."""
    pid: int = 0
    started: int = 0
    """Clock ticks after the host's boot at which the process began: with the pid that is nobody else."""

    def write(self, place: VmPlace) -> None:
        new = place.mark.with_suffix(".new")
        new.write_text(json.dumps(asdict(self)))
        new.replace(place.mark)

    def is_alive(self) -> bool:
        return self.pid > 0 and start_ticks(self.pid) == self.started


def read_mark(place: VmPlace) -> VmMark | None:
    try:
        return VmMark(**json.loads(place.mark.read_text()))
    except (OSError, ValueError, TypeError):  # none, cut off by a crash, or of another version
        return None


def start_ticks(pid: int) -> int:
    """0 when there is no such process; one that has ended and is not yet reaped counts as none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])


def marked_runs(base: Path) -> set[str]:
    try:
        return {entry.name for entry in os.scandir(base / VMS_FOLDER) if entry.is_dir(follow_symlinks=False)}
    except FileNotFoundError:
        return set()


def trial_name(kind: str) -> str:
    """Of a machine that this process tries a kernel with: it may be another process than the one that has runs."""
    return f"{TRIAL}-{kind}-{os.getpid()}"


def is_being_tried(run: str) -> bool:
    kind, _, pid = run.rpartition("-")
    return kind.startswith(f"{TRIAL}-") and pid.isdigit() and start_ticks(int(pid)) > 0
