"""The seccomp profile of sandboxed nodes, in OCI form. Called by `bundle`; it never looks at the machine.

Every x86_64 system call of the table beside this file is allowed, less DENIED; numbers that the table does not know
(newer kernels) get ENOSYS, denied ones EPERM. 32-bit entries are killed, which is libseccomp's default for an
architecture that is not listed.
"""

from errno import ENOSYS, EPERM
from functools import lru_cache
from pathlib import Path
from typing import Any

_TABLE = Path(__file__).with_name("syscalls_x86_64.txt")

_DENIED = """
mount umount2 pivot_root move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr
unshare setns
init_module finit_module delete_module create_module get_kernel_syms query_module
kexec_load kexec_file_load reboot swapon swapoff
io_uring_setup io_uring_enter io_uring_register
userfaultfd perf_event_open
keyctl add_key request_key
open_by_handle_at name_to_handle_at lookup_dcookie
iopl ioperm modify_ldt
acct quotactl quotactl_fd nfsservctl uselib _sysctl sysfs vserver security tuxcall afs_syscall
getpmsg putpmsg epoll_ctl_old epoll_wait_old
settimeofday clock_settime clock_adjtime adjtimex
syslog vhangup fanotify_init
kcmp process_vm_readv process_vm_writev process_madvise pidfd_getfd
move_pages migrate_pages mbind set_mempolicy set_mempolicy_home_node get_mempolicy
vmsplice memfd_secret
"""
DENIED = frozenset(_DENIED.split())
FILTERED = frozenset(("clone", "clone3", "socket", "ioctl", "personality"))

ADDRESS_FAMILIES = {"UNIX": 1, "INET": 2, "INET6": 10, "NETLINK": 16, "PACKET": 17, "XDP": 44}
"""The others are not namespaced (AF_VSOCK reaches the hypervisor) or are attack surface (AF_ALG, AF_TIPC, ...)."""

CLONE_ANY_NAMESPACE = 0x7E020000
"""NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. NEWTIME exists for clone3 and unshare only."""

TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD = 0x5412, 0x541C, 0x541D, 0x5423
IOCTLS_DENIED = (TIOCSTI, TIOCSETD, TIOCLINUX, TIOCCONS)
"""Typing into a terminal, loading line disciplines, and the host's virtual console."""

PER_LINUX, PERSONALITY_QUERY = 0, 0xFFFFFFFF

Rule = dict[str, Any]


@lru_cache
def profile(allow_bpf: bool) -> dict[str, Any]:
    known = set(_TABLE.read_text().split())
    denied = (DENIED if allow_bpf else DENIED | {"bpf"}) & known
    rules: list[Rule] = [
        _allow(sorted(known - denied - FILTERED)),
        {"names": sorted(denied), "action": "SCMP_ACT_ERRNO", "errnoRet": EPERM},
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS},  # libc falls back to clone
        _allow(["clone"], _masked(0, CLONE_ANY_NAMESPACE, 0)),
        *(_allow(["socket"], _equal(0, family)) for family in ADDRESS_FAMILIES.values()),
        *(_allow(["personality"], _equal(0, value)) for value in (PER_LINUX, PERSONALITY_QUERY)),
        *_ioctl_rules(),
    ]
    return {
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": ENOSYS,
        "architectures": ["SCMP_ARCH_X86_64"], "syscalls": rules,
    }


def _ioctl_rules() -> list[Rule]:
    """ioctl is allowed unless the low 32 bits of its command are one of IOCTLS_DENIED.

    The kernel looks at 32 bits; a plain "not equal" compares 64 and is passed by ioctl(fd, 1 << 32 | TIOCSTI).
    libseccomp has no masked "not equal", so: allow when a bit that all denied commands share differs, or when the
    bits in which they differ make none of them.
    """
    shared = 0xFFFFFFFF
    for command in IOCTLS_DENIED:
        shared &= ~(command ^ IOCTLS_DENIED[0])
    varying = ~shared & 0xFFFFFFFF
    bits = [1 << i for i in range(32) if varying >> i & 1]
    rules = [
        _allow(["ioctl"], _masked(1, 1 << i, ~IOCTLS_DENIED[0] & 1 << i)) for i in range(32) if shared >> i & 1
    ]
    for choice in range(1 << len(bits)):
        value = sum(bit for at, bit in enumerate(bits) if choice >> at & 1)
        if all(value != command & varying for command in IOCTLS_DENIED):
            rules.append(_allow(["ioctl"], _masked(1, varying, value)))
    return rules


def _allow(names: list[str], condition: Rule | None = None) -> Rule:
    rule: Rule = {"names": names, "action": "SCMP_ACT_ALLOW"}
    return rule | {"args": [condition]} if condition else rule


def _equal(argument: int, value: int) -> Rule:
    return {"index": argument, "value": value, "op": "SCMP_CMP_EQ"}


def _masked(argument: int, mask: int, value: int) -> Rule:
    return {"index": argument, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}
