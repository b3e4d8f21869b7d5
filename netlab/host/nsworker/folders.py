"""A run's folder and mounts: made first, taken away last, in one unmount. Ops of the fork server.

Everything of a run is mounted below one tmpfs, so `remove_run` costs one system call whatever the run holds, and the
kernel frees all its namespaces in one batch.
"""

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from netlab.host.kernel import syscalls
from netlab.host.kernel.syscalls import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_SHARED
from netlab.host.nsworker.places import NAMED_NETNS_DIR, RunDir, named_prefix

WALKED_MODE = 0o711
"""crun walks to the bundle as the node's root; nobody lists."""
RUN_TMPFS_MB = 32
RUNS_TMPFS_MB = 4
MOUNTED_TIMES_MAX = 8


def ensure_runs(base: Path) -> bool:
    """The tmpfs that all runs are mounted in. True when it was made now."""
    runs = base / "runs"
    runs.mkdir(mode=WALKED_MODE, parents=True, exist_ok=True)
    base.chmod(WALKED_MODE)
    base.parent.chmod(WALKED_MODE)
    if os.path.ismount(runs):
        return False
    syscalls.mount("netlab", runs, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, f"mode=0711,size={RUNS_TMPFS_MB}m")
    syscalls.mount("none", runs, None, MS_SHARED)
    return True


def make_run(base: Path, run: str, mark: dict[str, Any], uid: int, lab_mb: int, lab_inodes: int) -> bool:
    """The run's folder with its mark, /lab and a place for each node. Raises FileExistsError when the run is there."""
    new = ensure_runs(base)
    place = RunDir(base, run)
    place.path.mkdir(mode=WALKED_MODE)
    syscalls.mount("netlab", place.path, "tmpfs", MS_NOSUID | MS_NODEV, f"mode=0711,size={RUN_TMPFS_MB}m")
    place.mark.write_text(json.dumps(mark))
    place.lab.mkdir()
    options = f"size={lab_mb}m,nr_inodes={lab_inodes},uid={uid},gid={uid},mode=0755"
    syscalls.mount("lab", place.lab, "tmpfs", MS_NOSUID | MS_NODEV, options)
    (place.path / "nodes").mkdir(mode=WALKED_MODE)
    return new


def name_netns(instance: str, run: str, node: str, target: Path) -> None:
    link = NAMED_NETNS_DIR / (named_prefix(instance, run) + node)
    try:
        link.symlink_to(target)
    except FileNotFoundError:
        NAMED_NETNS_DIR.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)


def unname_netns(instance: str, run: str, node: str = "") -> None:
    """All names of the run, or one node's. Names of others are never touched: the prefix holds instance and run."""
    prefix = named_prefix(instance, run)
    with suppress(FileNotFoundError):
        for name in os.listdir(NAMED_NETNS_DIR):
            if name.startswith(prefix) and (not node or name == prefix + node):
                (NAMED_NETNS_DIR / name).unlink(missing_ok=True)


def remove_run(base: Path, instance: str, run: str) -> bool:
    """Unmount and delete all of the run that has a path. True when it was the last run and the runs' tmpfs went too."""
    place = RunDir(base, run)
    unname_netns(instance, run)
    unmount_all(place.path)
    if place.path.exists():
        shutil.rmtree(place.path)
    return remove_runs_if_empty(base)


def remove_runs_if_empty(base: Path) -> bool:
    runs = base / "runs"
    if not os.path.ismount(runs) or any(runs.iterdir()):
        return False
    unmount_all(runs)
    runs.rmdir()
    with suppress(OSError):
        NAMED_NETNS_DIR.rmdir()  # only when we were the only ones who used it
    return True


def unmount_all(path: Path) -> None:
    """As often as something is mounted on it: a create that was killed may have been repeated."""
    for _ in range(MOUNTED_TIMES_MAX):
        if not os.path.ismount(path):
            return
        syscalls.unmount(path)


def remove_node_mounts(base: Path, instance: str, run: str, node: str) -> None:
    """One node's namespaces and file systems, for a reset of that node."""
    place = RunDir(base, run).node(node)
    unname_netns(instance, run, node)
    for pin in (place.root, place.bpffs, place.userns, place.netns, place.path / "rw"):
        with suppress(OSError):
            syscalls.unmount(pin)
    if place.path.exists():
        shutil.rmtree(place.path)
