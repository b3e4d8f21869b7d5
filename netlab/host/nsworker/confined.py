"""Starting a program that is shut in: a root, namespaces and a uid of its own, no powers. An op of the fork server.

QEMU is started so (`netlab.host.vm.confinement` says with what); the program may outlive the fork server and the agent. It
sees the folders that are bound into its root, all of them read-only, and speaks through the descriptors that it is given.
It has no io_uring: a way into the kernel that it does not need.
"""

import fcntl
import os
import resource
import select
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netlab.host.kernel import syscalls
from netlab.host.kernel.syscalls import CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS

EXEC_FAILED = 127
ABOVE_ALL_FDS = 128
ROOT_BYTES = 65_536
"""Of the tmpfs that holds nothing but mount points."""
MOUNT_POINT = "/proc"
"""Covered in the new mount namespace while the root is made; there on every host."""
DEVICE_MODE = 0o600
UMASK = 0o077


@dataclass(frozen=True)
class ConfinedSpec:
    argv: list[str]
    env: dict[str, str]
    uid: int
    """The gid is the same; there are no other groups."""
    binds: list[tuple[str, str]]
    """(the host's file or folder, where it is in the new root)"""
    links: list[tuple[str, str]]
    """(name, what it points to)"""
    devices: list[tuple[str, int, int]]
    """Character devices of its own: (name, major, minor)."""
    cgroups: list[str]
    """Folders of cgroups, there already."""
    limits: dict[str, int]
    """{'RLIMIT_...': soft and hard}"""
    dies_with_us: bool
    """It is of no use without the one who wanted it."""


def spawn(spec: ConfinedSpec, descriptors: list[int]) -> int:
    """The new process's pid, first of a pid namespace and of a session. `descriptors` become its 0, 1, 2, ..."""
    go_read, go_write = os.pipe()
    us = os.pidfd_open(os.getpid())
    pid = _fork_into_new_pid_namespace()
    if pid == 0:
        _child(spec, descriptors, go_read, go_write, us)
    os.close(us)
    os.close(go_read)
    try:
        for folder in spec.cgroups:
            Path(folder, "cgroup.procs").write_text(str(pid))
        os.write(go_write, b"g")
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    finally:
        os.close(go_write)
    return pid


def _fork_into_new_pid_namespace() -> int:
    """Like fork(2). Our own later children are born where we are."""
    home = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.unshare(CLONE_NEWPID)
        try:
            pid = os.fork()
        except BaseException:
            syscalls.setns(home, CLONE_NEWPID)
            raise
        if pid:
            syscalls.setns(home, CLONE_NEWPID)
        return pid
    finally:
        os.close(home)


def _child(spec: ConfinedSpec, descriptors: list[int], go_read: int, go_write: int, parent: int) -> None:
    """Never returns."""
    try:
        os.close(go_write)
        if os.read(go_read, 1) == b"g":
            _become(spec, descriptors, _out_of_the_way(parent))
    except BaseException as failure:
        with suppress(OSError):
            os.write(2, f"{failure}\n".encode())
    os._exit(EXEC_FAILED)


def _become(spec: ConfinedSpec, descriptors: list[int], parent: int) -> None:
    os.setsid()
    _settle_descriptors(descriptors)
    _settle_signals()
    syscalls.unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)
    _enter_root(spec)
    os.umask(UMASK)
    for name, value in spec.limits.items():
        resource.setrlimit(getattr(resource, name), (value, value))
    _drop_powers(spec.uid)
    if spec.dies_with_us:  # said last: a change of uid takes it back
        syscalls.die_with_parent(signal.SIGKILL)
        if _has_ended(parent):  # before we could say it
            return
    os.execve(spec.argv[0], spec.argv, spec.env)  # noqa: S606 # every other descriptor is close-on-exec


def _settle_descriptors(descriptors: list[int]) -> None:
    """By way of numbers that are nobody's, so that none is overwritten before it has moved."""
    moved = [_out_of_the_way(fd) for fd in descriptors]
    for number, fd in enumerate(moved):
        os.dup2(fd, number)


def _out_of_the_way(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, ABOVE_ALL_FDS)


def _has_ended(pidfd: int) -> bool:
    return bool(select.select([pidfd], [], [], 0)[0])


def _settle_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a full log is an error to the one who writes, not its end


def _enter_root(spec: ConfinedSpec) -> None:
    """A tmpfs with what was asked for, and nothing else of the host; at last it is read-only itself."""
    syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    trees = [(_read_only_tree(source), source, place) for source, place in spec.binds]
    syscalls.mount("root", MOUNT_POINT, "tmpfs", syscalls.MS_NOSUID, f"size={ROOT_BYTES},mode=755")
    os.chdir(MOUNT_POINT)
    for tree, source, place in trees:
        _mount_point(Path(place.lstrip("/")), folder=os.path.isdir(source))
        syscalls.move_mount(tree, place.lstrip("/"))
    for name, target in spec.links:
        os.symlink(target, name.lstrip("/"))
    for name, major, minor in spec.devices:
        node = Path(name.lstrip("/"))
        node.parent.mkdir(exist_ok=True)
        os.mknod(node, DEVICE_MODE | 0o020000, os.makedev(major, minor))
        os.chown(node, spec.uid, spec.uid)
    Path("proc").mkdir()
    syscalls.pivot_root(".", ".")
    syscalls.unmount(".")
    os.chdir("/")
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC | syscalls.MS_RDONLY
    syscalls.mount("proc", "/proc", "proc", flags, "subset=pid")
    syscalls.mount("none", "/", None, syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY | syscalls.MS_NOSUID)


def _read_only_tree(source: str) -> int:
    tree = syscalls.open_tree_clone(source)
    nodev = 0 if source.startswith("/dev/") else syscalls.MOUNT_ATTR_NODEV
    syscalls.mount_setattr(tree, syscalls.MOUNT_ATTR_RDONLY | syscalls.MOUNT_ATTR_NOSUID | nodev)
    return tree


def _mount_point(place: Path, folder: bool) -> None:
    if folder:
        place.mkdir(parents=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()


def _drop_powers(uid: int) -> None:
    syscalls.drop_bounding_set()
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    syscalls.no_new_privileges()
    syscalls.without_io_uring()


def spec_from(message: dict[str, Any]) -> ConfinedSpec:
    return ConfinedSpec(
        argv=message["argv"], env=message["env"], uid=message["uid"],
        binds=[(source, place) for source, place in message["binds"]],
        links=[(name, target) for name, target in message["links"]],
        devices=[(name, major, minor) for name, major, minor in message["devices"]],
        cgroups=message["cgroups"], limits=message["limits"], dies_with_us=message["dies_with_us"],
    )
