"""Runs `btf` on an attendee's object in a process without rights, and holds what it found. Called by `service`.

The agent itself never looks into the object: it hands bytes over and gets a small JSON table back.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netlab.host.programs import btf
from netlab.host.programs.object_reader import read_object


@dataclass(frozen=True)
class SourceLine:
    file: str
    """As the compiler wrote it: absolute, or relative to /lab."""
    line: int
    column: int
    text: str


@dataclass(frozen=True)
class LineTable:
    """Instruction numbers of each function, as the verifier counts them, -> source lines."""

    functions: Mapping[str, Sequence[tuple[int, SourceLine]]] = field(default_factory=dict)

    def find(self, function: str, instruction: int) -> SourceLine | None:
        """The record that covers an instruction: the last one that begins at or before it."""
        records = self.functions.get(function, ())
        at = bisect_right(records, instruction, key=lambda record: record[0])
        return records[at - 1][1] if at else None


async def read_line_table(object_bytes: bytes, uid: int) -> LineTable:
    """`uid`: an otherwise unused host uid that the reader becomes. An unreadable object gives an empty table."""
    return line_table(await read_object(btf, "read_lines", object_bytes, uid))


def line_table(lines: Mapping[str, Sequence[Sequence[Any]]]) -> LineTable:
    """Of what `btf.read_lines` gave."""
    return LineTable({name: [(r[0], SourceLine(*r[1:5])) for r in records] for name, records in lines.items()})
