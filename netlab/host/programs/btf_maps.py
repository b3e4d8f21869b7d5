"""Reads what the maps of a BPF object hold: BTF types -> for each map, the fields of its key and of its value.

Like `btf`, whose sections it reads, this never runs in a privileged process: `object_reader` sends both files' texts to a
Python of its own. Hence: standard library only, every offset checked, every count bounded; it fails by `ObjectError` alone.

A field is [name, first bit, bits, kind, {value: name of an enum}]; `wire.maps` says what the kinds mean.
"""

import struct
from typing import Any, NamedTuple

from netlab.host.programs.btf import (
    BTF_MAGIC,
    STT_OBJECT,
    ObjectError,
    Section,
    cut,
    read_sections,
    read_symbols,
    text_at,
    unpack,
)

TYPES_MAX = 20_000
MAPS_MAX = 32
FIELDS_MAX = 48
ELEMENTS_MAX = 16
"""Longer arrays of numbers are shown as bytes."""
NAMES_MAX = 64
NAME_CHARS_MAX = 48
DEPTH_MAX = 8
CHAIN_MAX = 32

INT, PTR, ARRAY, STRUCT, UNION, ENUM, TYPEDEF, CONST, VAR, DATASEC, ENUM64 = 1, 2, 3, 4, 5, 6, 8, 10, 14, 15, 19
ALIASES = frozenset({8, 9, 10, 11, 18})
"""typedef, volatile, const, restrict, type tag"""
EXTRA = {INT: (4, 0), ARRAY: (12, 0), STRUCT: (0, 12), UNION: (0, 12), ENUM: (0, 8), 13: (0, 8), VAR: (4, 0), DATASEC: (0, 12),
         17: (4, 0), ENUM64: (0, 12)}
"""Kind -> bytes behind its header, and bytes for each of its members (include/uapi/linux/btf.h)."""
SIGNED, CHAR, BOOL = 1, 2, 4
GLOBALS = (".bss", ".data", ".rodata")

Field = tuple[str, int, int, str, dict[str, str]]


class Type(NamedTuple):
    kind: int
    name: str
    size: int
    """In bytes; of pointers, aliases and variables the id of the type that they are about."""
    flag: bool
    members: tuple[tuple[Any, ...], ...]
    extra: bytes


