"""The system calls that Python has no name for: namespaces and the mount API, with the kernel's own names.

Called by the fork server and by the host's probe. It changes the calling thread (setns, unshare), so
nothing in an event loop calls those two; it never decides anything.

Numbers and flags: include/uapi/linux/{sched,mount,fcntl}.h, include/uapi/asm-generic/unistd.h. The numbers from
424 on are the same on every architecture.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE, MS_SLAVE, MS_SHARED = 1 << 12, 1 << 14, 1 << 18, 1 << 19, 1 << 20
MNT_DETACH = 2

AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000
OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC = 1, os.O_CLOEXEC
FSOPEN_CLOEXEC, FSMOUNT_CLOEXEC = 1, 1
MOVE_MOUNT_F_EMPTY_PATH = 4
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_IDMAP = 1, 2, 4, 8, 0x100000
FSCONFIG_SET_FLAG, FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE = 0, 1, 6

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 1, 36, 24, 38, 22
SECCOMP_MODE_FILTER, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO = 2, 0x7FFF0000, 0x00050000

_NR_OPEN_TREE, _NR_MOVE_MOUNT, _NR_FSOPEN, _NR_FSCONFIG, _NR_FSMOUNT = 428, 429, 430, 431, 432
_NR_MOUNT_SETATTR = 442
_NRS_IO_URING = (425, 426, 427)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class _MountAttr(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _syscall(what: str, number: int, *arguments: object) -> int:
    whole = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return _checked(_libc.syscall(ctypes.c_long(number), *whole), what)


def unshare(flags: int) -> None:
    _checked(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int = 0) -> None:
    _checked(_libc.setns(fd, kind), "setns")


def setns_path(path: Path | str, kind: int) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _checked(_libc.setns(fd, kind), f"setns {path}")
    finally:
        os.close(fd)


@contextmanager
def inside_netns(path: Path | str) -> Iterator[None]:
    """The calling thread is in that network namespace for a moment. For single-threaded processes only."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns_path(path, CLONE_NEWNET)
        try:
            yield
        finally:
            setns(home, CLONE_NEWNET)
    finally:
        os.close(home)


def mount(source: str, target: Path | str, kind: str | None, flags: int = 0, options: str = "") -> None:
    kind_bytes = kind.encode() if kind is not None else None
    done = _libc.mount(source.encode(), str(target).encode(), kind_bytes, ctypes.c_ulong(flags), options.encode() or None)
    _checked(done, f"mount on {target}")


def bind(source: Path | str, target: Path | str, flags: int = 0) -> None:
    mount(str(source), target, None, MS_BIND | flags)


def unmount(target: Path | str) -> None:
    """Lazily: the name is gone at once, the contents when their last user is."""
    _checked(_libc.umount2(str(target).encode(), MNT_DETACH), f"umount {target}")


def pivot_root(new_root: Path | str, put_old: Path | str) -> None:
    _checked(_libc.pivot_root(str(new_root).encode(), str(put_old).encode()), f"pivot_root {new_root}")


def open_tree_clone(path: Path | str) -> int:
    return _syscall(f"open_tree {path}", _NR_OPEN_TREE, AT_FDCWD, str(path).encode(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)


def mount_setattr(mount_fd: int, attributes: int, userns_fd: int = 0) -> None:
    wanted = _MountAttr(attributes, 0, 0, userns_fd)
    size = ctypes.sizeof(wanted)
    _syscall("mount_setattr", _NR_MOUNT_SETATTR, mount_fd, b"", AT_EMPTY_PATH, ctypes.byref(wanted), size)


def move_mount(mount_fd: int, target: Path | str) -> None:
    _syscall(f"move_mount {target}", _NR_MOVE_MOUNT, mount_fd, b"", AT_FDCWD, str(target).encode(), MOVE_MOUNT_F_EMPTY_PATH)


def fsopen(kind: str) -> int:
    return _syscall(f"fsopen {kind}", _NR_FSOPEN, kind.encode(), FSOPEN_CLOEXEC)


def fsconfig_string(fs_fd: int, key: str, value: str) -> None:
    _syscall(f"fsconfig {key}={value}", _NR_FSCONFIG, fs_fd, FSCONFIG_SET_STRING, key.encode(), value.encode(), 0)


def fsconfig_flag(fs_fd: int, key: str) -> None:
    _syscall(f"fsconfig {key}", _NR_FSCONFIG, fs_fd, FSCONFIG_SET_FLAG, key.encode(), None, 0)


def fsmount(fs_fd: int, attributes: int) -> int:
    """Create the configured file system and give a descriptor of its mount, attached nowhere yet."""
    _syscall("fsconfig create", _NR_FSCONFIG, fs_fd, FSCONFIG_CMD_CREATE, None, None, 0)
    return _syscall("fsmount", _NR_FSMOUNT, fs_fd, FSMOUNT_CLOEXEC, attributes)


def die_with_parent(signal_number: int) -> None:
    _checked(_libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0), "prctl PR_SET_PDEATHSIG")


def reap_orphans() -> None:
    """Descendants whose parent ends become this process's children."""
    _checked(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl PR_SET_CHILD_SUBREAPER")


def drop_bounding_set() -> None:
    """No program that this process becomes gains a capability again."""
    capability = 0
    while _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
        capability += 1
    if ctypes.get_errno() != errno.EINVAL:  # the first that this kernel does not know
        _checked(-1, "prctl PR_CAPBSET_DROP")


def no_new_privileges() -> None:
    _checked(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl PR_SET_NO_NEW_PRIVS")


def without_io_uring() -> None:
    """Its calls do not exist (ENOSYS) for this thread and all that it becomes. Needs no_new_privileges."""
    code = [_filter_op(0x20, 0)]  # load the call's number (include/uapi/linux/seccomp.h)
    for place, number in enumerate(_NRS_IO_URING):
        code.append(_filter_op(0x15, number, len(_NRS_IO_URING) - place))
    code += [_filter_op(0x06, SECCOMP_RET_ALLOW), _filter_op(0x06, SECCOMP_RET_ERRNO | errno.ENOSYS)]
    kept = ctypes.create_string_buffer(b"".join(code))
    program = ctypes.create_string_buffer(struct.pack("=H6xQ", len(code), ctypes.addressof(kept)))
    _checked(_libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0), "prctl PR_SET_SECCOMP")


def _filter_op(code: int, value: int, when_true: int = 0) -> bytes:
    """One instruction of classic BPF (include/uapi/linux/filter.h): load 0x20, jump if equal 0x15, give 0x06."""
    return struct.pack("=HBBI", code, when_true, 0, value)
