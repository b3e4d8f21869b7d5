"""The tags between a conduit and its DSA switch, in words: DSA, EDSA and trailer, after net/dsa/tag_*.c of the kernel.

Called by `watch` with the bytes of a frame, and by nobody else. Pure: bytes in, words out, whatever the bytes are; it never
raises, and never says more than the tag does (which port is called what, its caller knows).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Direction = Literal["to_cpu", "from_cpu"]
Field = tuple[str, str]

NO_PORT = -1
ADDRESSES_BYTES = 12
DSA_TAG_BYTES = 4
EDSA_TAG_BYTES = 8
TRAILER_BYTES = 4
EDSA_ETHERTYPE = b"\xda\xda\x00\x00"
VLAN_ETHERTYPE = b"\x81\x00"

TO_CPU, FROM_CPU, TO_SNIFFER, FORWARD = range(4)
MODES = ("TO_CPU", "FROM_CPU", "TO_SNIFFER", "FORWARD")
CODES = (
    "management trap", "answer of a register", "IGMP or MLD trap", "policy trap", "ARP mirror", "policy mirror",
    "reserved", "reserved",
)
"""Why a frame was sent TO_CPU: enum dsa_code. A trapped frame was not forwarded by the switch, a mirrored one was."""
TRAILER_MARK = 0x80
TRAILER_OVERRIDE = 0x10
"""Sent by the CPU: to these ports, whatever the switch has learnt."""


@dataclass(frozen=True)
class CutFrame:
    """What is kept of a frame: its beginning (all of it when it is short), its last bytes, and how long it was."""

    head: bytes
    tail: bytes
    length: int


@dataclass(frozen=True)
class Tag:
    """`port` is the switch's number of it; `inside` is the frame without the tag, as the user port's own would be."""

    tagger: str
    port: int
    fields: tuple[Field, ...]
    raw: bytes
    inside: bytes
    ports: tuple[int, ...] = ()
    """Of a trailer sent by the CPU, which may name several; `port` is -1 then."""


def decode(tagger: str, direction: Direction, frame: CutFrame) -> Tag | None:
    """None: these bytes are no tag of that tagger."""
    decoder = _DECODERS.get(tagger)
    if decoder is None or len(frame.head) < ADDRESSES_BYTES:
        return None
    return decoder(direction, frame)


def untagged(frame: CutFrame) -> Tag:
    """A frame of tagger `none`, or one that bears no tag."""
    return Tag("none", NO_PORT, (), b"", frame.head)


def _dsa(direction: Direction, frame: CutFrame) -> Tag | None:
    head = frame.head
    raw = head[ADDRESSES_BYTES:ADDRESSES_BYTES + DSA_TAG_BYTES]
    if len(raw) < DSA_TAG_BYTES:
        return None
    return _dsa_tag("dsa", direction, raw, raw, head[:ADDRESSES_BYTES], head[ADDRESSES_BYTES + DSA_TAG_BYTES:], ())


def _edsa(direction: Direction, frame: CutFrame) -> Tag | None:
    head = frame.head
    raw = head[ADDRESSES_BYTES:ADDRESSES_BYTES + EDSA_TAG_BYTES]
    if len(raw) < EDSA_TAG_BYTES or raw[:4] != EDSA_ETHERTYPE:
        return None
    rest = head[ADDRESSES_BYTES + EDSA_TAG_BYTES:]
    return _dsa_tag("edsa", direction, raw, raw[4:], head[:ADDRESSES_BYTES], rest, (("ethertype", "0xdada"),))


def _dsa_tag(
    tagger: str, direction: Direction, raw: bytes, tag: bytes, addresses: bytes, rest: bytes, before: tuple[Field, ...],
) -> Tag:
    """The four bytes that DSA and EDSA share, field by field from the first bit."""
    mode, device, port = tag[0] >> 6, tag[0] & 0x1F, tag[1] >> 3
    was_tagged = bool(tag[0] & 0x20)
    vlan = (tag[2] & 0x0F) << 8 | tag[3]
    fields = [*before, ("mode", MODES[mode]), ("tagged", "yes" if was_tagged else "no")]
    fields += [("device", str(device)), ("port", str(port))]
    fields += _reason(mode, tag)
    if was_tagged:
        fields.append(("cfi", str(tag[1] & 1)))
    fields += [("priority", str(tag[2] >> 5)), ("vlan", str(vlan))]
    if was_tagged:  # the tag took the place of an 802.1Q tag, and the user port gets that back
        control = (tag[2] & 0xE0 | (tag[1] & 1) << 4 | tag[2] & 0x0F) << 8 | tag[3]
        rest = VLAN_ETHERTYPE + control.to_bytes(2, "big") + rest
    names_port = not (mode == FORWARD and (direction == "from_cpu" or tag[1] & 4))
    return Tag(tagger, port if names_port else NO_PORT, tuple(fields), raw, addresses + rest)


def _reason(mode: int, tag: bytes) -> list[Field]:
    """Bits that mean something else in every mode."""
    if mode == TO_CPU:
        code = tag[1] & 6 | tag[2] >> 4 & 1
        return [("code", f"{code}, {CODES[code]}")]
    if mode == FORWARD:
        return [("trunk", "yes" if tag[1] & 4 else "no")]
    if mode == TO_SNIFFER:
        return [("seen", "received" if tag[1] & 4 else "sent")]
    return []


def _trailer(direction: Direction, frame: CutFrame) -> Tag | None:
    raw = frame.tail[-TRAILER_BYTES:]
    if len(raw) < TRAILER_BYTES or raw[0] != TRAILER_MARK or raw[2] & ~TRAILER_OVERRIDE or raw[3]:
        return None
    inside = frame.head[:max(ADDRESSES_BYTES, frame.length - TRAILER_BYTES)]
    mark: Field = ("mark", "0x80")
    if direction == "from_cpu":
        ports = tuple(bit for bit in range(8) if raw[1] & 1 << bit)
        named = ("ports", ", ".join(map(str, ports)) or "none")
        override = ("override", "yes" if raw[2] & TRAILER_OVERRIDE else "no")
        return Tag("trailer", ports[0] if len(ports) == 1 else NO_PORT, (mark, named, override), raw, inside, ports)
    if raw[1] & 0xF8:
        return None
    return Tag("trailer", raw[1], (mark, ("port", str(raw[1]))), raw, inside)


_DECODERS: dict[str, Callable[[Direction, CutFrame], Tag | None]] = {"dsa": _dsa, "edsa": _edsa, "trailer": _trailer}
