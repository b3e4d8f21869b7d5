"""One range of host uids a run, shared by all instances on the machine. Called by `nodes.sandboxed`.

A slot is a file /run/netlab/uid-slots/<n> that holds '<instance> <run>'. It comes into being with its content, linked
from a file without a name (O_TMPFILE, open(2)): no crash leaves a slot without an owner, nor anything else.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SLOTS_DIR = Path("/run/netlab/uid-slots")
UIDS_PER_SLOT = 65_536


class NoSlotFree(Exception):
    """Every uid range of this host is taken."""


@dataclass(frozen=True)
class Slot:
    number: int
    owner: str

    def uid_base(self, first_uid: int) -> int:
        return first_uid + self.number * UIDS_PER_SLOT


def take(instance: str, run: str, slots: int) -> Slot:
    """The lowest free slot; the run's own when it has one already. Raises NoSlotFree."""
    owner = f"{instance} {run}"
    SLOTS_DIR.mkdir(mode=0o711, parents=True, exist_ok=True)
    claim = os.open(SLOTS_DIR, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o644)
    try:
        os.write(claim, owner.encode())
        for number in range(slots):
            if _link(claim, SLOTS_DIR / str(number)) or _owner(number) == owner:
                return Slot(number, owner)
    finally:
        os.close(claim)
    raise NoSlotFree(f"all {slots} uid ranges are taken")


def _link(nameless: int, path: Path) -> bool:
    """Give the file a name; False when that is taken."""
    try:
        # a descriptor of a folder makes Python call linkat(2), which alone follows /proc's link to the file itself
        os.link(f"/proc/self/fd/{nameless}", path, src_dir_fd=nameless, follow_symlinks=True)
    except FileExistsError:
        return False
    return True


def release(instance: str, run: str) -> None:
    """Give back what the run has; nothing when it has none."""
    for slot in taken(instance):
        if slot.owner == f"{instance} {run}":
            release_slot(slot.number)


def release_slot(number: int) -> None:
    (SLOTS_DIR / str(number)).unlink(missing_ok=True)
    with suppress(OSError):
        SLOTS_DIR.rmdir()


def taken(instance: str) -> Iterator[Slot]:
    """Slots of this instance."""
    try:
        numbers = sorted(int(name) for name in os.listdir(SLOTS_DIR) if name.isdigit())
    except FileNotFoundError:
        return
    for number in numbers:
        owner = _owner(number)
        if owner.startswith(f"{instance} "):
            yield Slot(number, owner)


def any_taken() -> bool:
    """By whichever instance."""
    return SLOTS_DIR.is_dir() and any(SLOTS_DIR.iterdir())


def _owner(number: int) -> str:
    try:
        return (SLOTS_DIR / str(number)).read_text().strip()
    except FileNotFoundError:
        return ""
