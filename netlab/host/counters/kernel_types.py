"""Where fields lie in the running kernel's structures, by its BTF. Called once by `generic_xdp`.

Format: Documentation/bpf/btf.rst. It reads only the kernel's own description of itself.
"""

import struct
from collections.abc import Sequence
from pathlib import Path

VMLINUX_BTF = Path("/sys/kernel/btf/vmlinux")
KIND_STRUCT, KIND_UNION = 4, 5
_FIXED_TAIL_BYTES = {1: 4, 3: 12, 14: 4, 17: 4}
"""INT, ARRAY, VAR, DECL_TAG."""
_TAIL_BYTES_EACH = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}
"""STRUCT, UNION, ENUM, FUNC_PROTO, DATASEC, ENUM64."""
_TYPE = struct.Struct("=III")
_MEMBER = struct.Struct("=III")


class NoSuchField(Exception):
    """This kernel's structure has no such field, or the kernel describes itself not at all."""


class KernelTypes:
    def __init__(self, btf: Path = VMLINUX_BTF) -> None:
        try:
            self._data = btf.read_bytes()
        except OSError as error:
            raise NoSuchField(f"{btf}: {error.strerror}") from None
        _, _, _, header, type_at, type_bytes, string_at, _ = struct.unpack_from("=HBBIIIII", self._data)
        self._strings = header + string_at
        self._starts = [0]
        self._structs: dict[int, int] = {}
        at, end = header + type_at, header + type_at + type_bytes
        while at < end:
            name_at, info, _ = _TYPE.unpack_from(self._data, at)
            kind, count = info >> 24 & 0x1F, info & 0xFFFF
            if kind == KIND_STRUCT and name_at:
                self._structs.setdefault(name_at, len(self._starts))
            self._starts.append(at)
            at += 12 + _FIXED_TAIL_BYTES.get(kind, _TAIL_BYTES_EACH.get(kind, 0) * count)

    def offset(self, structure: str, field: str) -> int:
        """In bytes, also through anonymous structures and unions. Raises NoSuchField."""
        wanted = structure.encode()
        for name_at, number in self._structs.items():
            if self._name(name_at) == wanted and (found := self._find(number, field.encode(), 0)) is not None:
                return found // 8
        raise NoSuchField(f"struct {structure} has no {field}")

    def offsets(self, fields: Sequence[tuple[str, str]]) -> list[int]:
        return [self.offset(structure, field) for structure, field in fields]

    def _find(self, number: int, field: bytes, base_bits: int) -> int | None:
        at = self._starts[number]
        _, info, _ = _TYPE.unpack_from(self._data, at)
        if info >> 24 & 0x1F not in (KIND_STRUCT, KIND_UNION):
            return None
        has_bitfields = info >> 31
        for index in range(info & 0xFFFF):
            name_at, kind, offset = _MEMBER.unpack_from(self._data, at + 12 + 12 * index)
            bits: int = base_bits + (offset & 0xFFFFFF if has_bitfields else offset)
            if name_at and self._name(name_at) == field:
                return bits
            if not name_at and (found := self._find(kind, field, bits)) is not None:
                return found
        return None

    def _name(self, name_at: int) -> bytes:
        begin = self._strings + name_at
        return self._data[begin : self._data.index(b"\0", begin)]
