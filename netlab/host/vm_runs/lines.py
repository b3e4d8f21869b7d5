"""A run's terminals between two ways of counting: browsers count a terminal's bytes from its first, every guest from 0.

Held by a run's `LiveVm`. A line outlives the guests that it was spoken through: after a reset, a pause or a restart of the
agent its bytes go on where they were. A guest can name no line that the run has not, and send no more than it was credited.
"""

from dataclasses import dataclass, field

from netlab.wire.terminals import UNACKED_HIGH_BYTES

CREDIT_BYTES = 4 * UNACKED_HIGH_BYTES
"""The engine stops at the first of them; a guest that goes on is not our engine any more, and is not heard."""
OFFSET_MAX = 1 << 52
OUTPUT_BYTES_MAX = 256 * 1024


@dataclass
class Line:
    """`offset` ends what has been told; `base` is added to the guest's own offsets."""

    offset: int = 0
    base: int = 0
    acked: int = 0


@dataclass
class Lines:
    bases: dict[str, int]
    """The record's: kept on disk."""
    lines: dict[str, Line] = field(default_factory=dict)

    def line(self, terminal: str) -> Line:
        return self.lines.setdefault(terminal, Line())

    def go_on_at(self, terminal: str, offset: int) -> None:
        """A killed agent had told so much."""
        self.lines[terminal] = Line(offset, self.bases.get(terminal, 0), offset)

    def begin_anew(self, terminal: str) -> None:
        """The next guest's bytes follow what has been said."""
        line = self.line(terminal)
        line.base = self.bases[terminal] = line.acked = line.offset

    def drop(self, terminal: str) -> None:
        self.lines.pop(terminal, None)
        self.bases.pop(terminal, None)

    def take(self, terminal: str, end_offset: object, data: object) -> tuple[int, bytes] | None:
        """(end offset, bytes) to be told, None for what was told before. Raises ValueError for nonsense.

        What is missing between is lost for good (the agent was killed while Redis was away): the bytes close up.
        """
        if not isinstance(end_offset, int) or not isinstance(data, bytes) or len(data) > OUTPUT_BYTES_MAX:
            raise ValueError("output")
        line = self.line(terminal)
        start = end_offset - len(data)
        if not 0 <= start <= OFFSET_MAX:
            raise ValueError("offset")
        new = data[max(0, line.offset - line.base - start):]
        if not new:
            return None
        if line.offset - line.acked > CREDIT_BYTES:
            raise ValueError("more than was credited")
        if start + line.base > line.offset:
            line.base = self.bases[terminal] = line.offset - start
        line.offset += len(new)
        return line.offset, new

    def say(self, terminal: str, data: bytes) -> tuple[int, bytes]:
        """The host's own bytes on a line."""
        line = self.line(terminal)
        line.offset += len(data)
        return line.offset, data

    def ack(self, terminal: str, offset: int) -> int | None:
        """In the guest's counting what a viewer has drawn; None when it says nothing new."""
        line = self.line(terminal)
        drawn = min(offset, line.offset)
        if drawn <= line.acked:
            return None
        line.acked = drawn
        return drawn - line.base if drawn > line.base else None
