"""The file format of captures: pcapng blocks as bytes. Pure; called by `capture`.

Source: draft-ietf-opsawg-pcapng (section header, interface description, enhanced packet blocks); link types as in
https://www.tcpdump.org/linktypes.html. One interface a file, times in nanoseconds.
"""

import struct

from netlab.wire.packets import LinkType

SECTION_HEADER, INTERFACE, ENHANCED_PACKET = 0x0A0D0D0A, 1, 6
BYTE_ORDER_MAGIC = 0x1A2B3C4D
LINK_TYPES: dict[LinkType, int] = {"ethernet": 1, "raw": 101}
OPT_END, OPT_COMMENT = 0, 1
IF_NAME, IF_TSRESOL = 2, 9
EPB_FLAGS = 2
INBOUND, OUTBOUND = 1, 2
NANOSECONDS = b"\x09"


def begin(interface: str, link_type: LinkType, snap_bytes: int, comment: str) -> bytes:
    """What a file begins with."""
    section = struct.pack("<IHHq", BYTE_ORDER_MAGIC, 1, 0, -1) + _option(OPT_COMMENT, comment.encode()) + _option(OPT_END, b"")
    described = (
        struct.pack("<HHI", LINK_TYPES[link_type], 0, snap_bytes)
        + _option(IF_NAME, interface.encode(errors="surrogateescape")) + _option(IF_TSRESOL, NANOSECONDS) + _option(OPT_END, b"")
    )
    return _block(SECTION_HEADER, section) + _block(INTERFACE, described)


def packet(at_ns: int, data: bytes, length: int, *, outgoing: bool) -> bytes:
    """`at_ns`: Unix time; `data`: what is kept of the packet's `length` bytes."""
    body = struct.pack("<IIIII", 0, at_ns >> 32, at_ns & 0xFFFFFFFF, len(data), length) + _padded(data)
    flags = _option(EPB_FLAGS, struct.pack("<I", OUTBOUND if outgoing else INBOUND)) + _option(OPT_END, b"")
    return _block(ENHANCED_PACKET, body + flags)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _block(kind: int, body: bytes) -> bytes:
    total = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + total + body + total


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
