"""Trials of what sandboxed nodes are made of: user namespaces, overlays, id-mapped mounts, BPF tokens, limits.

Each runs in network and mount namespaces of its own (`trial`). A cgroup is the one thing that has a place outside of
them; it is empty and taken away in the same breath.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from netlab.host.kernel import syscalls
from netlab.host.kernel.netlink import LOOPBACK_IFINDEX, route_socket, send_all, set_up
from netlab.host.probe import bpf
from netlab.host.probe.trial import UID_BASE, No, in_user_namespace, receive_fd, send_fd

CGROUP = Path("/sys/fs/cgroup")
LIMITS_V2 = {"memory": ("memory.max", "268435456"), "pids": ("pids.max", "128"), "cpu": ("cpu.max", "50000 100000")}
LIMITS_V1 = {
    "memory": ("memory.limit_in_bytes", "268435456"), "pids": ("pids.max", "128"), "cpu": ("cpu.cfs_quota_us", "50000"),
}
BPF_DELEGATIONS = {
    "delegate_cmds": "prog_load:map_create", "delegate_progs": "socket_filter:xdp:sched_cls",
    "delegate_maps": "hash:array", "delegate_attachs": "xdp:cgroup_inet_ingress",
}


def user_namespaces() -> str:
    def body(_: socket.socket) -> str:
        with route_socket() as sock:
            send_all(sock, [set_up(LOOPBACK_IFINDEX)])
        return ""

    return in_user_namespace(body)


def overlay_in_userns() -> str:
    """On a tmpfs, with user xattrs, where directories of the lower layer can be removed and made again."""

    def body(_: socket.socket) -> str:
        top = Path("/tmp")  # noqa: S108 -- a mount point that every machine has, in a mount namespace of our own
        syscalls.mount("tmpfs", top, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV)
        for name in ("lower/inner", "upper", "work", "merged"):
            (top / name).mkdir(parents=True)
        (top / "lower/inner/file").write_text("x")
        options = f"lowerdir={top}/lower,upperdir={top}/upper,workdir={top}/work,userxattr"
        syscalls.mount("overlay", top / "merged", "overlay", 0, options)
        (top / "merged/inner/file").unlink()
        (top / "merged/inner").rmdir()
        (top / "merged/inner").mkdir()
        if list((top / "merged/inner").iterdir()):
            raise No("a directory made again shows the lower layer's files")
        return ""

    return in_user_namespace(body)


def idmapped_mounts(folder: Path) -> str:
    """A clone of the mount that holds the root file system, mapped to another uid range."""
    while not folder.exists():
        folder = folder.parent

    def serve(channel: socket.socket) -> None:
        userns = receive_fd(channel)
        tree = syscalls.open_tree_clone(folder)
        attributes = syscalls.MOUNT_ATTR_IDMAP | syscalls.MOUNT_ATTR_RDONLY | syscalls.MOUNT_ATTR_NODEV
        syscalls.mount_setattr(tree, attributes, userns)
        owner, mapped = folder.stat().st_uid, os.stat(".", dir_fd=tree).st_uid
        if mapped != UID_BASE + owner:
            raise No(f"a file of uid {owner} shows as uid {mapped} through the mapped mount")

    def body(channel: socket.socket) -> str:
        send_fd(channel, os.open("/proc/self/ns/user", os.O_RDONLY))
        return f"at {folder}"

    return in_user_namespace(body, serve)


def bpf_token() -> str:
    """A BPF file system of a user namespace, its powers delegated by the host; a program loaded with its token."""

    def serve(channel: socket.socket) -> None:
        fs = receive_fd(channel)
        for key, value in BPF_DELEGATIONS.items():
            syscalls.fsconfig_string(fs, key, value)
        mount = syscalls.fsmount(fs, syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV | syscalls.MOUNT_ATTR_NOEXEC)
        send_fd(channel, os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=mount))

    def body(channel: socket.socket) -> str:
        send_fd(channel, syscalls.fsopen("bpf"))
        token = bpf.create_token(receive_fd(channel))
        bpf.load(bpf.PROG_TYPE_XDP, bpf.returns(bpf.XDP_PASS), attach_type=bpf.ATTACH_XDP, token=token)
        return ""

    return in_user_namespace(body, serve)


def cgroup_limits() -> str:
    if (CGROUP / "cgroup.controllers").exists():
        with _v2_parent() as parent, _group(parent) as group:
            _write_limits(dict.fromkeys(LIMITS_V2, group), LIMITS_V2)
        return "cgroup v2"
    groups: dict[str, Path] = {}
    missing = [name for name in LIMITS_V1 if not (CGROUP / name).is_dir()]
    if missing:
        raise No(f"no cgroup controller {', '.join(missing)}")
    try:
        for name in LIMITS_V1:
            groups[name] = CGROUP / name / _group_name()
            groups[name].mkdir()
        _write_limits(groups, LIMITS_V1)
    finally:
        for group in groups.values():
            with suppress(OSError):
                group.rmdir()
    return "cgroup v1"


def _write_limits(groups: dict[str, Path], limits: dict[str, tuple[str, str]]) -> None:
    for name, (file, value) in limits.items():
        try:
            (groups[name] / file).write_text(value)
        except OSError as error:
            raise OSError(error.errno, f"writing {file}: {os.strerror(error.errno or 0)}") from None


@contextmanager
def _v2_parent() -> Iterator[Path]:
    """The root cgroup with the three controllers given to its children, for the moment only if they were not before."""
    control = CGROUP / "cgroup.subtree_control"
    missing = sorted(set(LIMITS_V2) - set((CGROUP / "cgroup.controllers").read_text().split()))
    if missing:
        raise No(f"no cgroup controller {', '.join(missing)}")
    added = sorted(set(LIMITS_V2) - set(control.read_text().split()))
    if added:
        control.write_text(" ".join(f"+{name}" for name in added))
    try:
        yield CGROUP
    finally:
        if added:
            with suppress(OSError):
                control.write_text(" ".join(f"-{name}" for name in added))


@contextmanager
def _group(parent: Path) -> Iterator[Path]:
    group = parent / _group_name()
    group.mkdir()
    try:
        yield group
    finally:
        group.rmdir()


def _group_name() -> str:
    return f"netlab-probe-{os.getpid()}"
