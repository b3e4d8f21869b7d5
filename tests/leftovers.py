"""What tests may leave in the kernel and on the machine: looked at before the first test and after the last one.

Used by conftest.py. Only what is new and carries an instance that was not there before counts, so that a running netlab,
or another person's tests on the same machine, are nobody's leftovers here.
"""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from netlab.host.kernel.sysctls import WANTED

GRACE_S = 8
"""The kernel frees namespaces and cgroups a moment after their last user has gone."""
SESSION_VARIABLE = "NETLAB_TEST_SESSION"
RUN = Path("/run/netlab")
NETNS = Path("/run/netns")
BPFFS = Path("/sys/fs/bpf")
CGROUPS = Path("/sys/fs/cgroup")
SYSCTLS = sorted({wanted.name for wanted in WANTED} | {"kernel/bpf_stats_enabled"})


@dataclass
class Look:
    """One look at the machine: things by kind; a thing is (instance or '', name)."""

    things: dict[str, set[tuple[str, str]]] = field(default_factory=dict)

    @property
    def instances(self) -> set[str]:
        return {instance for named in self.things.values() for instance, _ in named if instance}


def look() -> Look:
    return Look({
        "namespace": {(_instance_of_name(path.name), path.name) for path in _entries(NETNS)},
        "run folder": {(path.name, str(path)) for path in _entries(RUN) if path.is_dir() and path.name != "uid-slots"},
        "uid slot": set(_uid_slots()),
        "mount": set(_mounts()),
        "cgroup": set(_cgroups()),
        "BPF pin": {("", str(path)) for path in _below(BPFFS)},
        "link": {("", path.name) for path in _entries(Path("/sys/class/net"))},
        "sysctl": set(_sysctls()),
        "process": set(_processes()),
    })


def left_behind(before: Look) -> list[str]:
    """What is there now and was not, after a moment's grace. Empty: the machine is as it was."""
    deadline = time.monotonic() + GRACE_S
    while True:
        found = list(_new(before, look()))
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def mark_session() -> None:
    """Every process that tests start inherits this, however far away it goes."""
    os.environ[SESSION_VARIABLE] = secrets.token_hex(8)


def _new(before: Look, after: Look) -> Iterator[str]:
    others = before.instances
    for kind, things in after.things.items():
        for instance, name in sorted(things - before.things[kind]):
            if instance not in others or not instance:
                yield f"{kind} {name}"


def _instance_of_name(name: str) -> str:
    """'nl.<instance>.<run>.<node>' in /run/netns."""
    parts = name.split(".")
    return parts[1] if parts[0] == "nl" and len(parts) > 2 else ""


def _uid_slots() -> Iterator[tuple[str, str]]:
    for path in _entries(RUN / "uid-slots"):
        with suppress(OSError):
            yield path.read_text().split(" ")[0], f"{path.name} {path.read_text().strip()}"


def _mounts() -> Iterator[tuple[str, str]]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place = line.split()[4]
        if place.startswith(f"{RUN}/"):
            yield place.split("/")[3], place
        elif place.startswith(f"{NETNS}/"):
            yield _instance_of_name(place.split("/")[3]), place


def _cgroups() -> Iterator[tuple[str, str]]:
    for root, folders, _ in os.walk(CGROUPS):
        depth_left = 4 - len(Path(root).relative_to(CGROUPS).parts)
        if depth_left <= 0:
            folders.clear()
        if Path(root).name == "netlab":
            yield from ((name, f"{root}/{name}") for name in folders)
            folders.clear()


def _sysctls() -> Iterator[tuple[str, str]]:
    for name in SYSCTLS:
        with suppress(OSError):
            yield "", f"{name} = {(Path('/proc/sys') / name).read_text().strip()}"


def _processes() -> Iterator[tuple[str, str]]:
    mark = f"{SESSION_VARIABLE}={os.environ.get(SESSION_VARIABLE)}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int(folder.name) != os.getpid() and mark in (folder / "environ").read_bytes().split(b"\0"):
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                yield "", f"{folder.name} {' '.join(words.split())[:120]}"


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, PermissionError):
        return []


def _below(folder: Path) -> Iterator[Path]:
    for root, _, files in os.walk(folder):
        yield from (Path(root) / name for name in files)
