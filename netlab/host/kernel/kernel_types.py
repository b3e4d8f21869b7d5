"""What the running kernel's own types look like, by its BTF: names of an enum's values, where a structure's member lies.

Called by the sampler and by traces, whose programs are compiled without the kernel's headers. libbpf reads; nothing is loaded.
"""

import ctypes
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from netlab.host.kernel.bpf_object import failed, library

STRUCT, UNION, ENUM = 4, 5, 6
ALIASES = frozenset({8, 9, 10, 11, 18})
"""typedef, volatile, const, restrict and a type tag: another type, said differently (include/uapi/linux/btf.h)."""
BYTE_BITS = 8


class _Head(ctypes.Structure):
    """struct btf_type. `size` is a number of bytes, or the type that an alias stands for."""

    _fields_ = (("name", ctypes.c_uint32), ("info", ctypes.c_uint32), ("size", ctypes.c_uint32))

    info: int
    size: int

    @property
    def kind(self) -> int:
        return self.info >> 24 & 31

    @property
    def count(self) -> int:
        return self.info & 0xFFFF

    @property
    def has_bitfields(self) -> bool:
        return bool(self.info >> 31)


class _EnumValue(ctypes.Structure):
    """struct btf_enum, as many as the head says, right behind it."""

    _fields_ = (("name", ctypes.c_uint32), ("value", ctypes.c_int32))


class _Member(ctypes.Structure):
    """struct btf_member, likewise."""

    _fields_ = (("name", ctypes.c_uint32), ("type", ctypes.c_uint32), ("offset", ctypes.c_uint32))

    type: int
    offset: int


def kernel_enum(name: str) -> dict[int, str]:
    """The values of one of the running kernel's enums. Raises OSError when it does not tell."""
    with _kernel() as btf:
        at = library().btf__type_by_id(btf, _find(btf, name, ENUM))
        values = (_EnumValue * _Head.from_address(at).count).from_address(at + ctypes.sizeof(_Head))
        return {one.value & 0xFFFFFFFF: _text(btf, one.name) for one in values}


def member_offsets(members: Iterable[str]) -> dict[str, int]:
    """Of `structure.member.member...`: how many bytes from its beginning. Raises OSError (ENOENT) for what is not there."""
    with _kernel() as btf:
        return {member: _offset(btf, member) for member in members}


@contextmanager
def _kernel() -> Iterator[int]:
    btf: int | None = library().btf__load_vmlinux_btf()
    if not btf:
        raise failed(ctypes.get_errno(), "the kernel's BTF")
    try:
        yield btf
    finally:
        library().btf__free(btf)


def _find(btf: int, name: str, kind: int) -> int:
    number: int = library().btf__find_by_name_kind(btf, name.encode(), kind)
    if number < 0:
        raise failed(number, f"the kernel's type {name}")
    return number


def _text(btf: int, at: int) -> str:
    name: bytes = library().btf__name_by_offset(btf, at)
    return name.decode()


def _offset(btf: int, path: str) -> int:
    name, *members = path.split(".")
    number, bits = _find(btf, name, STRUCT), 0
    for member in members:
        found = _member(btf, number, member)
        if found is None:
            raise FileNotFoundError(f"this kernel's structure has no {path}: {os.strerror(2)}")
        bits, number = bits + found[0], found[1]
    return bits // BYTE_BITS


def _member(btf: int, number: int, wanted: str) -> tuple[int, int] | None:
    """(offset in bits, type) of a member, also of one in a member without a name."""
    at = library().btf__type_by_id(btf, number)
    while _Head.from_address(at).kind in ALIASES:
        at = library().btf__type_by_id(btf, _Head.from_address(at).size)
    head = _Head.from_address(at)
    if head.kind not in (STRUCT, UNION):
        return None
    for one in (_Member * head.count).from_address(at + ctypes.sizeof(_Head)):
        name = _text(btf, one.name)
        bits = one.offset & 0xFFFFFF if head.has_bitfields else one.offset
        if name == wanted:
            return bits, one.type
        if not name and (inside := _member(btf, one.type, wanted)) is not None:
            return bits + inside[0], inside[1]
    return None
