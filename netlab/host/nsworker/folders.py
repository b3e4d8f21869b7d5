"""A run's folder and mounts: made first, taken away last, in one unmount. Ops of the fork server.

Everything of a run is mounted below one tmpfs, so `remove_run` costs one system call whatever the run holds, and the
kernel frees all its namespaces in one batch.
"""

import errno
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from netlab.host.kernel import syscalls
from netlab.host.kernel.syscalls import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_SHARED
from netlab.host.nsworker import devices
from netlab.host.nsworker.places import NAMED_NETNS_DIR, RunDir, named_prefix

WALKED_MODE = 0o711
"""crun walks to the bundle as the node's root; nobody lists."""
RUN_TMPFS_MB = 32
RUNS_TMPFS_MB = 4
MOUNTED_TIMES_MAX = 8


def ensure_shared_runs(base: Path) -> bool:
    """The shared tmpfs that all sandboxed runs are mounted in. True when it was made now.

    Raises OSError(EBUSY) when plain runs are there: an instance makes plain or sandboxed nodes, never both.
    """
    runs = base / "runs"
    if os.path.ismount(runs):
        return False
    if any(runs.iterdir()):
        raise OSError(errno.EBUSY, f"{runs} holds plain runs")
    syscalls.mount("netlab", runs, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, f"mode=0711,size={RUNS_TMPFS_MB}m")
    syscalls.mount("none", runs, None, MS_SHARED)
    return True


def make_run(base: Path, run: str, mark: dict[str, Any] | None, uid: int, lab_mb: int, lab_inodes: int, shared: bool) -> bool:
    """The run's folder with its mark, /lab and a place for each node. Raises FileExistsError when the run is there.

    Without a mark the folder's name alone says whose it is, until `write_mark`. True when the runs' shared tmpfs is new.
    """
    runs = base / "runs"
    if not runs.is_dir():
        runs.mkdir(mode=WALKED_MODE, parents=True)
        for folder in (base.parent, base, runs):
            folder.chmod(WALKED_MODE)
    new = shared and ensure_shared_runs(base)
    place = RunDir(base, run)
    os.mkdir(place.path, WALKED_MODE)
    syscalls.mount("netlab", place.path, "tmpfs", MS_NOSUID | MS_NODEV, f"mode=0711,size={RUN_TMPFS_MB}m")
    if mark is not None:
        write_mark(place, mark)
    os.mkdir(place.lab)
    options = f"size={lab_mb}m,nr_inodes={lab_inodes},uid={uid},gid={uid},mode=0755"
    syscalls.mount("lab", place.lab, "tmpfs", MS_NOSUID | MS_NODEV, options)
    os.mkdir(place.path / "nodes", WALKED_MODE)
    return new


def write_mark(place: RunDir, mark: dict[str, Any]) -> None:
    with open(place.mark, "x") as file:
        json.dump(mark, file)


def name_netns(instance: str, run: str, node: str, target: Path) -> None:
    link = f"{NAMED_NETNS_DIR}/{named_prefix(instance, run)}{node}"
    try:
        os.symlink(target, link)
    except FileNotFoundError:
        NAMED_NETNS_DIR.mkdir(parents=True, exist_ok=True)
        os.symlink(target, link)


def unname_netns(instance: str, run: str, node: str = "") -> None:
    """All names of the run, or one node's. Names of others are never touched: the prefix holds instance and run."""
    prefix = named_prefix(instance, run)
    with suppress(FileNotFoundError):
        for name in os.listdir(NAMED_NETNS_DIR):
            if name.startswith(prefix) and (not node or name == prefix + node):
                with suppress(FileNotFoundError):
                    os.unlink(f"{NAMED_NETNS_DIR}/{name}")


def remove_run(base: Path, instance: str, run: str) -> bool:
    """Unmount and delete all of the run that has a path. True when it was the instance's last."""
    place = str(RunDir(base, run).path)
    devices.remove_machine(RunDir(base, run))
    unname_netns(instance, run)
    unmount_all(place)
    try:
        os.rmdir(place)
    except FileNotFoundError:
        pass
    except OSError:  # a create that was killed before it mounted
        shutil.rmtree(place)
    return remove_shared_if_empty(base)


def remove_shared_if_empty(base: Path) -> bool:
    """True when there is no run."""
    runs = f"{base}/runs"
    try:
        if os.listdir(runs):
            return False
    except FileNotFoundError:
        return True
    unmount_all(runs)
    return True


def unmount_all(path: str) -> None:
    """As often as something is mounted on it: a create that was killed may have been repeated."""
    for _ in range(MOUNTED_TIMES_MAX):
        try:
            syscalls.unmount(path)
        except OSError as nothing:
            if nothing.errno in (errno.EINVAL, errno.ENOENT):
                return
            raise


def remove_node_mounts(base: Path, instance: str, run: str, node: str) -> None:
    """One node's namespaces and file systems, for a reset of that node."""
    place = RunDir(base, run).node(node)
    unname_netns(instance, run, node)
    for pin in (place.root, place.bpffs, place.userns, place.mntns, place.utsns, place.netns, place.path / "rw"):
        with suppress(OSError):
            syscalls.unmount(pin)
    if place.path.exists():
        shutil.rmtree(place.path)
