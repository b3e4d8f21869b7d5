"""What a trace costs: round trips of a datagram between two namespaces before anybody traces, while their own run is traced,
while another is, and after: `make bench-counters`.

The programs are those of a lab's trace (netlab.host.tracing), without the lab around them. Processor time, medians; rounds
alternate, so that what else the machine does falls on all alike. What is made is named nltrc* and taken away again.
"""

import asyncio
import contextlib
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from netlab.host.kernel.syscalls import inside_netns
from netlab.host.tracing.process import TraceProcess, make_job
from netlab.wire.traces import TraceMode

NAMES = ("nltrc0", "nltrc1")
NETNS = Path("/run/netns")
PORT = 4000
SO_NETNS_COOKIE = 71
"""include/uapi/asm-generic/socket.h."""
WARM_UP, ROUNDS, TRACES, TRIPS = 5, 5, 6, 3000
DEFINES = {"WANTED_NODE": -1, "WANTED_PROTOCOL": 17, "WANTED_PACKETS": 8}
NOBODYS_COOKIE = 1 << 60


class Pair:
    """A socket in each namespace; the datagrams of one thread go there and back."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._ends = []
        for at, name in enumerate(NAMES):
            with inside_netns(NETNS / name):
                end = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            end.settimeout(5)
            end.bind((f"10.9.9.{at + 1}", PORT))
            self._ends.append(end)
        self.cookies = [struct.unpack("=Q", end.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8))[0] for end in self._ends]

    def round_us(self) -> float:
        """Processor time of one trip there and back: on a veth both ways are walked by who sends."""
        near, far = self._ends
        began = time.thread_time_ns()
        for _ in range(TRIPS):
            near.sendto(b"ping", ("10.9.9.2", PORT))
            far.recv(16)
            far.sendto(b"pong", ("10.9.9.1", PORT))
            near.recv(16)
        return (time.thread_time_ns() - began) / TRIPS / 1000

    def rounds_us(self, count: int = ROUNDS) -> list[float]:
        return [self.round_us() for _ in range(count)]


def main() -> None:
    with namespaces(), contextlib.ExitStack() as stack:
        pair = Pair(stack)
        pair.rounds_us(WARM_UP)
        before = pair.rounds_us(ROUNDS * TRACES)
        took: dict[str, list[float]] = {"latency": [], "way": [], "other": [], "off": []}
        for _ in range(TRACES):
            took["latency"] += asyncio.run(traced(pair, "latency", pair.cookies))
            took["off"] += pair.rounds_us()
            took["way"] += asyncio.run(traced(pair, "way", pair.cookies))
            took["off"] += pair.rounds_us()
            took["other"] += asyncio.run(traced(pair, "latency", [NOBODYS_COOKIE]))
            took["off"] += pair.rounds_us()
    figure("trace_before_us", median(before), "us")
    for what, times in took.items():
        figure(f"trace_{what}_us", median(times), "us")
        figure(f"trace_{what}_ratio", median(times) / median(before), "x")


async def traced(pair: Pair, mode: TraceMode, cookies: Sequence[int]) -> list[float]:
    process = await TraceProcess.start(make_job(mode, cookies, DEFINES if mode == "way" else {}))
    try:
        said = await anext(aiter(process.lines()))
        if not said.get("ready"):
            raise RuntimeError(f"no trace can be made here: {said}")
        return await asyncio.to_thread(pair.rounds_us)
    finally:
        await process.end()


@contextlib.contextmanager
def namespaces() -> Iterator[None]:
    try:
        near, far = NAMES
        ip([f"netns add {near}", f"netns add {far}", f"link add v0 netns {near} type veth peer name v0 netns {far}"])
        for at, name in enumerate(NAMES):
            ip([f"addr add 10.9.9.{at + 1}/24 dev v0", "link set v0 up"], "-n", name)
        yield
    finally:
        for name in NAMES:
            subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)


def ip(lines: list[str], *options: str) -> None:
    subprocess.run(["ip", *options, "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True)


def figure(name: str, number: float, unit: str) -> None:
    sys.stdout.write(f"figure {name} {number:.3g} {unit}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
