"""What send.py, receive.py and stream.py share: the kernel's numbers, how its stamps are read, and the table.

Nothing has to be changed here. The numbers are from linux/net_tstamp.h and linux/errqueue.h.
"""

import socket
import struct
from collections.abc import Iterable
from itertools import pairwise
from statistics import median

SO_TIMESTAMPING = 37

TX_SOFTWARE = 1 << 1  # a stamp when the driver has the packet
RX_SOFTWARE = 1 << 3  # a stamp when the stack has got one from the driver
SOFTWARE = 1 << 4     # tell the stamps that software makes (there is also hardware's)
OPT_ID = 1 << 7       # number what is sent, so that each stamp says whose it is
TX_SCHED = 1 << 8     # a stamp when the packet comes to the qdisc
TX_ACK = 1 << 9       # TCP: a stamp when the other end has acknowledged
OPT_TSONLY = 1 << 11  # stamps alone, without the packet that they are of

SENT, SCHED, ACKED = 0, 1, 2  # ee_info: which stamp it is
IP_RECVERR = 11
ANSWER = struct.Struct("=IQQ")

HELD_NS = 5_000_000
RESULT = "/lab/result.txt"
STAGES = ("your program", "qdisc", "driver", "server's stack", "server's program", "acknowledged")
BINS = ((10_000, "<10us"), (1_000_000, "<1ms"), (10_000_000, "<10ms"), (1 << 62, "more"))


def kernel_time(control: list) -> int:
    """The kernel's stamp among the control messages of a packet, in ns; 0: there is none."""
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPING:
            seconds, nanoseconds = struct.unpack_from("=qq", data)
            return seconds * 10**9 + nanoseconds
    return 0


def unpack(control: list) -> tuple[int, int, int]:
    """Of a message of the error queue: the packet's number, which stamp it is, and the stamp."""
    for level, kind, data in control:
        if level == socket.SOL_IP and kind == IP_RECVERR:
            _errno, _origin, _type, _code, _pad, info, number = struct.unpack_from("=IBBBBII", data)
            return number, info, kernel_time(control)
    raise ValueError("a message without sock_extended_err")


def answer(data: bytes, kernel_ns: int, program_ns: int) -> bytes:
    """The server's answer: the datagram's number, and when it was where."""
    return ANSWER.pack(int.from_bytes(data[:4], "little"), kernel_ns, program_ns)


def wait_at_most(sock: socket.socket, seconds: int) -> None:
    """Python's settimeout() polls, and a poll wakes up for each stamp."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("=qq", seconds, 0))


def show(packets: Iterable[dict[str, int]]) -> None:
    """Prints how long packets took from each place to the next, and keeps it in result.txt."""
    taken: dict[tuple[str, str], list[int]] = {}
    for packet in packets:
        seen = [(name, packet[name]) for name in STAGES if packet.get(name)]
        for (before, then), (after, now) in pairwise(seen):
            taken.setdefault((before, after), []).append(now - then)
    count = max(map(len, taken.values()), default=0)
    stages = {pair: times for pair, times in taken.items() if len(times) > count // 2}  # a first stamp may be missing

    heads = "".join(f"{name:>6}" for _, name in BINS)
    lines = [f"{'':34}{'median':>10}{'worst':>10}{heads}"]
    for (before, after), times in sorted(stages.items(), key=lambda item: STAGES.index(item[0][0])):
        bins = [0] * len(BINS)
        for ns in times:
            bins[next(i for i, (limit, _) in enumerate(BINS) if ns < limit)] += 1
        counts = "".join(f"{n or '.':>6}" for n in bins)
        lines.append(f"{before + ' -> ' + after:34}{_short(median(times)):>10}{_short(max(times)):>10}{counts}")
    held = [f"{before} -> {after}" for (before, after), times in stages.items() if median(times) >= HELD_NS]
    lines.append(f"Held for 5 ms or longer: {', '.join(held) or 'nowhere'}")
    text = "\n".join(lines) + "\n"
    print(text, end="")
    with open(RESULT, "w") as file:
        file.write(text)


def _short(ns: float) -> str:
    return f"{ns / 1000:.1f} us" if ns < 1_000_000 else f"{ns / 1_000_000:.1f} ms"
