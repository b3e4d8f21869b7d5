"""The OCI bundle of a sandboxed node and the process object of what is run in it. Called by `nodes.sandboxed`.

It writes down policy (capabilities, mounts, masks, limits) and never touches the kernel. `Confinement` names what the
attack suite may weaken to show that its attempts can succeed; nothing else passes one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netlab.host.sandbox import seccomp

_KEPT = """
CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP SETFCAP NET_BIND_SERVICE NET_RAW NET_ADMIN SYS_CHROOT AUDIT_WRITE
"""
CAPABILITIES = tuple(f"CAP_{name}" for name in _KEPT.split())
"""No SYS_ADMIN, SYS_PTRACE, SYS_MODULE, MKNOD, SYS_RESOURCE, DAC_READ_SEARCH. BPF and PERFMON come by isolation."""

ENVIRONMENT = (
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "USER=root", "LOGNAME=root",
    "SHELL=/bin/bash", "TERM=xterm-256color", "LANG=C.UTF-8",
)

MAX_PPS_VARIABLE = "NETLAB_MAX_PPS"
PROGRAMS_FOLDER = "/usr/local/bin"

PIDS_MAX = 128
CPU_PERIOD_US = 100_000
CPU_SHARES = 256
DEVPTS_MAX = 16
SHM_MB = 16
RUN_TMPFS_MB = 4
FILES_SOFT, FILES_HARD = 1024, 4096
SIGNALS_PENDING_MAX = 1024
DISK_INODES = 20_000

_MASKED_IN_PROC = """
acpi asound kcore keys key-users kallsyms kmsg latency_stats timer_list timer_stats sched_debug scsi kpagecount
kpageflags config.gz sysrq-trigger mtrr iomem ioports pagetypeinfo slabinfo vmallocinfo cmdline diskstats
partitions swaps modules interrupts softirqs zoneinfo
"""
_MASKED_IN_SYS = """
firmware kernel/debug kernel/tracing kernel/security fs/cgroup fs/selinux devices/virtual/powercap module block
dev/block fs/ext4 power hypervisor kernel/notes kernel/vmcoreinfo kernel/slab
"""
MASKED_PATHS = (*(f"/proc/{name}" for name in _MASKED_IN_PROC.split()), *(f"/sys/{name}" for name in _MASKED_IN_SYS.split()))

# nf_hooks_lwtunnel is a global static key, although every netns may set it
_READONLY_IN_PROC = """
bus fs irq driver sys/kernel sys/vm sys/fs sys/user sys/dev sys/debug sys/abi sys/crypto sys/net/netfilter/nf_hooks_lwtunnel
"""
READONLY_PATHS = tuple(f"/proc/{name}" for name in _READONLY_IN_PROC.split())
"""The rest of /proc/sys/net stays writable: it is the node's own."""


@dataclass(frozen=True)
class Confinement:
    """How tight the box is. The defaults are the product's; only the attack suite loosens them."""

    seccomp: bool = True
    no_new_privileges: bool = True
    mask_paths: bool = True
    capabilities: tuple[str, ...] = CAPABILITIES


@dataclass(frozen=True)
class BundleSpec:
    """What a node's container is made from; all paths are the host's."""

    node: str
    root: Path
    userns: Path
    netns: Path
    lab_dir: Path
    bpffs: Path | None
    uid_base: int
    uid_count: int
    cgroup: str
    memory_mb: int
    cpu_percent: int
    perfmon: bool
    max_pps: int
    """What an interface of its lab may carry; generators in its shells keep below it."""
    programs: tuple[Path, ...]
    """Programs of netlab's own that its shells have."""
    runtime_wants_maps: bool
    """runc wants the user namespace's mappings repeated; crun must not have them, it would chown its stdio's device."""
    confinement: Confinement = field(default=Confinement())

    @property
    def capabilities(self) -> list[str]:
        bpf = ("CAP_BPF",) if self.bpffs else ()
        perfmon = ("CAP_PERFMON",) if self.bpffs and self.perfmon else ()
        return [*self.confinement.capabilities, *bpf, *perfmon]


