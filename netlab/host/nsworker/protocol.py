"""What the agent and the fork server say to each other: one JSON object a SEQPACKET message, descriptors beside it.

Request  {"id", "op", ...arguments}          Answer  {"id", "result"} or {"id", "errno", "error"}
Event    {"exited": pid, "status": code}     for processes made by the op `spawn`; negative for a signal

Used by both ends. It keeps no state and never interprets an op.
"""

import json
import os
import socket
from collections.abc import Sequence
from typing import Any

MESSAGE_BYTES_MAX = 2 << 20
SEND_BUFFER_BYTES = 8 << 20
FDS_MAX = 64

Message = dict[str, Any]


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends; both may hold a whole lab's topology in one message."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, 32, SEND_BUFFER_BYTES)  # SO_SNDBUFFORCE: above wmem_max, we are root
    return ends


def encode(message: Message) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def send(sock: socket.socket, data: bytes, fds: Sequence[int] = ()) -> None:
    """One message. Raises BlockingIOError when a non-blocking socket is full: nothing was sent then."""
    if fds:
        socket.send_fds(sock, [data], list(fds))
    else:
        sock.send(data)


def receive(sock: socket.socket, buffer: bytearray) -> tuple[Message | None, list[int]]:
    """The next message and its descriptors; (None, []) when the other end is closed."""
    size, ancillary, _, _ = sock.recvmsg_into([buffer], socket.CMSG_LEN(FDS_MAX * 4), socket.MSG_CMSG_CLOEXEC)
    fds: list[int] = []
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds += memoryview(data[: len(data) // 4 * 4]).cast("i").tolist()
    if size == 0:
        close_all(fds)
        return None, []
    message: Message = json.loads(bytes(memoryview(buffer)[:size]))
    return message, fds


def close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
