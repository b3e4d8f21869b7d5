"""Namespaces of nodes and the file systems of sandboxed ones. Ops of the fork server.

A network namespace belongs to the user namespace that was current when it was made, so for a sandboxed node both are
made by one child; that child then makes the node's overlay with the node's own credentials. Nothing stays running:
namespaces live by their pins.
"""

import errno
import gc
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netlab.host.kernel import syscalls
from netlab.host.kernel.syscalls import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWUSER,
    MOUNT_ATTR_IDMAP,
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_RDONLY,
    MS_NODEV,
    MS_NOSUID,
)
from netlab.host.nsworker.folders import WALKED_MODE, name_netns
from netlab.host.nsworker.places import NodeDir, RunDir

OWN_NETNS = "/proc/self/ns/net"
ANSWER_BYTES = 4096
CHILD_ANSWER_S = 20.0


@dataclass(frozen=True)
class SandboxSpec:
    """What the sandboxed nodes of one run have in common."""

    run: RunDir
    instance: str
    uid_base: int
    uid_count: int
    rootfs: Path
    disk_mb: int
    disk_inodes: int
    delegate: dict[str, str] | None
    """Options of the node's BPF file system; None: the node gets no BPF."""
    overlay_by_host: bool
    """For kernels before 6.6, whose tmpfs has no user.* attributes: the host mounts the overlay."""


