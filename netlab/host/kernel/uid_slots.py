"""One range of host uids a run, shared by all instances on the machine. Called by `nodes.sandboxed`.

A slot is a file /run/netlab/uid-slots/<n> that holds '<instance> <run>'; it comes into being with its content, by
link(2), so that no crash leaves a slot without an owner.
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
    claim = SLOTS_DIR / f".claim-{os.getpid()}-{run}"
    claim.write_text(owner)
    try:
        for number in range(slots):
            try:
                os.link(claim, SLOTS_DIR / str(number))
            except FileExistsError:
                if _owner(number) == owner:
                    return Slot(number, owner)
                continue
            return Slot(number, owner)
    finally:
        claim.unlink(missing_ok=True)
    raise NoSlotFree(f"all {slots} uid ranges are taken")


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
