"""Attaches the pinned program `netkit` to the netkit interface that is named (bpftool has no word for it); run in a guest."""

import ctypes
import os
import socket
import struct
import sys

SYS_BPF = 321
BPF_OBJ_PIN, BPF_OBJ_GET, BPF_LINK_CREATE = 6, 7, 28
BPF_NETKIT_PRIMARY = 54
ATTRIBUTES_BYTES = 128

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command: int, attributes: bytes) -> int:
    result: int = libc.syscall(SYS_BPF, command, ctypes.create_string_buffer(attributes, ATTRIBUTES_BYTES), ATTRIBUTES_BYTES)
    if result < 0:
        sys.exit(os.strerror(ctypes.get_errno()))
    return result


path = ctypes.create_string_buffer(b"/sys/fs/bpf/all/netkit")
program = bpf(BPF_OBJ_GET, struct.pack("=QII", ctypes.addressof(path), 0, 0))
link = bpf(BPF_LINK_CREATE, struct.pack("=IIII", program, socket.if_nametoindex(sys.argv[1]), BPF_NETKIT_PRIMARY, 0))
path = ctypes.create_string_buffer(b"/sys/fs/bpf/netkit-link")
bpf(BPF_OBJ_PIN, struct.pack("=QI", ctypes.addressof(path), link))
