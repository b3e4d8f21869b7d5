"""Reads where each instruction of a BPF object comes from: ELF, .BTF strings and .BTF.ext line info -> one table.

The object is an attendee's and may be anything, so this never runs in a privileged process: `object_reader` sends
this file's text to a Python of its own (`python -I -S -c`), which gives up all rights before it reads the object on stdin.
Hence: standard library only, every offset checked, every count bounded. `ObjectError` is the only way it fails.
"""

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

OBJECT_BYTES_MAX = 1 << 20
SECTIONS_MAX = 4096
FUNCTIONS_MAX = 512
RECORDS_MAX = 40_000
TEXT_CHARS_MAX = 200
INSTRUCTION_BYTES = 8
EM_BPF = 247
BTF_MAGIC = 0xEB9F
SHT_SYMTAB, SHT_REL = 2, 9
STT_OBJECT, STT_FUNC = 1, 2
CALL, LOAD_64 = 0x85, 0x18
PSEUDO_CALL, PSEUDO_FUNC = 1, 4


class ObjectError(Exception):
    """The bytes are not an object that clang would write."""


class Section(NamedTuple):
    name: str
    kind: int
    link: int
    info: int
    data: memoryview


class Function(NamedTuple):
    section: int
    start: int
    """First instruction in its section."""
    length: int
    name: str


class LineRecord(NamedTuple):
    instruction: int
    file: str
    line: int
    column: int
    text: str


def unpack(pattern: str, data: memoryview, offset: int) -> tuple[Any, ...]:
    if offset > len(data) - struct.calcsize(pattern):
        raise ObjectError("an offset beyond the end")
    return struct.unpack_from(pattern, data, offset)


def cut(data: memoryview, offset: int, size: int) -> memoryview:
    if offset > len(data) or size > len(data) - offset:
        raise ObjectError("a part beyond the end")
    return data[offset : offset + size]


def text_at(strings: memoryview, offset: int, limit: int = 4096) -> str:
    if offset >= len(strings):
        raise ObjectError("a name beyond the strings")
    return bytes(strings[offset : offset + limit]).split(b"\0", 1)[0].decode(errors="replace")


def read_sections(data: memoryview) -> list[Section]:
    if len(data) > OBJECT_BYTES_MAX:
        raise ObjectError("too large")
    ident = bytes(data[:16])
    if ident[:4] != b"\x7fELF" or ident[4:6] != b"\x02\x01":
        raise ObjectError("not a little-endian ELF64 file")
    machine = unpack("<H", data, 18)[0]
    headers_at = unpack("<Q", data, 40)[0]
    entry_size, count, names_index = unpack("<HHH", data, 58)
    if machine != EM_BPF or entry_size != 64 or count > SECTIONS_MAX or names_index >= count:
        raise ObjectError("not a BPF object")
    raw = [unpack("<IIQQQQIIQQ", data, headers_at + 64 * at) for at in range(count)]
    parts = [cut(data, h[4], 0 if h[1] == 8 else h[5]) for h in raw]  # SHT_NOBITS has a size but no bytes
    names = parts[names_index]
    return [Section(text_at(names, h[0]) if h[0] else "", h[1], h[6], h[7], part) for h, part in zip(raw, parts, strict=True)]


def read_symbols(sections: list[Section]) -> list[tuple[str, int, int, int, int]]:
    """(name, type, section, value, size), in the order of the table."""
    table = next((s for s in sections if s.kind == SHT_SYMTAB), None)
    if table is None or table.link >= len(sections):
        return []
    strings, out = sections[table.link].data, []
    for at in range(0, len(table.data) - 23, 24):
        name, info, _, section, value, size = unpack("<IBBHQQ", table.data, at)
        out.append((text_at(strings, name) if name else "", info & 15, section, value, size))
        if len(out) > RECORDS_MAX:
            raise ObjectError("too many symbols")
    return out