def make_plain(run: RunDir, instance: str, names: list[str]) -> None:
    """A network namespace a node. The process is in each of them for a moment."""
    home = os.open(OWN_NETNS, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for name in names:
            place = run.node(name)
            os.mkdir(place.path, WALKED_MODE)
            syscalls.unshare(CLONE_NEWNET)
            _pin(OWN_NETNS, place.netns)
            name_netns(instance, run.run, name, place.netns)
    finally:
        syscalls.setns(home, CLONE_NEWNET)
        os.close(home)


def make_plain_bpffs(run: RunDir, names: list[str]) -> None:
    """A BPF file system a node, for the host's own root: nothing is delegated."""
    for name in names:
        target = run.node(name).bpffs
        os.mkdir(target)
        syscalls.mount("bpf", target, "bpf", MS_NOSUID | MS_NODEV | syscalls.MS_NOEXEC, "mode=0700")


def _pin(source: str, target: Path) -> None:
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
    syscalls.bind(source, target)


def make_sandboxes(spec: SandboxSpec, names: list[str]) -> list[str]:
    """User and network namespace, root file system and BPF file system of each node, the children side by side.

    Returns the nodes that got a BPF file system. Raises OSError(ENOTSUP) when the kernel cannot make the overlay
    inside a user namespace: the caller asks again with `overlay_by_host`.
    """
    for name in names:
        os.mkdir(spec.run.node(name).path, WALKED_MODE)
    gc.freeze()
    children = [_Child(spec, name) for name in names]
    try:
        for child in children:
            child.await_namespaces()
        _ensure_image(spec, children[0].pid)
        for child in children:
            child.go_on()
        return [child.name for child in children if child.finish()]
    finally:
        for child in reversed(children):  # a later one was forked with copies of the earlier ones' sockets
            child.end()


def _ensure_image(spec: SandboxSpec, child_pid: int) -> None:
    """The root file system as the run's uids own it: an id-mapped, read-only clone of the mount."""
    if os.path.ismount(spec.run.image):
        return
    os.makedirs(spec.run.image, WALKED_MODE, exist_ok=True)
    tree = syscalls.open_tree_clone(spec.rootfs)
    userns = os.open(f"/proc/{child_pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.mount_setattr(tree, MOUNT_ATTR_IDMAP | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, userns)
        syscalls.move_mount(tree, spec.run.image)
    finally:
        os.close(userns)
        os.close(tree)


class _Child:
    """One forked child and what the parent does for it, in the order of the calls."""

    def __init__(self, spec: SandboxSpec, name: str) -> None:
        self.name, self._spec, self._place = name, spec, spec.run.node(name)
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.settimeout(CHILD_ANSWER_S)
        self.pid = os.fork()
        if self.pid == 0:
            self._ours.close()
            _in_child(theirs, lambda: _become_node(theirs, spec))
        theirs.close()

    def await_namespaces(self) -> None:
        self._expect_ok()
        for kind in ("uid_map", "gid_map"):
            with open(f"/proc/{self.pid}/{kind}", "w") as file:
                file.write(f"0 {self._spec.uid_base} {self._spec.uid_count}\n")
        _pin(f"/proc/{self.pid}/ns/user", self._place.userns)
        _pin(f"/proc/{self.pid}/ns/net", self._place.netns)
        name_netns(self._spec.instance, self._spec.run.run, self.name, self._place.netns)

    def go_on(self) -> None:
        self._ours.send(b"go")

    def finish(self) -> bool:
        """Attach what the child made. True when the node has a BPF file system."""
        fds = self._expect_ok()
        try:
            if self._spec.overlay_by_host:
                _overlay_by_host(self._spec, self._place)
            else:
                os.mkdir(self._place.root)
                syscalls.move_mount(fds[0], self._place.root)
            return self._spec.delegate is not None and _attach_bpffs(fds[-1], self._spec.delegate, self._place)
        finally:
            for fd in fds:
                os.close(fd)

    def _expect_ok(self) -> list[int]:
        data, fds, _, _ = socket.recv_fds(self._ours, ANSWER_BYTES, 2)
        if data == b"ok":
            return fds
        failure = json.loads(data) if data else {"errno": errno.ECHILD, "error": "the child died"}
        raise OSError(failure["errno"], f"node {self.name}: {failure['error']}")

    def end(self) -> None:
        """It has finished, or it waits for a word that will not come: its siblings hold its socket open too."""
        self._ours.close()
        os.kill(self.pid, signal.SIGKILL)  # not reaped yet, so the pid is its own
        os.waitpid(self.pid, 0)


def _in_child(sock: socket.socket, body: Callable[[], None]) -> None:
    """Run the body and leave the process; a failure goes to the parent as errno and sentence."""
    code = 1
    try:
        body()
        code = 0
    except OSError as failure:
        with suppress(OSError):
            sock.send(json.dumps({"errno": failure.errno or errno.EIO, "error": str(failure)}).encode())
    except BaseException as failure:
        with suppress(OSError):
            sock.send(json.dumps({"errno": errno.EIO, "error": repr(failure)}).encode())
    finally:
        sys.stderr.flush()
        os._exit(code)


def _become_node(sock: socket.socket, spec: SandboxSpec) -> None:
    syscalls.unshare(CLONE_NEWUSER | CLONE_NEWNET)  # in this order, so the netns belongs to the user namespace
    sock.send(b"ok")
    if sock.recv(8) != b"go":
        return
    syscalls.unshare(CLONE_NEWNS)  # fsopen wants CAP_SYS_ADMIN over the mount namespace's owner
    os.setresgid(0, 0, 0)
    os.setgroups([])
    os.setresuid(0, 0, 0)
    made = [] if spec.overlay_by_host else [_overlay_inside(spec)]
    if spec.delegate is not None:
        made.append(syscalls.fsopen("bpf"))  # its owner is fixed here; the host sets what it delegates
    socket.send_fds(sock, [b"ok"], made)


def _overlay_inside(spec: SandboxSpec) -> int:
    """overlay(image, tmpfs), made with the node's credentials. The tmpfs is attached in this child's mounts only, so it
    has no path that anybody could reach or remount larger."""
    tmpfs = syscalls.fsopen("tmpfs")
    for key, value in (("size", f"{spec.disk_mb}m"), ("nr_inodes", str(spec.disk_inodes)), ("mode", "0755")):
        syscalls.fsconfig_string(tmpfs, key, value)
    upper = syscalls.fsmount(tmpfs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
    syscalls.move_mount(upper, "/mnt")
    for name in ("upper", "work"):
        os.mkdir(f"/mnt/{name}", 0o755)
    try:
        os.setxattr("/mnt/work", "user.overlay.probe", b"y")
    except OSError as refused:
        raise OSError(errno.ENOTSUP, "tmpfs has no user.* attributes") from refused
    overlay = syscalls.fsopen("overlay")
    layers = {"source": "node", "lowerdir": str(spec.run.image), "upperdir": "/mnt/upper", "workdir": "/mnt/work"}
    for key, value in layers.items():
        syscalls.fsconfig_string(overlay, key, value)
    syscalls.fsconfig_flag(overlay, "userxattr")  # a user namespace may not write trusted.*
    return syscalls.fsmount(overlay, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID)


def _overlay_by_host(spec: SandboxSpec, place: NodeDir) -> None:
    """The tmpfs is mounted by the host and hidden behind a folder that only the host's root may enter."""
    hidden = place.path / "rw"
    for folder in (hidden, place.root):
        folder.mkdir()
    options = f"size={spec.disk_mb}m,nr_inodes={spec.disk_inodes},mode=0700"
    syscalls.mount("tmpfs", hidden, "tmpfs", MS_NOSUID | MS_NODEV, options)
    for name in ("upper", "work"):
        (hidden / name).mkdir(0o755)
        os.chown(hidden / name, spec.uid_base, spec.uid_base)
    layers = f"lowerdir={spec.run.image},upperdir={hidden}/upper,workdir={hidden}/work"
    syscalls.mount("node", place.root, "overlay", MS_NOSUID | MS_NODEV, layers)


def _attach_bpffs(fs_fd: int, delegate: dict[str, str], place: NodeDir) -> bool:
    """False when this kernel knows no delegation (before 6.9); the node then gets no BPF at all (docs/decisions/0003)."""
    try:
        for key, value in delegate.items():
            syscalls.fsconfig_string(fs_fd, key, value)
        mounted = syscalls.fsmount(fs_fd, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
    except OSError as refused:
        if refused.errno in (errno.EPERM, errno.EINVAL, errno.EOPNOTSUPP):
            return False
        raise
    try:
        place.bpffs.mkdir()
        syscalls.move_mount(mounted, place.bpffs)
    finally:
        os.close(mounted)
    return True


def spec_from(message: dict[str, Any], run: RunDir) -> SandboxSpec:
    return SandboxSpec(
        run=run, instance=message["instance"], uid_base=message["uid_base"], uid_count=message["uid_count"],
        rootfs=Path(message["rootfs"]), disk_mb=message["disk_mb"], disk_inodes=message["disk_inodes"],
        delegate=message["delegate"], overlay_by_host=message["overlay_by_host"],
    )
