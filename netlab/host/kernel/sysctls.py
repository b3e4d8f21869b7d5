"""Global sysctls that keep one lab from disturbing the host and its neighbours; recorded, and put back at the end.

Used by the agent (`tighten`) and by the clean-up (`put_back`). Only values that are weaker than wanted are changed, and
only such that can be changed back. Several netlabs on one machine share the record: the last one puts back.
"""

import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

log = logging.getLogger(__name__)

ROOT = Path("/proc/sys")
RECORD = Path("/run/netlab/sysctls.json")


def _too_low(now: int, wanted: int) -> bool:
    return now < wanted


def _too_high(now: int, wanted: int) -> bool:
    return now > wanted


def _not_same(now: int, wanted: int) -> bool:
    return now != wanted


@dataclass(frozen=True)
class Wanted:
    """`weaker(now, wanted)` says whether the present value must be changed."""

    name: str
    value: int
    reason: str
    weaker: Callable[[int, int], bool] = _too_low


WANTED = (
    # One table for all namespaces: a node that scans a /16 made a neighbour lose pings with the default of 1024.
    *(Wanted(f"net/ipv{v}/neigh/default/gc_thresh{n}", size, "the neighbour table is shared by all nodes")
      for v in (4, 6) for n, size in ((3, 65536), (2, 16384), (1, 4096))),
    Wanted("fs/inotify/max_user_instances", 8192, "each lab's files are watched through one of the agent's"),
    Wanted("dev/tty/ldisc_autoload", 0, "a node must not load line disciplines", _not_same),
    Wanted("dev/tty/legacy_tiocsti", 0, "nobody types into another's terminal", _not_same),
    Wanted("kernel/dmesg_restrict", 1, "the kernel's log is the host's"),
    Wanted("kernel/kptr_restrict", 1, "kernel addresses are the host's"),
    # 2 can be changed back, 1 cannot
    Wanted("kernel/unprivileged_bpf_disabled", 2, "BPF only with a node's token", lambda now, _: now == 0),
    # Entries are not charged to the node that makes them; a node cannot raise this.
    Wanted("net/netfilter/nf_conntrack_max", 16384, "connections of one node must not fill the host's memory", _too_high),
    Wanted("vm/unprivileged_userfaultfd", 0, "makes kernel bugs easier to use", _not_same),
)


def tighten(instance: str) -> list[str]:
    """Set what is weaker; remember what it was. Returns what could not be set (not there: a kernel without it)."""
    failed = []
    with _record() as record:
        record["instances"] = sorted({*_living(record["instances"]), instance})
        for wanted in WANTED:
            path = ROOT / wanted.name
            try:
                now = int(path.read_text())
                if wanted.weaker(now, wanted.value):
                    path.write_text(str(wanted.value))
                    record["before"].setdefault(wanted.name, now)
            except FileNotFoundError:
                continue
            except OSError as error:
                failed.append(f"{wanted.name}: {error.strerror}")
    return failed


def put_back(instance: str) -> None:
    """This netlab ends. The last one sets everything back to what it was before the first."""
    with _record() as record:
        record["instances"] = [i for i in _living(record["instances"]) if i != instance]
        if record["instances"]:
            return
        for name, value in reversed(record["before"].items()):
            try:
                (ROOT / name).write_text(str(value))
            except OSError:
                log.exception("setting %s back to %s", name, value)
        record["before"] = {}


def _living(instances: list[str]) -> list[str]:
    """Whose run folder is there; one that was removed by hand will never put anything back."""
    return [i for i in instances if (RECORD.parent / i).is_dir()]


@contextmanager
def _record() -> Iterator[dict[str, Any]]:
    """The record, locked while it is changed; the file goes when there is nothing left to put back."""
    with _locked() as file:
        text = file.read()
        record: dict[str, Any] = json.loads(text) if text else {"instances": [], "before": {}}
        yield record
        if not record["instances"] and not record["before"]:
            RECORD.unlink()
            return
        file.seek(0)
        file.truncate()
        json.dump(record, file)


@contextmanager
def _locked() -> Iterator[TextIO]:
    """Opened again when its last user has just removed it."""
    RECORD.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    while True:
        descriptor = os.open(RECORD, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with open(descriptor, "r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:
                yield file
                return
