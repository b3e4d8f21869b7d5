"""bpf(2) for hand-assembled programs of our own: no object files, no library. Used by the probe, the sampler and tests.

Everything lives as long as its descriptor: nothing is pinned, and a link detaches its program when it is closed. The
numbers are those of include/uapi/linux/bpf.h.
"""

import ctypes
import os
import struct

SYS_BPF = 321
"""x86_64 only, as is the seccomp profile of the nodes."""

MAP_CREATE, MAP_LOOKUP_ELEM, PROG_LOAD, LINK_CREATE, TOKEN_CREATE = 0, 1, 5, 28, 36
RAW_TRACEPOINT_OPEN = 17

PROG_TYPE_SOCKET_FILTER, PROG_TYPE_KPROBE, PROG_TYPE_SCHED_CLS, PROG_TYPE_XDP = 1, 2, 3, 6
PROG_TYPE_RAW_TRACEPOINT, PROG_TYPE_TRACING = 17, 26
ATTACH_TRACE_FENTRY, ATTACH_XDP, ATTACH_TCX_INGRESS = 24, 37, 46
MAP_TYPE_ARRAY, MAP_TYPE_LRU_HASH = 2, 9
XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT = range(5)
XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE = 2, 4
F_TOKEN_FD = 1 << 16

_MOV_R0_IMM, _EXIT = 0xB7, 0x95
_LOG_BYTES = 16 * 1024
_libc = ctypes.CDLL(None, use_errno=True)


def returns(value: int) -> bytes:
    """`r0 = value; exit`."""
    return struct.pack("<BBhi", _MOV_R0_IMM, 0, 0, value) + struct.pack("<BBhi", _EXIT, 0, 0, 0)


def bpf(command: int, attributes: bytes) -> int:
    """The system call. Raises OSError."""
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    result: int = _libc.syscall(SYS_BPF, command, buffer, len(attributes))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def load(kind: int, instructions: bytes, *, attach_type: int = 0, btf_id: int = 0, token: int | None = None) -> int:
    """A program's descriptor."""
    name = b"netlab_probe"
    program = ctypes.create_string_buffer(instructions, len(instructions))
    licence = ctypes.create_string_buffer(b"GPL")
    log = ctypes.create_string_buffer(_LOG_BYTES)
    attributes = struct.pack(
        "<IIQQIIQII16sIIIIQIIQIIIIQQIIi",
        kind, len(instructions) // 8, ctypes.addressof(program), ctypes.addressof(licence),
        1 if btf_id else 0, _LOG_BYTES if btf_id else 0, ctypes.addressof(log) if btf_id else 0,
        0, F_TOKEN_FD if token is not None else 0, name, 0, attach_type,
        0, 0, 0, 0, 0, 0,  # BTF: fd, function and line information
        0, btf_id, 0, 0, 0, 0,  # attach_prog_fd, core_relo_cnt, fd_array, core_relos
        0, 0, token or 0,
    )
    return bpf(PROG_LOAD, attributes)


def create_map(kind: int, key_bytes: int, value_bytes: int, entries: int) -> int:
    """A map's descriptor."""
    return bpf(MAP_CREATE, struct.pack("<IIIII", kind, key_bytes, value_bytes, entries, 0) + bytes(100))


def lookup(descriptor: int, key: bytes, value_bytes: int) -> bytes | None:
    """A map's value; None when there is no such key."""
    key_buffer, value = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value_bytes)
    try:
        bpf(MAP_LOOKUP_ELEM, struct.pack("<I4xQQ8x", descriptor, ctypes.addressof(key_buffer), ctypes.addressof(value)))
    except FileNotFoundError:
        return None
    return value.raw


def attach_link(program: int, ifindex: int, attach_type: int, flags: int = 0) -> int:
    """A link's descriptor. The interface index is looked up in the calling thread's namespace."""
    return bpf(LINK_CREATE, struct.pack("<IIII", program, ifindex, attach_type, flags) + bytes(48))


def open_raw_tracepoint(name: bytes, program: int) -> int:
    """Attach a raw tracepoint, fentry or fexit program (name empty for the latter)."""
    text = ctypes.create_string_buffer(name)
    return bpf(RAW_TRACEPOINT_OPEN, struct.pack("<QI4xQ", ctypes.addressof(text) if name else 0, program, 0))


def create_token(bpffs: int) -> int:
    """A token of the BPF file system that `bpffs` is a directory of. Only from inside its user namespace."""
    return bpf(TOKEN_CREATE, struct.pack("<II", 0, bpffs) + bytes(8))
