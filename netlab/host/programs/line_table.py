"""Runs `btf` on an attendee's object in a process without rights, and holds what it found. Called by `service`.

The agent itself never looks into the object: it hands bytes over and gets a small JSON table back.
"""

import json
import os
import sys
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from netlab.host.kernel.process import run
from netlab.host.programs import btf

TIMEOUT_S = 5
ANSWER_BYTES_MAX = 16 << 20


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
    python = os.path.realpath(sys.executable)
    argv = [python, "-I", "-S", "-c", _source(), str(uid)]
    done = await run(argv, stdin=object_bytes, timeout_s=TIMEOUT_S, output_limit=ANSWER_BYTES_MAX)
    if done.code != 0 or done.timed_out or done.truncated:
        return LineTable()
    answer = json.loads(done.stdout)
    if "error" in answer and not isinstance(answer["error"], list):
        return LineTable()
    return LineTable({name: [(r[0], SourceLine(*r[1:5])) for r in records] for name, records in answer.items()})


@lru_cache
def _source() -> str:
    """The reader's text: the process that runs it may not be able to open our files."""
    return Path(btf.__file__).read_text()
