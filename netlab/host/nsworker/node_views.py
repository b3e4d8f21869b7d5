"""What a plain node sees of the machine: a mount and a UTS namespace of its own that stay. Ops of the fork server.

For guests only: what an attendee mounts in one shell is there in the next. Namespaces live by their pins, as the network's.
The node's own: sysfs (it shows the network namespace of whoever mounts it) with debugfs, tracefs and control groups,
/sys/fs/bpf, /lab, names of network namespaces, its host name. The run's folder is not in it: a copy of the pins there would
keep a sibling's namespaces alive after its reset.
"""

import errno
import os
import socket
from contextlib import suppress
from pathlib import Path

from netlab.host.kernel import syscalls
from netlab.host.kernel.syscalls import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWUTS,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
)
from netlab.host.nsworker.places import NAMED_NETNS_DIR, NodeDir, RunDir

OWN_NAMESPACES = ((CLONE_NEWNS, "mnt"), (CLONE_NEWUTS, "uts"), (CLONE_NEWNET, "net"))
BELOW_SYS = (("debugfs", "kernel/debug"), ("tracefs", "kernel/tracing"), ("cgroup2", "fs/cgroup"))
LAB = "/lab"


def make_views(run: RunDir, names: list[str]) -> None:
    """After the network namespaces and BPF file systems are there. The process is in each view for a moment."""
    home = {kind: os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for kind, name in OWN_NAMESPACES}
    try:
        for name in names:
            _make_and_pin(run, name, home)
    finally:
        _go_home(home)
        for fd in home.values():
            os.close(fd)


def _make_and_pin(run: RunDir, name: str, home: dict[int, int]) -> None:
    """A mount namespace may only be pinned in an older one (`mnt_ns_loop`, fs/namespace.c). Since Linux 6.18 that is told by
    numbers which every processor takes from a range of its own, so a new one may look older than this process's. Made on the
    processor where that was made, it does not."""
    allowed = os.sched_getaffinity(0)
    tries: list[set[int]] = [allowed, *({cpu} for cpu in sorted(allowed))]
    try:
        for processors in tries:
            os.sched_setaffinity(0, processors)
            made = _make(run, name)
            _go_home(home)
            try:
                _pin(made, run.node(name))
                return
            except OSError as error:
                if error.errno != errno.EINVAL or processors is tries[-1]:
                    raise
    finally:
        os.sched_setaffinity(0, allowed)


def enter(place: NodeDir) -> None:
    """The calling process sees what the node sees, from now on."""
    kinds = ((CLONE_NEWNET, place.netns), (CLONE_NEWUTS, place.utsns), (CLONE_NEWNS, place.mntns))
    opened = [(kind, os.open(path, os.O_RDONLY | os.O_CLOEXEC)) for kind, path in kinds]
    for kind, fd in opened:
        syscalls.setns(fd, kind)
        os.close(fd)


def _make(run: RunDir, name: str) -> tuple[int, int]:
    """Descriptors of the new mount and UTS namespace."""
    place = run.node(name)
    syscalls.setns_path(place.netns, CLONE_NEWNET)
    syscalls.unshare(CLONE_NEWNS | CLONE_NEWUTS)
    syscalls.mount("none", "/", None, MS_REC | MS_PRIVATE)
    socket.sethostname(name)
    safe = MS_NOSUID | MS_NODEV | MS_NOEXEC
    syscalls.mount("sysfs", "/sys", "sysfs", safe)
    for kind, where in BELOW_SYS:
        with suppress(OSError):  # a kernel without it, or a host whose control groups are v1
            syscalls.mount(kind, f"/sys/{where}", kind, safe)
    if place.bpffs.exists():
        syscalls.bind(place.bpffs, "/sys/fs/bpf")
    lab = syscalls.open_tree_clone(run.lab)
    if NAMED_NETNS_DIR.is_dir():
        syscalls.mount("netns", NAMED_NETNS_DIR, "tmpfs", safe, "mode=0755")
    syscalls.unmount(run.path)
    syscalls.move_mount(lab, LAB if os.path.isdir(LAB) else run.path)
    os.close(lab)
    mounts, names = (os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("mnt", "uts"))
    return mounts, names


def _pin(made: tuple[int, int], place: NodeDir) -> None:
    """Both or none."""
    try:
        for fd, target in zip(made, (place.mntns, place.utsns), strict=True):
            _pin_one(fd, target)
    finally:
        for fd in made:
            os.close(fd)


def _pin_one(fd: int, target: Path) -> None:
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
    try:
        syscalls.bind(f"/proc/self/fd/{fd}", target)
    except OSError:
        target.unlink()
        raise


def _go_home(home: dict[int, int]) -> None:
    for kind, fd in home.items():
        syscalls.setns(fd, kind)
