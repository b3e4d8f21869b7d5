"""Pages of the kernel's ring buffer, as `trace_pipe_raw` gives them, read as calls and returns of functions.

Pure: bytes in, records out. The layout is the kernel's (events/header_page, events/header_event, include/linux/ring_buffer.h);
offsets within a record come from its `format` files, so that a kernel with other fields is read as well.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

PAGE_HEADER = struct.Struct("=QQ")
WORD = struct.Struct("=I")
COMMIT_MASK, MISSED = (1 << 20) - 1, 1 << 31
PADDING, TIME_EXTEND, TIME_STAMP = 29, 30, 31
DELTA_BITS = 27
COMMON = struct.Struct("=HBBi")
"""Type, flags, preempt count, process."""
HARD_IRQ, SOFT_IRQ, NMI = 0x08, 0x10, 0x40
"""include/linux/trace_events.h: TRACE_FLAG_*."""
FIELD = re.compile(r"field:.*?(\w+);\s*offset:(\d+);\s*size:(\d+)")
NUMBER = re.compile(r"^ID: (\d+)$", re.MULTILINE)


GAP = 0
"""Instead of a function's address: records were lost here."""


@dataclass(frozen=True, slots=True)
class Record:
    """A call; or, with `took_ns`, a return; or a GAP."""

    at: int
    process: int
    context: int
    """0: a process; 1: a softirq; 2: an interrupt."""
    function: int
    began: int = 0
    took_ns: int = -1


@dataclass(frozen=True)
class Layout:
    """Where what is in a record. Made of what the kernel says in events/ftrace/funcgraph_{entry,exit}/format."""

    call: int
    call_function: int
    back: int
    back_function: int
    began: int
    ended: int

    @classmethod
    def parse(cls, entry: str, leave: str) -> "Layout":
        """Raises ValueError."""
        (call, called), (back, returned) = _format(entry), _format(leave)
        try:
            return cls(call, called["func"], back, returned["func"], returned["calltime"], returned["rettime"])
        except KeyError as error:
            raise ValueError(f"this kernel's function graph has no {error}") from None


def _format(text: str) -> tuple[int, dict[str, int]]:
    number = NUMBER.search(text)
    if number is None:
        raise ValueError("this kernel's format of function graphs is not understood")
    return int(number[1]), {name: int(offset) for name, offset, _ in FIELD.findall(text)}


def records(page: bytes, layout: Layout) -> Iterator[Record]:
    at, commit = PAGE_HEADER.unpack_from(page)
    place, end = PAGE_HEADER.size, min(len(page), PAGE_HEADER.size + (commit & COMMIT_MASK))
    if commit & MISSED:
        yield Record(at, 0, 0, GAP)
    while place + WORD.size <= end:
        (word,) = WORD.unpack_from(page, place)
        kind, delta = word & 31, word >> 5
        if kind == PADDING and not delta:
            return
        at, data, place = _step(page, place, kind, delta, at)
        if kind < PADDING and data + COMMON.size <= end:
            record = _record(page, data, at, layout)
            if record is not None:
                yield record


def _step(page: bytes, place: int, kind: int, delta: int, at: int) -> tuple[int, int, int]:
    """When it was, where its data begins, where the next one is."""
    if 0 < kind < PADDING:
        return at + delta, place + 4, place + 4 + kind * 4
    (first,) = WORD.unpack_from(page, place + 4)
    if kind == TIME_EXTEND:
        return at + (first << DELTA_BITS) + delta, 0, place + 8
    if kind == TIME_STAMP:
        return (at >> 59 << 59) | (first << DELTA_BITS) | delta, 0, place + 8
    return at + delta, place + 8, place + 4 + max(4, first)


def _record(page: bytes, data: int, at: int, layout: Layout) -> Record | None:
    kind, flags, _, process = COMMON.unpack_from(page, data)
    context = 2 if flags & (HARD_IRQ | NMI) else 1 if flags & SOFT_IRQ else 0
    if kind == layout.call:
        return Record(at, process, context, _u64(page, data + layout.call_function))
    if kind == layout.back:
        began, ended = _u64(page, data + layout.began), _u64(page, data + layout.ended)
        return Record(at, process, context, _u64(page, data + layout.back_function), began, max(0, ended - began))
    return None


def _u64(page: bytes, place: int) -> int:
    return int.from_bytes(page[place : place + 8], "little")
