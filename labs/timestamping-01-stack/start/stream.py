"""Runs on the client: sends small messages by TCP, each when the one before has been answered.

	python3 -B stream.py
"""

import select
import socket
import sys
import time

from stamps import ACKED, OPT_ID, OPT_TSONLY, SCHED, SENT, SO_TIMESTAMPING, SOFTWARE, TX_ACK, TX_SCHED, TX_SOFTWARE, show, unpack

COUNT = 60
SIZE = 100
PLACES = {SCHED: "qdisc", SENT: "driver", ACKED: "acknowledged"}
# Here: which stamps, and when a message is done.
STAMPS = TX_SCHED | TX_SOFTWARE
LAST = SENT


def until(kind: int, sock: socket.socket) -> dict[str, int]:
    """When a message was where, up to the stamp of that kind."""
    seen: dict[str, int] = {}
    poll = select.poll()
    poll.register(sock, 0)  # POLLERR, which there is when the error queue is not empty, is always told
    while PLACES[kind] not in seen:
        if not poll.poll(2000):
            sys.exit("No stamp came within two seconds.")
        _, control, _, _ = sock.recvmsg(2048, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
        _, which, ns = unpack(control)
        seen[PLACES[which]] = ns
    return seen


try:
    sock = socket.create_connection(("10.0.0.2", 7001), timeout=2)
except OSError:
    sys.exit("No answer: does work.py run on the server?")
sock.setblocking(True)
sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, STAMPS | SOFTWARE | OPT_ID | OPT_TSONLY)

packets = []
for _ in range(COUNT):
    now = time.time_ns()
    sock.send(bytes(SIZE))
    packets.append({"your program": now, **until(LAST, sock)})
    sock.recv(4)  # the answer
show(packets)