def _functions(sections: list[Section], symbols: list[tuple[str, int, int, int, int]]) -> list[Function]:
    out = []
    for name, kind, section, value, size in symbols:
        if kind == STT_FUNC and section < len(sections) and size and value + size <= len(sections[section].data):
            out.append(Function(section, value // INSTRUCTION_BYTES, size // INSTRUCTION_BYTES, name))
    if len(out) > FUNCTIONS_MAX:
        raise ObjectError("too many functions")
    return out


def _relocations(sections: list[Section]) -> dict[tuple[int, int], int]:
    """(section, instruction) -> index of the symbol it refers to."""
    out = {}
    for table in sections:
        if table.kind == SHT_REL:
            for at in range(0, len(table.data) - 15, 16):
                offset, info = unpack("<QQ", table.data, at)
                out[table.info, offset // INSTRUCTION_BYTES] = info >> 32
                if len(out) > RECORDS_MAX:
                    raise ObjectError("too many relocations")
    return out


class _Layout:
    """Where libbpf puts the subprograms of a program: behind it, in the order of first use (depth first)."""

    def __init__(self, sections: list[Section]) -> None:
        self.sections = sections
        self.symbols = read_symbols(sections)
        self.functions = _functions(sections, self.symbols)
        self._relocations = _relocations(sections)
        self._starts = {(f.section, f.start): f for f in self.functions}

    def place(self, main: Function) -> list[tuple[Function, int]]:
        """(function, first instruction in the loaded program) of the program and all it calls."""
        placed = {main: 0}
        size = main.length
        stack = [self._called(main)]
        while stack:
            callee = next(stack[-1], None)
            if callee is None:
                stack.pop()
            elif callee not in placed:
                placed[callee] = size
                size += callee.length
                stack.append(self._called(callee))
        return list(placed.items())

    def _called(self, function: Function) -> Iterator[Function]:
        code = self.sections[function.section].data
        for at in range(function.start, function.start + function.length):
            opcode, registers, _, immediate = unpack("<BBhi", code, at * INSTRUCTION_BYTES)
            if (opcode, registers >> 4) not in ((CALL, PSEUDO_CALL), (LOAD_64, PSEUDO_FUNC)):
                continue
            section, target = function.section, at + immediate + 1
            symbol = self._relocations.get((function.section, at))
            if symbol is not None and symbol < len(self.symbols):
                _, kind, section, value, _ = self.symbols[symbol]
                target = value // INSTRUCTION_BYTES + (0 if kind == STT_FUNC else immediate + 1)
            found = self._starts.get((section, target))
            if found:
                yield found


def _line_records(sections: list[Section]) -> dict[str, list[LineRecord]]:
    """Section name -> its line records, instruction numbers counted from the section's start."""
    by_name = {s.name: s.data for s in sections}
    btf, extension = by_name.get(".BTF"), by_name.get(".BTF.ext")
    if btf is None or extension is None:
        return {}
    magic, _, _, header, _, _, strings_at, strings_size = unpack("<HBBIIIII", btf, 0)
    ext_magic, _, _, ext_header, _, _, lines_at, lines_size = unpack("<HBBIIIII", extension, 0)
    if magic != BTF_MAGIC or ext_magic != BTF_MAGIC:
        raise ObjectError("BTF of another kind")
    strings = cut(btf, header + strings_at, strings_size)
    data = cut(extension, ext_header + lines_at, lines_size)
    out: dict[str, list[LineRecord]] = {}
    if not len(data):
        return out
    record_size, at, total = unpack("<I", data, 0)[0], 4, 0
    if record_size < 16:
        raise ObjectError("line records that are too short")
    while at < len(data):
        section, count = unpack("<II", data, at)
        at += 8
        total += count
        if not count or total > RECORDS_MAX:
            raise ObjectError("too many line records")
        records = out.setdefault(text_at(strings, section), [])
        for _ in range(count):
            offset, file, text, position = unpack("<IIII", data, at)
            at += record_size
            source, name = text_at(strings, text, TEXT_CHARS_MAX).strip(), text_at(strings, file)
            records.append(LineRecord(offset // INSTRUCTION_BYTES, name, position >> 10, position & 0x3FF, source))
    return out


def read_lines(object_bytes: bytes) -> dict[str, list[LineRecord]]:
    """Function name -> where its instructions, as the verifier numbers them, come from; in that order."""
    sections = read_sections(memoryview(object_bytes))
    layout = _Layout(sections)
    records = _line_records(sections)
    out: dict[str, list[LineRecord]] = {}
    total = 0
    for function in layout.functions:
        if sections[function.section].name == ".text":
            continue
        lines = []
        for part, placed_at in layout.place(function):
            for record in records.get(sections[part.section].name, ()):
                if part.start <= record.instruction < part.start + part.length:
                    lines.append(record._replace(instruction=record.instruction - part.start + placed_at))
        total += len(lines)
        if total > RECORDS_MAX:
            raise ObjectError("too many line records")
        out[function.name] = sorted(lines)
    return out
