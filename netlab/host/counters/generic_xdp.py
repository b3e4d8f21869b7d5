"""Counts what XDP in generic mode drops, per interface; no driver counts it. One small program of our own for all labs.

Called by the sampler when it meets the first interface in generic mode. It listens to `kfree_skb` and counts packets freed
inside `do_xdp_generic`: that is what a generic XDP_DROP (or XDP_ABORTED) is. It changes no packet and sees no payload; it is
loaded by the host and gone with the sampler.
"""

import logging
import os
import struct
from pathlib import Path

from netlab.host.counters.kernel_types import KernelTypes, NoSuchField
from netlab.host.probe import bpf

log = logging.getLogger(__name__)

FUNCTION = b"do_xdp_generic"
TRACEPOINT = b"kfree_skb"
KALLSYMS = Path("/proc/kallsyms")
DEVICES_MAX = 4096
FIELDS = (("sk_buff", "dev"), ("net_device", "ifindex"), ("net_device", "nd_net"), ("net", "net_cookie"))
KEY = struct.Struct("=QII")
"""The namespace's cookie, the interface's index, padding."""

# linux/bpf.h: opcodes, helpers
_LDX8, _ST8 = 0x79, 0x7A
_MOV, _MOVK, _ADDK, _LD_IMM64, _ATOMIC_ADD8 = 0xBF, 0xB7, 0x07, 0x18, 0xDB
_JLT, _JGE, _JEQK, _JA, _CALL, _EXIT = 0xAD, 0x3D, 0x15, 0x05, 0x85, 0x95
_LOOKUP, _UPDATE, _READ_KERNEL = 1, 2, 113
_PSEUDO_MAP_FD, _NOEXIST = 1, 1

Instruction = tuple[int, int, int, int | str, int]
"""Opcode, destination, source, offset or the label to jump to, immediate."""
Line = Instruction | str
"""A string is a label: the place that is jumped to."""


class GenericXdp:
    """Raises NoSuchField or OSError when this kernel does not allow it."""

    def __init__(self) -> None:
        begin, end = _function_range(KALLSYMS.read_bytes())
        offsets = KernelTypes().offsets(FIELDS)
        self._drops = bpf.create_map(bpf.MAP_TYPE_LRU_HASH, KEY.size, 8, DEVICES_MAX)
        program = bpf.load(bpf.PROG_TYPE_RAW_TRACEPOINT, _assemble(_program(self._drops, begin, end, offsets)))
        try:
            self._attached = bpf.open_raw_tracepoint(TRACEPOINT, program)
        finally:
            os.close(program)

    def drops(self, netns_cookie: int, ifindex: int) -> int:
        """Packets dropped by a generic program on this interface since the counting began."""
        value = bpf.lookup(self._drops, KEY.pack(netns_cookie, ifindex, 0), 8)
        return int.from_bytes(value, "little") if value is not None else 0

    def close(self) -> None:
        os.close(self._attached)
        os.close(self._drops)


class DropCounter:
    """Generic drops for all labs of the sampler; begins to listen when it is first asked."""

    def __init__(self) -> None:
        self._generic: GenericXdp | None = None
        self._tried = False

    def drops(self, netns_cookie: int, ifindex: int) -> int | None:
        """None, after one line in the log, on a kernel where they cannot be counted."""
        if not self._tried:
            self._tried = True
            try:
                self._generic = GenericXdp()
            except (NoSuchField, OSError) as error:
                log.warning("drops of XDP in generic mode cannot be counted here: %s", error)
        return self._generic.drops(netns_cookie, ifindex) if self._generic else None

    def close(self) -> None:
        if self._generic:
            self._generic.close()
            self._generic = None


def _function_range(symbols: bytes) -> tuple[int, int]:
    """Where the function begins and the next one does. Raises NoSuchField."""
    at = symbols.find(b" T " + FUNCTION + b"\n")
    if at < 0:
        raise NoSuchField(f"no function {FUNCTION.decode()}")
    begin = int(symbols[symbols.rfind(b"\n", 0, at) + 1 : at], 16)
    if not begin:
        raise NoSuchField("kernel addresses are hidden (kernel.kptr_restrict=2)")
    lines = (line.split(b" ", 2) for line in symbols.splitlines())
    end = min((address for line in lines if line[1] in b"tTwW" and (address := int(line[0], 16)) > begin), default=0)
    return begin, end


def _read_kernel(stack: int, size: int, source: int, offset: int) -> list[Instruction]:
    return [
        (_MOV, 1, 10, 0, 0), (_ADDK, 1, 0, 0, stack), (_MOVK, 2, 0, 0, size),
        (_MOV, 3, source, 0, 0), (_ADDK, 3, 0, 0, offset), (_CALL, 0, 0, 0, _READ_KERNEL),
    ]


def _wide(register: int, value: int, kind: int = 0) -> list[Instruction]:
    return [(_LD_IMM64, register, kind, 0, value & 0xFFFFFFFF), (0, 0, 0, 0, value >> 32)]


def _stack_pointer(register: int, offset: int) -> list[Instruction]:
    return [(_MOV, register, 10, 0, 0), (_ADDK, register, 0, 0, offset)]


def _program(drops: int, begin: int, end: int, offsets: list[int]) -> list[Line]:
    dev, ifindex, nd_net, cookie = offsets
    return [
        (_LDX8, 6, 1, 0, 0), (_LDX8, 7, 1, 8, 0),  # the packet, and where it is freed
        *_wide(8, begin), (_JLT, 7, 8, "out", 0), *_wide(8, end), (_JGE, 7, 8, "out", 0),
        *_read_kernel(-8, 8, 6, dev), (_LDX8, 6, 10, -8, 0), (_JEQK, 6, 0, "out", 0),
        (_ST8, 10, 0, -16, 0), *_read_kernel(-16, 4, 6, ifindex),
        *_read_kernel(-8, 8, 6, nd_net), (_LDX8, 7, 10, -8, 0), *_read_kernel(-24, 8, 7, cookie),
        *_wide(1, drops, _PSEUDO_MAP_FD), *_stack_pointer(2, -24), (_CALL, 0, 0, 0, _LOOKUP), (_JEQK, 0, 0, "first", 0),
        (_MOVK, 1, 0, 0, 1), (_ATOMIC_ADD8, 0, 1, 0, 0), (_JA, 0, 0, "out", 0),
        "first", (_ST8, 10, 0, -8, 1),
        *_wide(1, drops, _PSEUDO_MAP_FD), *_stack_pointer(2, -24), *_stack_pointer(3, -8), (_MOVK, 4, 0, 0, _NOEXIST),
        (_CALL, 0, 0, 0, _UPDATE),
        "out", (_MOVK, 0, 0, 0, 0), (_EXIT, 0, 0, 0, 0),
    ]


def _assemble(program: list[Line]) -> bytes:
    labels: dict[str, int] = {}
    instructions: list[Instruction] = []
    for one in program:
        if isinstance(one, str):
            labels[one] = len(instructions)
        else:
            instructions.append(one)
    code = b""
    for at, (opcode, destination, source, offset, immediate) in enumerate(instructions):
        jump = labels[offset] - at - 1 if isinstance(offset, str) else offset
        code += struct.pack("<BBhI", opcode, source << 4 | destination, jump, immediate & 0xFFFFFFFF)
    return code
