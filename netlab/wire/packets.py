"""What browsers are shown of captured packets, and what a capture may take. Used in the events `packets` and `captures`."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from netlab.domain.ids import CommandId

CAPTURES_AT_ONCE = 4
"""Of a run: both ends of two links."""
CAPTURES_KEPT = 6
"""Of a run, those at work among them; the oldest that has ended goes first."""
CAPTURE_BYTES_MAX = 4 << 20
CAPTURE_S_MAX = 600
SNAP_BYTES, SNAP_BYTES_MIN, SNAP_BYTES_MAX = 256, 64, 9000
"""Of a packet so many bytes are kept unless more are asked for."""
HEAD_BYTES = 192
"""Of a packet so many are sent to browsers while it is captured; the file has what was kept."""
BATCH_MAX = 100

LinkType = Literal["ethernet", "raw"]
"""`raw`: packets begin with their IP header, as in a WireGuard tunnel."""
Head = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]*={0,2}$", max_length=HEAD_BYTES * 4 // 3 + 4)]


class Packet(BaseModel):
    """One packet. Times are two numbers because JavaScript's cannot hold nanoseconds of this century."""

    model_config = ConfigDict(frozen=True)

    number: int
    """In its capture, from 1."""
    at_s: int
    at_ns: int = Field(ge=0, lt=1_000_000_000)
    bytes: int
    """On the wire."""
    outgoing: bool
    head: Head
    """Base64."""
    unfinished: bool = False
    """Its checksum is left to the card, so it is still wrong here."""


class CaptureSeen(BaseModel):
    """A capture of a run, at work or over."""

    id: CommandId
    node: str
    interface: str
    link_type: LinkType
    started_at: float
    packets: int
    kept_bytes: int
    missed: int
    """Came faster than they were taken."""
    running: bool
    ended: str = Field(default="", max_length=200)
    """Why it is over, as a sentence's end: 'you stopped it'."""
