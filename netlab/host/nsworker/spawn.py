"""Starting programs: in a plain node, or crun in its own view of the host's mounts. Ops of the fork server.

The fork server is their parent and alone reaps them, so a pid it knows is never somebody else's.
"""

import errno
import fcntl
import os
import signal
import socket
import sys
import termios
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from netlab.host.kernel import syscalls
from netlab.host.kernel.syscalls import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUTS, MS_REC, MS_SLAVE
from netlab.host.nsworker import node_views
from netlab.host.nsworker.places import NAMED_NETNS_DIR, RunDir

EXEC_FAILED = 127
KEPT_BELOW = ("/proc", "/sys", "/dev", "/usr", "/lib", "/lib64", "/etc", "/bin", "/sbin")
HIDDEN_V2 = "/sys/fs/cgroup/unified"


@dataclass(frozen=True)
class SpawnSpec:
    argv: list[str]
    env: dict[str, str]
    cwd: str
    view: bool
    """Run it in the crun view of the mounts when there is one."""
    plain_node: str
    """A plain node's name: run it in there."""
    run: RunDir | None
    cgroup: str
    """A folder of one hierarchy that the process joins, so that it is found again; empty for none."""
    dies_with_us: bool
    controlling_terminal: bool
    """stdin is a terminal that becomes the session's."""


def spawn(spec: SpawnSpec, stdio: list[int], view_fd: int | None) -> int:
    """The new process's pid; it leads a session of its own. `stdio` are its three descriptors."""
    go_read, go_write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(go_read)
        try:
            _join(spec.cgroup, pid)
            os.write(go_write, b"g")
        except BaseException:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
        finally:
            os.close(go_write)
        return pid
    try:
        os.close(go_write)
        if os.read(go_read, 1) == b"g":  # else there is nobody any more who wants it
            _in_child(spec, stdio, view_fd)
    except BaseException as failure:
        with suppress(OSError):
            os.write(2, f"{failure}\n".encode())
    os._exit(EXEC_FAILED)


def _join(cgroup: str, pid: int) -> None:
    """Before it runs and before its pid is known: whoever removes the group finds it."""
    if cgroup:
        os.makedirs(cgroup, exist_ok=True)
        Path(cgroup, "cgroup.procs").write_text(str(pid))


def _in_child(spec: SpawnSpec, stdio: list[int], view_fd: int | None) -> None:
    os.setsid()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    if spec.dies_with_us:
        syscalls.die_with_parent(signal.SIGKILL)
    for standard, fd in enumerate(stdio):
        os.dup2(fd, standard)
    if spec.controlling_terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    if spec.view and view_fd is not None:
        syscalls.setns(view_fd, CLONE_NEWNS)
    if spec.plain_node and spec.run:
        _enter_plain(spec.run, spec.plain_node)
    os.chdir(spec.cwd)
    os.execvpe(spec.argv[0], spec.argv, spec.env)  # noqa: S606 # every other descriptor is close-on-exec


def _enter_plain(run: RunDir, node: str) -> None:
    """The node's network, its own sysfs, its name, and the run's /lab where this machine has that folder."""
    place = run.node(node)
    if place.mntns.exists():
        node_views.enter(place)
        return
    syscalls.setns_path(place.netns, CLONE_NEWNET)
    syscalls.unshare(CLONE_NEWNS | CLONE_NEWUTS)
    syscalls.mount("none", "/", None, MS_REC | MS_SLAVE)
    socket.sethostname(node)
    syscalls.mount("sysfs", "/sys", "sysfs", 0)  # shows the interfaces of the caller's netns
    if place.bpffs.exists():
        syscalls.bind(place.bpffs, "/sys/fs/bpf")
    if os.path.isdir("/lab"):
        syscalls.bind(run.lab, "/lab")


def make_view(base: Path) -> int:
    """A mount namespace without the v2 hierarchy, which crun 1.8 refuses on hybrid hosts. It follows the runs' mounts.

    Mounts of others are taken out, so that it holds none of them longer than their owners want.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            syscalls.unshare(CLONE_NEWNS)
            syscalls.mount("none", "/", None, MS_REC | MS_SLAVE)
            _prune(base)
            theirs.send(b"ok")
            ours.close()
            theirs.recv(1)
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    theirs.close()
    try:
        if ours.recv(8) != b"ok":
            raise OSError(errno.EIO, "the view of the mounts for crun could not be made")
        return os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        ours.close()
        os.waitpid(pid, 0)


def _prune(base: Path) -> None:
    runs = str(base / "runs")
    with open("/proc/self/mountinfo") as file:
        points = [line.split()[4] for line in file]
    for point in reversed(points):
        needed = f"{runs}/".startswith(point.rstrip("/") + "/") or point.startswith(runs + "/")
        kept = any(point == top or point.startswith(top + "/") for top in KEPT_BELOW)
        if point == HIDDEN_V2 or not (needed or kept) or point.startswith(f"{NAMED_NETNS_DIR}/"):
            with suppress(OSError):
                syscalls.unmount(point)


def view_wanted() -> bool:
    """On a hybrid host whose v2 side has controllers of its own."""
    try:
        return bool(Path(HIDDEN_V2, "cgroup.controllers").read_text().strip())
    except OSError:
        return False


def spec_from(message: dict[str, Any]) -> SpawnSpec:
    run = RunDir(Path(message["base"]), message["run"]) if message.get("run") else None
    return SpawnSpec(
        argv=message["argv"], env=message["env"], cwd=message["cwd"], view=message["view"],
        plain_node=message["plain_node"], run=run, cgroup=message["cgroup"], dies_with_us=message["dies_with_us"],
        controlling_terminal=message["controlling_terminal"],
    )


Signalled = Literal["process", "family"]


def send_signal(pid: int, number: int, whom: Signalled) -> None:
    """`family`: with its process group and all descendants: a detaching crun goes on in a session of its own."""
    members = _stopped_family(pid) if whom == "family" else [pid]
    if whom == "family":
        with suppress(ProcessLookupError):
            os.killpg(pid, number)
    for member in members:
        with suppress(ProcessLookupError):
            os.kill(member, number)
    for member in members:
        with suppress(ProcessLookupError):
            os.kill(member, signal.SIGCONT)


def _stopped_family(pid: int) -> list[int]:
    """The process and its descendants, stopped one after the other so that none forks unseen."""
    family: list[int] = []
    found = [pid]
    while found:
        for member in found:
            with suppress(ProcessLookupError):
                os.kill(member, signal.SIGSTOP)
        family += found
        found = [child for member in family for child in _children(member) if child not in family]
    return family


def _children(pid: int) -> list[int]:
    """Of its only thread: container runtimes fork from their first (proc_pid_children(5), CONFIG_PROC_CHILDREN)."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:  # it has ended
        return []
