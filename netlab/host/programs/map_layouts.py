"""What the maps of a built object hold, as `btf_maps` found it, and how one of their keys or values is read with it.

Layouts come from an attendee's object, by way of a process without rights: here they are data, checked once more. To decode
is to take bits at places that were checked to be inside.
"""

import socket
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from netlab.host.kernel.bpf import MapInfo
from netlab.host.programs import btf_maps
from netlab.host.programs.object_reader import read_object
from netlab.wire.maps import EXACT_MAX, Cell, FieldKind, MapField

HEX_BYTES_SHOWN = 32
BIT_MAX = 8 * 65536
COUNTER_BITS_MIN = 32
NUMBERS = frozenset({"unsigned", "signed", "bool", "big"})


class LayoutField(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str = Field(max_length=160)
    bit: int = Field(ge=0, le=BIT_MAX)
    bits: int = Field(gt=0, le=BIT_MAX)
    kind: FieldKind
    names: dict[int, str] = {}
    """Of an enum."""

    @property
    def shown(self) -> MapField:
        counts = self.kind == "unsigned" and self.bits >= COUNTER_BITS_MIN and not self.names
        return MapField(name=self.name, kind="text" if self.names else self.kind, counts=counts)


class MapLayout(BaseModel):
    """What a map must be to be this one; 0: anything (of bytes: that holds the fields)."""

    key: list[LayoutField]
    value: list[LayoutField]
    key_bytes: int = 0
    value_bytes: int = 0
    type: int = 0
    max_entries: int = 0

    def fits(self, info: MapInfo) -> bool:
        if not (self.key and self.value) or _end(self.key) > info.key_bytes or _end(self.value) > info.value_bytes:
            return False
        return self.key_bytes in (0, info.key_bytes) and self.value_bytes in (0, info.value_bytes) and self.type in (0, info.type)

    def is_all_of(self, info: MapInfo) -> bool:
        """It fits and leaves nothing open: enough to know a map by that nobody has given a name."""
        said = (self.type, self.key_bytes, self.value_bytes, self.max_entries)
        return self.fits(info) and said == (info.type, info.key_bytes, info.value_bytes, info.max_entries)


MapLayouts = dict[str, MapLayout]
"""By the map's name in the object."""


async def read_map_layouts(object_bytes: bytes, uid: int) -> MapLayouts:
    """`uid`: an otherwise unused host uid that the reader becomes."""
    return map_layouts(await read_object(btf_maps, "read_maps", object_bytes, uid))


def map_layouts(found: Mapping[str, Mapping[str, Any]]) -> MapLayouts:
    """Of what `btf_maps.read_maps` gave; what makes no sense is left out."""
    out = {}
    for name, layout in found.items():
        sides = {side: [dict(zip(LayoutField.model_fields, f, strict=True)) for f in layout[side]] for side in ("key", "value")}
        try:
            out[name] = MapLayout.model_validate({**layout, **sides})
        except ValidationError:
            continue
    return out


def in_hex(name: str, size: int) -> list[LayoutField]:
    """The one field of something that nobody knows more of."""
    return [LayoutField(name=name, bit=0, bits=8 * size, kind="hex")] if 0 < 8 * size <= BIT_MAX else []


def decode(fields: Sequence[LayoutField], copies: Sequence[bytes]) -> list[Cell]:
    """The cells of one key, or of a value in its copies, one a CPU: numbers are added up, of all else the first is shown."""
    return [_cell(field, copies) for field in fields]


def _cell(field: LayoutField, copies: Sequence[bytes]) -> Cell:
    if field.kind not in NUMBERS:
        return _text(field, _bytes(field, next((c for c in copies if any(_bytes(field, c))), copies[0])))
    numbers = [_number(field, copy) for copy in copies]
    number = sum(numbers)
    if field.names:
        return field.names.get(number, str(number))
    return number if abs(number) < EXACT_MAX else str(number)


def _number(field: LayoutField, data: bytes) -> int:
    if field.kind == "big":
        return int.from_bytes(_bytes(field, data), "big")
    end = (field.bit + field.bits + 7) // 8
    value = int.from_bytes(data[field.bit // 8 : end], "little") >> field.bit % 8 & (1 << field.bits) - 1
    return value - (1 << field.bits) if field.kind == "signed" and value >> field.bits - 1 else value


def _bytes(field: LayoutField, data: bytes) -> bytes:
    return data[field.bit // 8 : (field.bit + field.bits + 7) // 8]


def _text(field: LayoutField, data: bytes) -> str:
    if field.kind == "ipv4" and len(data) == 4:
        return socket.inet_ntop(socket.AF_INET, data)
    if field.kind == "ipv6" and len(data) == 16:
        return socket.inet_ntop(socket.AF_INET6, data)
    if field.kind == "mac":
        return data.hex(":")
    if field.kind == "text":
        said = data.split(b"\0", 1)[0][: 2 * HEX_BYTES_SHOWN].decode(errors="replace")
        return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in said)
    return data[:HEX_BYTES_SHOWN].hex(" ") + (" ..." if len(data) > HEX_BYTES_SHOWN else "")


def _end(fields: Sequence[LayoutField]) -> int:
    return max(((f.bit + f.bits + 7) // 8 for f in fields), default=0)
