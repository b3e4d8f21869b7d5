"""Traffic in every node of every lab of bench/scale.py, and marks: packets whose time of sending is known. A process of its own.

    python -m bench.scale_traffic < {"netns": [[path, ...], ...], "pps": 10}

Answers 'ready', sends until its input ends, then prints the marks: [[lab, Unix time], ...]. Each node sends so many datagrams a
second to its neighbour, who reads them; each lab is marked once a second, at another moment of each second.
"""

import json
import os
import random
import select
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.scale_lab import MARK_ADDRESS, PORT, next_address
from netlab.host.kernel.syscalls import inside_netns

SLOT_S = 0.01
MARKS_PER_S = 1
MARKING, MARKED = 0, 2
"""The node that sends marks, and the one that gets them."""


@dataclass
class Traffic:
    labs: list[list[socket.socket]]
    pps: int
    marks: list[tuple[int, float]] = field(default_factory=list)

    def send_until_told(self) -> None:
        """In slots of ten milliseconds; slots that were missed are not made up for."""
        senders = [(sock, (next_address(node), PORT)) for nodes in self.labs for node, sock in enumerate(nodes)]
        slots = round(1 / (SLOT_S * self.pps))
        order = list(range(len(self.labs)))
        number, due = 0, time.monotonic()
        while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
            for sock, address in senders[number % slots :: slots]:
                sock.sendto(b"some traffic", address)
                _read(sock)
            per_second = round(1 / SLOT_S)
            if number % per_second == 0:
                random.shuffle(order)
            for lab in order[number % per_second :: per_second]:
                self.marks.append((lab, time.time()))
                self.labs[lab][MARKING].sendto(b"mark", (MARK_ADDRESS, PORT))
                _read(self.labs[lab][MARKED])
            number += 1
            due = max(due + SLOT_S, time.monotonic() - SLOT_S)


def _read(sock: socket.socket) -> None:
    try:
        sock.recv(64)
    except BlockingIOError:
        return


def open_in(netns: str) -> socket.socket:
    with inside_netns(Path(netns)):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sock.bind(("0.0.0.0", PORT))
    return sock


def main() -> None:
    wanted = json.loads(sys.stdin.readline())
    traffic = Traffic([[open_in(path) for path in paths] for paths in wanted["netns"]], wanted["pps"])
    os.write(1, b"ready\n")
    traffic.send_until_told()
    sys.stdout.write(json.dumps(traffic.marks) + "\n")


if __name__ == "__main__":
    main()
