"""Trials of BPF: each loads a program, most of two instructions, and attaches it to something made for the purpose.

Each runs in a network namespace of its own (`trial`). Constants: include/uapi/linux/{if_xdp,perf_event,btf}.h.
"""

import ctypes
import json
import mmap
import os
import socket
import struct
import subprocess
from pathlib import Path

from netlab.host.counters.slots import EventSlots
from netlab.host.kernel.process import ENVIRONMENT
from netlab.host.probe import bpf
from netlab.host.probe.network_trials import bpf_classifier, veth_pair
from netlab.host.probe.trial import No
from netlab.host.tracing.process import argv, make_job

VMLINUX_BTF = Path("/sys/kernel/btf/vmlinux")
BTF_MAGIC = 0xEB9F
BTF_KIND_FUNC = 12
FENTRY_FUNCTION = b"ip_rcv"
KPROBE_FUNCTION = b"do_exit"
AF_XDP, SOL_XDP = 44, 283
XDP_RX_RING, XDP_UMEM_REG, XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING = 2, 4, 5, 6
XDP_COPY = 1 << 1
UMEM_BYTES, FRAME_BYTES, RING_ENTRIES = 64 * 1024, 4096, 16
SYS_PERF_EVENT_OPEN = 298
PERF_ATTR_BYTES = 112
SO_NETNS_COOKIE = 71
BCC_LIMIT_S = 20.0
"""A compiler is started: slow on a busy machine, slower on a processor made of software."""
WHY_CHARS = 200
ETHERTYPE_NOBODYS, FRAME_BODY_BYTES = b"\x88\xb5", 46

_libc = ctypes.CDLL(None, use_errno=True)


def xdp_native() -> str:
    return _xdp(bpf.XDP_FLAGS_DRV_MODE)


def xdp_generic() -> str:
    return _xdp(bpf.XDP_FLAGS_SKB_MODE)


def _xdp(mode: int) -> str:
    index, _ = veth_pair()
    program = bpf.load(bpf.PROG_TYPE_XDP, bpf.returns(bpf.XDP_PASS), attach_type=bpf.ATTACH_XDP)
    bpf.attach_link(program, index, bpf.ATTACH_XDP, mode)
    return ""


def cls_bpf() -> str:
    bpf_classifier(bpf.load(bpf.PROG_TYPE_SCHED_CLS, bpf.returns(0)))
    return ""


def tcx() -> str:
    index, _ = veth_pair()
    program = bpf.load(bpf.PROG_TYPE_SCHED_CLS, bpf.returns(0), attach_type=bpf.ATTACH_TCX_INGRESS)
    bpf.attach_link(program, index, bpf.ATTACH_TCX_INGRESS)
    return ""


def btf() -> str:
    with VMLINUX_BTF.open("rb") as file:
        magic, _, _ = struct.unpack("=HBB", file.read(4))
    if magic != BTF_MAGIC:
        raise No(f"{VMLINUX_BTF} is not BTF")
    return ""


def fentry() -> str:
    kind = _function_id(FENTRY_FUNCTION)
    program = bpf.load(bpf.PROG_TYPE_TRACING, bpf.returns(0), attach_type=bpf.ATTACH_TRACE_FENTRY, btf_id=kind)
    bpf.open_raw_tracepoint(b"", program)
    return ""


def _function_id(name: bytes) -> int:
    """A kernel function's type id in the kernel's BTF (Documentation/bpf/btf.rst)."""
    data = VMLINUX_BTF.read_bytes()
    _, _, _, header, type_at, type_bytes, string_at, string_bytes = struct.unpack_from("=HBBIIIII", data)
    strings = data[header + string_at : header + string_at + string_bytes]
    wanted = strings.find(b"\0" + name + b"\0") + 1
    at, end, number = header + type_at, header + type_at + type_bytes, 0
    unpack = struct.Struct("=III").unpack_from
    while at < end and wanted:
        number += 1
        name_at, info, _ = unpack(data, at)
        kind, members = info >> 24 & 0x1F, info & 0xFFFF
        if kind == BTF_KIND_FUNC and name_at == wanted:
            return number
        at += 12 + _tail_bytes(kind, members)
    raise No(f"the kernel's BTF has no function {name.decode()}")


def _tail_bytes(kind: int, members: int) -> int:
    """How many bytes follow a type's head: INT, ARRAY, STRUCT/UNION, ENUM, FUNC_PROTO, VAR, DATASEC, DECL_TAG, ENUM64."""
    fixed = {1: 4, 3: 12, 14: 4, 17: 4}
    each = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}
    return fixed.get(kind, each.get(kind, 0) * members)


def lab_events(bpf_dir: Path) -> str:
    """netlab's own object, for two namespaces at most: a drop of this one has to be counted."""
    slots = EventSlots(bpf_dir, wanted=2)
    problem = slots.open()
    if problem:
        raise No(problem)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        slot = slots.claim(struct.unpack("=Q", sock.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8))[0])
        index, _ = veth_pair()
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
            wire.bind((socket.if_indextoname(index), 0))
            wire.send(b"\xff" * 6 + bytes(6) + ETHERTYPE_NOBODYS + bytes(FRAME_BODY_BYTES))
    if slot is None or not slot.changes():
        raise No("a dropped packet was not counted")
    return ""


def bcc() -> str:
    """netlab's own trace of latency, for this namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        cookie = struct.unpack("=Q", sock.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8))[0]
    job = make_job("latency", [cookie], {})
    with subprocess.Popen(
        argv(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENVIRONMENT
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(job)
        process.stdin.flush()
        said = json.loads(process.stdout.readline() or "{}")
        process.kill()
    if not said.get("ready"):
        raise No(said.get("error", "its process died")[:WHY_CHARS])
    return f"without {', '.join(said['missing'])}" if said["missing"] else ""


def kprobes() -> str:
    """A kprobe by perf_event_open, without a program."""
    kind = Path("/sys/bus/event_source/devices/kprobe/type")
    if not kind.exists():
        raise No("the kernel has no kprobe events (CONFIG_KPROBE_EVENTS)")
    function = ctypes.create_string_buffer(KPROBE_FUNCTION)
    attributes = bytearray(PERF_ATTR_BYTES)
    struct.pack_into("=II", attributes, 0, int(kind.read_text()), PERF_ATTR_BYTES)
    struct.pack_into("=QQ", attributes, 56, ctypes.addressof(function), 0)
    buffer = ctypes.create_string_buffer(bytes(attributes), PERF_ATTR_BYTES)
    if _libc.syscall(SYS_PERF_EVENT_OPEN, buffer, -1, 0, -1, 0) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"perf_event_open: {os.strerror(number)}")
    return ""


def af_xdp() -> str:
    """A socket with memory and rings, bound to queue 0 of a veth in copy mode."""
    index, _ = veth_pair()
    memory = mmap.mmap(-1, UMEM_BYTES)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    with socket.socket(AF_XDP, socket.SOCK_RAW) as sock:
        sock.setsockopt(SOL_XDP, XDP_UMEM_REG, struct.pack("=QQIII4x", address, UMEM_BYTES, FRAME_BYTES, 0, 0))
        for ring in (XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING):
            sock.setsockopt(SOL_XDP, ring, struct.pack("=I", RING_ENTRIES))
        where = ctypes.create_string_buffer(struct.pack("=HHIII", AF_XDP, XDP_COPY, index, 0, 0), 16)
        if _libc.bind(sock.fileno(), where, 16) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"bind of an AF_XDP socket: {os.strerror(number)}")
    return ""
