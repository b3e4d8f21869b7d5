"""What a machine's QEMU is shut in by: its view of the host, its limits, its control group. Called by `machines`.

The fork server carries it out (`nsworker.confined`): an unprivileged uid and gid that no other machine has, no
capabilities, no_new_privs, empty network, own pid, ipc and mount namespaces, a root with QEMU's libraries and the guest
image, read-only. It can write to no file but its log; its sockets and its memory are given to it as descriptors. QEMU's own
seccomp filter is switched on by its command line.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from netlab.host.kernel.cgroups import Hierarchies
from netlab.host.nodes.marks import cgroup_of
from netlab.host.vm.api import GuestImage, Shape
from netlab.host.vm.qemu import IMAGE_FOLDER, TRANSLATION_MB, Hypervisor

LIBRARY_FOLDERS = ("/lib", "/lib64", "/lib32", "/bin", "/sbin")
LINKER_CACHE = "/etc/ld.so.cache"
DEVICES = ("/dev/null", "/dev/urandom")
KVM = ("/dev/kvm", 10, 232)

QEMU_MB = 96
"""What QEMU takes beside the guest's memory and translated code, with 64 threads of its pool busy: 30 to 60 measured."""
THREADS_MAX = 160
"""Its pool alone may have 64."""
CPU_PERIOD_US = 100_000
CPU_EXTRA_PERCENT = 50
"""For QEMU's own thread, beside the guest's CPUs."""
LOG_BYTES_MAX = 1 << 20
DESCRIPTORS_MAX = 512


def binds(image: GuestImage) -> list[tuple[str, str]]:
    """(on the host, in its root)"""
    folders = [folder for folder in LIBRARY_FOLDERS if os.path.isdir(folder) and not os.path.islink(folder)]
    files = [file for file in (LINKER_CACHE, *DEVICES) if os.path.exists(file)]
    parts = [(str(part.resolve()), f"{IMAGE_FOLDER}/{part.name}") for part in (image.kernel, image.root, image.app)]
    return [(path, path) for path in ("/usr", *folders, *files)] + parts


def links() -> list[tuple[str, str]]:
    return [(folder, os.readlink(folder)) for folder in LIBRARY_FOLDERS if os.path.islink(folder)]


def devices(hypervisor: Hypervisor) -> list[tuple[str, int, int]]:
    return [KVM] if hypervisor.acceleration == "kvm" else []


def limits() -> dict[str, int]:
    return {"RLIMIT_CORE": 0, "RLIMIT_FSIZE": LOG_BYTES_MAX, "RLIMIT_NOFILE": DESCRIPTORS_MAX}


def memory_limit_mb(shape: Shape) -> int:
    return shape.memory_mb + TRANSLATION_MB + QEMU_MB


def make_group(hierarchies: Hierarchies, instance: str, run: str, shape: Shape) -> list[str]:
    """The run's group with its limits; the folders that its process has to join. Raises OSError."""
    path = cgroup_of(instance, run)
    memory, quota = memory_limit_mb(shape) << 20, (shape.cpus * 100 + CPU_EXTRA_PERCENT) * CPU_PERIOD_US // 100
    if hierarchies.v2:
        folder = _v2_folder(hierarchies.roots[0], path)
        _write(folder, {"memory.max": memory, "pids.max": THREADS_MAX, "cpu.max": f"{quota} {CPU_PERIOD_US}"})
        with suppress(FileNotFoundError):  # a kernel without swap accounting
            _write(folder, {"memory.swap.max": 0})
        return [str(folder)]
    wanted = {
        "memory": {"memory.limit_in_bytes": memory}, "pids": {"pids.max": THREADS_MAX},
        "cpu": {"cpu.cfs_period_us": CPU_PERIOD_US, "cpu.cfs_quota_us": quota}, "cpuacct": {},
    }
    folders: list[str] = []
    for root in hierarchies.roots:
        mine = [values for name, values in wanted.items() if name in root.name.split(",")]
        if mine:
            folder = root / path
            folder.mkdir(parents=True, exist_ok=True)
            for values in mine:
                _write(folder, values)
            folders.append(str(folder))
    return folders


def _v2_folder(root: Path, path: str) -> Path:
    """Each folder above gives its controllers on."""
    folder = root
    for name in path.split("/"):
        (folder / "cgroup.subtree_control").write_text("+memory +pids +cpu")
        folder /= name
        folder.mkdir(exist_ok=True)
    return folder


def _write(folder: Path, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        (folder / name).write_text(str(value))


def was_out_of_memory(hierarchies: Hierarchies, instance: str, run: str) -> bool:
    """Whether the kernel has killed something in the group for want of memory."""
    for folder in hierarchies.folders(cgroup_of(instance, run)):
        for name in ("memory.events", "memory.oom_control"):
            with suppress(OSError):
                words = dict(line.split(" ", 1) for line in (folder / name).read_text().splitlines())
                if int(words.get("oom_kill", "0")) > 0:
                    return True
    return False
