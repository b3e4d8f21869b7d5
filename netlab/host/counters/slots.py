"""What bpf/lab_events.bpf.c counts, as memory: a slot for each namespace, by the namespace's cookie. No system call per reading.

One `EventSlots` for all labs of the sampler. The object is loaded when the first namespace asks, and gone with the sampler. A
kernel that refuses it is told once in the log; then nobody gets a slot and everything else is counted as before.
"""

import errno
import logging
import mmap
import os
import struct
import time
from pathlib import Path
from typing import NamedTuple

from netlab.host.kernel.bpf_object import BpfMap, BpfObject
from netlab.host.kernel.kernel_types import kernel_enum

log = logging.getLogger(__name__)

OBJECT = "lab_events.bpf.o"
REASONS = "skb_drop_reason"
EVENTS = (
    "tcp_retransmits", "tcp_resets_sent", "tcp_resets_received", "udp_queue_failures", "receive_queue_full", "icmp_sent",
    "neighbour_updates", "xdp_exceptions", "xdp_redirects", "xdp_redirect_errors", "xdp_devmap_sent", "xdp_devmap_drops",
)
"""In the order of `enum event`; so far below, in 64-bit words, `struct slot` of the same file."""
PROGRAMS = (
    "tcp_retransmit", "tcp_reset_sent", "tcp_reset_received", "udp_queue_failed", "receive_queue_full", "icmp_sent",
    "neighbour_updated", "xdp_exception", "xdp_redirect", "xdp_redirect_failed", "xdp_devmap_sent", "page_held", "page_released",
)
DROP_PROGRAMS = ("drop", "drop_of_old_kernel")
"""The first that the kernel takes: older ones hand over one argument less."""
CHANGES_AT, WITHOUT_ROW_AT, EVENTS_AT, ROWS_AT, ROW_WORDS, ROWS = 0, 1, 2, 16, 4, 64
SLOT_WORDS = ROWS_AT + ROWS * ROW_WORDS
PLACE_CHARS = 48
PAGE_POOL_HOLD, PAGE_POOL_RELEASE = 0x80000000, 0x80000001
SLOTS_MAX, SLOTS_MIN = 2048, 64
MB_PER_SLOT = 2
"""Of the machine's memory: a guest has few nodes and little to give away."""
FREED_FOR_S = 1.0
"""A slot that was given back is not given out for so long: a program on another processor may still count into it."""


class Row(NamedTuple):
    """A packet's drop so often: on which device (0: none is known), for which reason, at which address; or a pool's side."""

    ifindex: int
    what: int
    place: int
    times: int


class Slot:
    """One namespace's, until `release`."""

    def __init__(self, slots: "EventSlots", number: int, cookie: int, words: memoryview) -> None:
        self._slots, self.number, self.cookie, self._words = slots, number, cookie, words

    def changes(self) -> int:
        """Another number than before: something has been counted."""
        changes: int = self._words[CHANGES_AT]
        return changes

    def without_row(self) -> int:
        """Drops that there was no row for."""
        drops: int = self._words[WITHOUT_ROW_AT]
        return drops

    def events(self) -> list[int]:
        """In the order of EVENTS."""
        return self._words[EVENTS_AT : EVENTS_AT + len(EVENTS)].tolist()

    def rows(self) -> list[Row]:
        """In no order; two may be of the same."""
        words = self._words[ROWS_AT:SLOT_WORDS].tolist()
        return [
            Row(words[at + 2] & 0xFFFFFFFF, words[at + 2] >> 32, words[at + 3], words[at + 1])
            for at in [ROW_WORDS * row for row, place in enumerate(words[3::ROW_WORDS]) if place]
        ]

    def forget(self, ifindexes: set[int]) -> None:
        """The rows of devices that are no more are free again."""
        for at in range(ROWS_AT, SLOT_WORDS, ROW_WORDS):
            if self._words[at + 3] and self._words[at + 2] & 0xFFFFFFFF in ifindexes:
                for word in (3, 1, 2, 0):  # the tag last: it is what makes a row taken
                    self._words[at + word] = 0

    def reason(self, what: int) -> str:
        return self._slots.reason(what)

    def place(self, address: int) -> str:
        return self._slots.place(address)

    def release(self) -> None:
        self._slots.release(self)