def process(spec: BundleSpec, argv: Sequence[str], cwd: str = "/root") -> dict[str, Any]:
    """An OCI process with all of the node's confinement: for its init and for everything run in it later."""
    capabilities = spec.capabilities
    return {
        "terminal": False, "user": {"uid": 0, "gid": 0, "umask": 0o22}, "args": list(argv), "cwd": cwd,
        "env": [*ENVIRONMENT, f"{MAX_PPS_VARIABLE}={spec.max_pps}"],
        "capabilities": {kind: capabilities for kind in ("bounding", "effective", "permitted")},
        "rlimits": [
            {"type": "RLIMIT_NOFILE", "soft": FILES_SOFT, "hard": FILES_HARD},
            {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
            {"type": "RLIMIT_MSGQUEUE", "soft": 0, "hard": 0},
            {"type": "RLIMIT_SIGPENDING", "soft": SIGNALS_PENDING_MAX, "hard": SIGNALS_PENDING_MAX},
        ],
        "noNewPrivileges": spec.confinement.no_new_privileges,
    }


def config(spec: BundleSpec, init: Sequence[str]) -> dict[str, Any]:
    """The whole config.json."""
    linux: dict[str, Any] = {
        "namespaces": [
            {"type": "user", "path": str(spec.userns)}, {"type": "network", "path": str(spec.netns)},
            *({"type": kind} for kind in ("pid", "mount", "ipc", "uts", "cgroup")),
        ],
        "cgroupsPath": spec.cgroup,
        "resources": _resources(spec),
    }
    if spec.confinement.mask_paths:
        linux |= {"maskedPaths": list(MASKED_PATHS), "readonlyPaths": list(READONLY_PATHS)}
    if spec.confinement.seccomp:
        linux["seccomp"] = seccomp.profile(allow_bpf=spec.bpffs is not None)
    if spec.runtime_wants_maps:
        mapping = [{"containerID": 0, "hostID": spec.uid_base, "size": spec.uid_count}]
        linux |= {"uidMappings": mapping, "gidMappings": mapping}
    return {
        "ociVersion": "1.0.2", "process": process(spec, init), "root": {"path": str(spec.root), "readonly": False},
        "hostname": spec.node, "mounts": _mounts(spec), "linux": linux,
    }


def _resources(spec: BundleSpec) -> dict[str, Any]:
    memory_bytes = spec.memory_mb << 20
    return {
        "devices": [{"allow": False, "access": "rwm"}],
        "memory": {"limit": memory_bytes, "swap": memory_bytes},  # memory + swap together, so: no swap
        "pids": {"limit": PIDS_MAX},
        "cpu": {"quota": spec.cpu_percent * CPU_PERIOD_US // 100, "period": CPU_PERIOD_US, "shares": CPU_SHARES},
    }


def _mounts(spec: BundleSpec) -> list[dict[str, Any]]:
    safe = ["nosuid", "noexec", "nodev"]
    mounts = [
        _mount("/proc", "proc", "proc", safe),
        _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "noexec", "strictatime", "mode=755", "size=64k", "nr_inodes=64"]),
        _mount(
            "/dev/pts", "devpts", "devpts",
            ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5", f"max={DEVPTS_MAX}"],
        ),
        _mount("/dev/shm", "tmpfs", "shm", [*safe, "mode=1777", f"size={SHM_MB}m", "nr_inodes=1000"]),  # noqa: S108 # the node's
        _mount("/sys", "sysfs", "sysfs", [*safe, "ro"]),
        _mount("/run", "tmpfs", "run", ["nosuid", "nodev", "mode=755", f"size={RUN_TMPFS_MB}m", "nr_inodes=1000"]),
        _mount("/lab", "bind", str(spec.lab_dir), ["bind", "rw", "nosuid", "nodev"]),
    ]
    for program in spec.programs:
        mounts.append(_mount(f"{PROGRAMS_FOLDER}/{program.name}", "bind", str(program), ["bind", "ro", "nosuid", "nodev"]))
    if spec.bpffs:
        mounts.append(_mount("/sys/fs/bpf", "bind", str(spec.bpffs), ["bind", "rw", *safe]))
    return mounts


def _mount(destination: str, kind: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": source, "options": options}
