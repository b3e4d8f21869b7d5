"""Terminal traffic: bytes of a PTY with offsets, and the credit that keeps every buffer between PTY and browser bounded.

Output bytes are counted from the terminal's first byte; an offset never repeats. A browser says up to which offset it
has drawn (`ack`); the engine stops reading a PTY when UNACKED_HIGH bytes are out and nobody has drawn them, and reads on
below UNACKED_LOW. With several viewers the furthest one counts: a slow viewer skips, it never holds up the others.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from netlab.domain.ids import RunId, TerminalId
from netlab.wire.commands import COLS_MAX, ROWS_MAX

UNACKED_HIGH_BYTES = 256 * 1024
UNACKED_LOW_BYTES = 64 * 1024
CHUNK_BYTES = 32 * 1024
SCROLLBACK_BYTES = 512 * 1024
"""Kept in the terminal's stream for viewers that come (back) later; more than UNACKED_HIGH, so nothing unseen is lost."""
INPUT_BYTES_MAX = 64 * 1024
"""One message of input: a paste is cut into such pieces by the browser."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    run: RunId
    terminal: TerminalId


class TerminalInput(_Message):
    kind: Literal["input"] = "input"
    data: bytes = Field(max_length=INPUT_BYTES_MAX)


class TerminalAck(_Message):
    """A viewer has drawn everything before `offset`."""

    kind: Literal["ack"] = "ack"
    offset: int = Field(ge=0)


class TerminalResize(_Message):
    kind: Literal["resize"] = "resize"
    rows: int = Field(ge=2, le=ROWS_MAX)
    cols: int = Field(ge=10, le=COLS_MAX)


TerminalMessage = Annotated[TerminalInput | TerminalAck | TerminalResize, Field(discriminator="kind")]
terminal_message: TypeAdapter[TerminalMessage] = TypeAdapter(TerminalMessage)