class _Types:
    def __init__(self, btf: memoryview) -> None:
        magic, _, _, header, types_at, types_size, strings_at, strings_size = unpack("<HBBIIIII", btf, 0)
        if magic != BTF_MAGIC:
            raise ObjectError("BTF of another kind")
        self._strings = cut(btf, header + strings_at, strings_size)
        self._types = [Type(0, "void", 0, False, (), b""), *self._read(cut(btf, header + types_at, types_size))]

    def _read(self, data: memoryview) -> list[Type]:
        out, at = [], 0
        while at < len(data):
            name, info, size = unpack("<III", data, at)
            kind, count = info >> 24 & 31, info & 0xFFFF
            fixed, each = EXTRA.get(kind, (0, 0))
            extra = bytes(cut(data, at + 12, fixed))
            members = tuple(struct.iter_unpack("<" + "I" * (each // 4), cut(data, at + 12 + fixed, each * count))) if each else ()
            out.append(Type(kind, self.name(name), size, bool(info >> 31), members, extra))
            at += 12 + fixed + each * count
            if len(out) > TYPES_MAX:
                raise ObjectError("too many types")
        return out

    def name(self, offset: int) -> str:
        return text_at(self._strings, offset, NAME_CHARS_MAX + 1)[:NAME_CHARS_MAX] if offset else ""

    def get(self, number: int) -> Type:
        if number >= len(self._types):
            raise ObjectError("a type that is not there")
        return self._types[number]

    def bare(self, number: int) -> tuple[Type, str]:
        """Without const, volatile and typedefs, and the first typedef's name."""
        alias = ""
        for _ in range(CHAIN_MAX):
            found = self.get(number)
            if found.kind not in ALIASES:
                return found, alias
            alias = alias or (found.name if found.kind == TYPEDEF else "")
            number = found.size
        raise ObjectError("types in a circle")

    def size(self, number: int, depth: int = 0) -> int:
        found, _ = self.bare(number)
        if found.kind == PTR:
            return 8
        if found.kind == ARRAY:
            element, _, count = struct.unpack("<III", found.extra)
            return self.size(element, depth + 1) * int(count) if depth < DEPTH_MAX else 0
        return found.size

    def variables(self) -> list[tuple[str, str, int]]:
        """(section, name, type) of all global variables; maps are those of `.maps`."""
        out = []
        for section in self._types:
            for number, *_ in section.members if section.kind == DATASEC else ():
                variable = self.get(number)
                if variable.kind == VAR:
                    out.append((section.name, variable.name, variable.size))
        return out


class _Fields:
    """Collects the fields of one key or value."""

    def __init__(self, types: _Types) -> None:
        self._types = types
        self.found: list[Field] = []

    def add(self, name: str, number: int, bit: int, width: int = 0, depth: int = 0) -> None:
        """`width`: of a bit field."""
        found, alias = self._types.bare(number)
        bits = width or 8 * self._types.size(number)
        if len(self.found) >= FIELDS_MAX or depth > DEPTH_MAX:
            return
        if found.kind in (STRUCT, UNION) and found.name != "in6_addr":
            self._members(name, found, bit, depth)
        elif found.kind == ARRAY:
            self._array(name, found, bit, bits, depth)
        elif found.kind in (ENUM, ENUM64):
            self._put(name, bit, bits, "signed" if found.flag else "unsigned", _names(self._types, found))
        else:
            self._put(name, bit, bits, _kind(found, alias, bits))

    def _members(self, name: str, found: Type, bit: int, depth: int) -> None:
        for member_name, number, offset in found.members:
            width = offset >> 24 if found.flag else 0
            called = self._types.name(member_name)
            at = bit + (offset & 0xFFFFFF if found.flag else offset)
            if len(self.found) >= FIELDS_MAX:
                return
            self.add(f"{name}.{called}" if name and called else name or called, number, at, width, depth + 1)

    def _array(self, name: str, found: Type, bit: int, bits: int, depth: int) -> None:
        element, _, count = struct.unpack("<III", found.extra)
        of, _ = self._types.bare(element)
        each = 8 * self._types.size(element)
        if of.kind == INT and each == 8:
            text = of.name == "char" or bool(of.extra[3] & CHAR)
            kind = "text" if text else "mac" if count == 6 else "hex"
            self._put(name, bit, bits, kind)
        elif count > ELEMENTS_MAX or not each:
            self._put(name, bit, bits, "hex")
        else:
            for index in range(count):
                self.add(f"{name}[{index}]", element, bit + index * each, 0, depth + 1)

    def _put(self, name: str, bit: int, bits: int, kind: str, names: dict[str, str] | None = None) -> None:
        if bits and len(self.found) < FIELDS_MAX:
            self.found.append((name[:NAME_CHARS_MAX], bit, bits, kind, names or {}))


def _kind(found: Type, alias: str, bits: int) -> str:
    if found.kind == STRUCT:
        return "ipv6"
    if alias in ("__be16", "__be32", "__be64"):
        return "ipv4" if alias == "__be32" else "big"
    if found.kind == INT and bits <= 64:
        encoding = found.extra[3] & 15
        return "bool" if encoding & BOOL else "signed" if encoding & SIGNED else "unsigned"
    return "hex"


def _names(types: _Types, found: Type) -> dict[str, str]:
    out = {}
    for name, low, *high in found.members[:NAMES_MAX]:
        value = low | (high[0] << 32 if high else 0)
        width = 64 if high else 32
        out[str(value - (1 << width) if found.flag and value >> (width - 1) else value)] = types.name(name)
    return out


def _flat(types: _Types, number: int) -> list[Field]:
    fields = _Fields(types)
    fields.add("", number, 0)
    return fields.found


def _map(types: _Types, number: int) -> dict[str, Any]:
    """What `__type(key, ...)`, `__type(value, ...)`, `__uint(type, ...)` and `__uint(max_entries, ...)` of its definition say."""
    definition, _ = types.bare(number)
    out: dict[str, Any] = {"key": [], "value": [], "type": 0, "max_entries": 0}
    for name, member, _ in definition.members if definition.kind == STRUCT else ():
        pointer, _ = types.bare(member)
        called = types.name(name)
        if called in ("type", "max_entries") and pointer.kind == PTR:
            out[called] = _number(types, pointer.size)
        elif called in ("key", "value") and pointer.kind == PTR:
            out[called] = _flat(types, pointer.size)
            out[f"{called}_bytes"] = types.size(pointer.size)
    return out


def _number(types: _Types, number: int) -> int:
    """What `__uint(name, number)` says: it is written as the length of an array."""
    found, _ = types.bare(number)
    return int(struct.unpack("<III", found.extra)[2]) if found.kind == ARRAY else 0


def _globals(types: _Types, sections: list[Section]) -> dict[str, dict[str, Any]]:
    """Global variables live in maps of one entry; where in it, only the symbols say."""
    places = {name: (sections[section].name, value) for name, kind, section, value, _ in read_symbols(sections)
              if kind == STT_OBJECT and section < len(sections)}
    out: dict[str, dict[str, Any]] = {}
    for section, name, number in types.variables():
        if section in GLOBALS and places.get(name, ("", 0))[0] == section:
            fields = _Fields(types)
            fields.add(name, number, 8 * places[name][1])
            there = out.setdefault(section, {"key": [("", 0, 32, "unsigned", {})], "value": []})
            there["value"] += fields.found[: FIELDS_MAX - len(there["value"])]
    return out


def read_maps(object_bytes: bytes) -> dict[str, dict[str, Any]]:
    """Map name -> {key, value: fields; type, max_entries, key_bytes, value_bytes: 0 or what it must be}; `.bss` for variables."""
    sections = read_sections(memoryview(object_bytes))
    btf = next((s.data for s in sections if s.name == ".BTF"), None)
    if btf is None:
        return {}
    types = _Types(btf)
    maps = [(name, number) for section, name, number in types.variables() if section == ".maps"]
    return {name: _map(types, number) for name, number in maps[:MAPS_MAX]} | _globals(types, sections)


def read_sides(btf: bytes, key: int, value: int) -> dict[str, Any]:
    """Fields of a key and of a value, by the numbers of their types: for a map that brings its types itself."""
    types = _Types(memoryview(btf))
    return {"key": _flat(types, key), "value": _flat(types, value)}
