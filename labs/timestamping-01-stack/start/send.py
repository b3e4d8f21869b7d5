"""Runs on the client: sends datagrams, and finds out when each was where.

	python3 -B send.py [BURST]

BURST: how many are sent at once, before the answers are awaited.
"""

import socket
import sys
import time

from stamps import ANSWER, OPT_ID, OPT_TSONLY, SCHED, SO_TIMESTAMPING, SOFTWARE, TX_SCHED, TX_SOFTWARE, show, unpack, wait_at_most

COUNT = 100
SIZE = 1000
burst = int(sys.argv[1]) if len(sys.argv) > 1 else 1


def read_stamps(sock: socket.socket) -> dict[tuple[int, int], int]:
    """What the kernel has stamped on the way out: (number of the datagram, which stamp) -> ns."""
    stamps: dict[tuple[int, int], int] = {}
    # Here: read the socket's error queue until it is empty.
    return stamps


sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
wait_at_most(sock, seconds=2)
sock.connect(("10.0.0.2", 7000))
# Here: tell the kernel which stamps you want of what is sent.

packets = [{} for _ in range(COUNT)]
for first in range(0, COUNT, burst):
    numbers = range(first, min(first + burst, COUNT))
    for number in numbers:
        packets[number]["your program"] = time.time_ns()
        sock.send(number.to_bytes(4, "little") + bytes(SIZE - 4))
    try:
        for _ in numbers:
            number, kernel_ns, program_ns = ANSWER.unpack(sock.recv(2048))
            packets[number]["server's stack"] = kernel_ns
            packets[number]["server's program"] = program_ns
    except (ConnectionRefusedError, BlockingIOError):
        sys.exit("No answer: does receive.py run on the server?")
    for (number, kind), ns in read_stamps(sock).items():
        packets[number]["qdisc" if kind == SCHED else "driver"] = ns
show(packets)
