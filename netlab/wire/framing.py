"""Length-prefixed JSON messages over a byte stream: worker <-> agent, and later agent <-> guest.

Four bytes of length, big endian, then one JSON object. A peer is untrusted in size: an oversized frame ends the stream.
"""

import asyncio
import json
import struct
from typing import Any

from netlab.wire.commands import COMMAND_BYTES_MAX

_LENGTH = struct.Struct(">I")


class FrameTooLarge(Exception):
    """The peer announced more than the limit; the stream cannot be read on."""


def pack(message: dict[str, Any] | bytes) -> bytes:
    """One frame. Bytes are taken as JSON that is already encoded."""
    body = message if isinstance(message, bytes) else json.dumps(message, separators=(",", ":")).encode()
    return _LENGTH.pack(len(body)) + body


async def read_frame(reader: asyncio.StreamReader, limit: int = COMMAND_BYTES_MAX) -> bytes | None:
    """The next frame's body, None at a clean end of the stream. Raises FrameTooLarge, asyncio.IncompleteReadError."""
    try:
        head = await reader.readexactly(_LENGTH.size)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    (length,) = _LENGTH.unpack(head)
    if length > limit:
        raise FrameTooLarge(f"a frame of {length} bytes, at most {limit}")
    return await reader.readexactly(length)


def read_frame_blocking(recv_exactly: Any, limit: int = COMMAND_BYTES_MAX) -> bytes:
    """The same for a blocking socket: `recv_exactly(n)` returns n bytes or raises."""
    (length,) = _LENGTH.unpack(recv_exactly(_LENGTH.size))
    if length > limit:
        raise FrameTooLarge(f"a frame of {length} bytes, at most {limit}")
    body: bytes = recv_exactly(length)
    return body
