"""Opens an AF_XDP socket with its memory and rings and binds it to queue 0 of the interface that is named; run in a guest."""

import ctypes
import mmap
import os
import socket
import struct
import sys

AF_XDP, SOL_XDP = 44, 283
XDP_RX_RING, XDP_UMEM_REG, XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING = 2, 4, 5, 6
FRAMES, FRAME_BYTES = 64, 4096

xsk = socket.socket(AF_XDP, socket.SOCK_RAW, 0)
area = mmap.mmap(-1, FRAMES * FRAME_BYTES)
address = ctypes.addressof(ctypes.c_char.from_buffer(area))
xsk.setsockopt(SOL_XDP, XDP_UMEM_REG, struct.pack("=QQIIII", address, FRAMES * FRAME_BYTES, FRAME_BYTES, 0, 0, 0))
for ring in (XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING):
    xsk.setsockopt(SOL_XDP, ring, struct.pack("=I", FRAMES))
where = struct.pack("=HHIII", AF_XDP, 0, socket.if_nametoindex(sys.argv[1]), 0, 0)  # struct sockaddr_xdp
libc = ctypes.CDLL(None, use_errno=True)
if libc.bind(xsk.fileno(), where, len(where)) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