class EventSlots:
    """`folder` is where the built object is; `wanted`: for how many namespaces, 0: as the machine's memory allows."""

    def __init__(self, folder: Path, wanted: int = 0) -> None:
        self._path = folder / OBJECT
        self._object: BpfObject | None = None
        self._tried = False
        self._count = wanted
        self._numbers: BpfMap
        self._places: BpfMap
        self._memory: mmap.mmap
        self._words: memoryview
        self._used = 0
        self._freed: dict[int, tuple[int, float]] = {}
        self._reasons: dict[int, str] = {}
        self._symbols: dict[int, str] = {}

    def claim(self, cookie: int) -> Slot | None:
        """A slot for this namespace; what it counted before, when it was given back a moment ago. None: there is none."""
        if not self._tried:
            problem = self.open()
            if problem:
                log.warning("drops and events cannot be counted here: %s", problem)
        if self._object is None:
            return None
        again = self._freed.pop(cookie, None)
        number = again[0] if again else self._free()
        if number is None:
            log.warning("drops and events of a namespace are not counted: %d others are", self._count)
            return None
        words = self._words[number * SLOT_WORDS : (number + 1) * SLOT_WORDS]
        if not again:
            words[:] = memoryview(bytes(SLOT_WORDS * 8)).cast("Q")
        try:
            self._numbers.put(struct.pack("=Q", cookie), struct.pack("=I", number))
        except OSError as error:  # whatever the kernel has against it, the other counters go on
            log.warning("drops and events of a namespace are not counted: %s", error.strerror)
            self._freed[cookie] = number, time.monotonic()
            return None
        return Slot(self, number, cookie, words)

    def release(self, slot: Slot) -> None:
        if self._object is not None:
            self._numbers.remove(struct.pack("=Q", slot.cookie))
            self._freed[slot.cookie] = slot.number, time.monotonic()

    def reason(self, what: int) -> str:
        """The kernel's name of a reason, without the words that all have in common."""
        return self._reasons.get(what) or f"REASON_{what}"

    def place(self, address: int) -> str:
        """The kernel function that this address is in; '' when nobody knows."""
        if address not in self._symbols:
            name = self._places.lookup(struct.pack("=Q", address)) or b""
            self._symbols[address] = name.split(b"\0")[0].decode(errors="replace").split(" ")[0]  # `name [module]`
        return self._symbols[address]

    def close(self) -> None:
        """No slot may be used any more."""
        if self._object is not None:
            self._object.close()
            self._object = None

    def _free(self) -> int | None:
        now = time.monotonic()
        for cookie, (number, since) in self._freed.items():  # the oldest first
            if now - since < FREED_FOR_S:
                break
            del self._freed[cookie]
            return number
        if self._used == self._count:
            return None
        self._used += 1
        return self._used - 1

    def open(self) -> str:
        """Load it now; '' or why it cannot be. `claim` does it by itself."""
        self._tried = True
        try:
            self._reasons = reason_names()
            self._count = self._count or slots_wanted()
            loaded = BpfObject(self._path, {"slots": self._count, "numbers": 2 * self._count})
        except OSError as error:
            return error.strerror or str(error)
        try:
            attach(loaded)
            slots = loaded.map("slots", SLOT_WORDS * 8)
            self._numbers, self._places = loaded.map("numbers", 4), loaded.map("places", PLACE_CHARS)
            self._memory = mmap.mmap(slots.descriptor, self._count * SLOT_WORDS * 8)
        except OSError as error:
            loaded.close()
            return error.strerror or str(error)
        self._words = memoryview(self._memory).cast("Q")
        self._object = loaded
        return ""


def attach(loaded: BpfObject) -> None:
    """Every program that this kernel has a place for. Raises OSError when not even drops can be counted."""
    for program in DROP_PROGRAMS:
        try:
            loaded.attach(program)
            break
        except OSError as error:
            if error.errno != errno.EINVAL or program == DROP_PROGRAMS[-1]:
                raise
    missing = []
    for program in PROGRAMS:
        try:
            loaded.attach(program)
        except OSError:
            missing.append(program)
    if missing:
        log.info("this kernel does not tell of: %s", ", ".join(missing))


def reason_names() -> dict[int, str]:
    """Of the running kernel. Raises OSError."""
    return {value: name.removeprefix("SKB_DROP_REASON_") for value, name in kernel_enum(REASONS).items()}


def slots_wanted() -> int:
    memory_mb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    return max(SLOTS_MIN, min(SLOTS_MAX, memory_mb // MB_PER_SLOT))
