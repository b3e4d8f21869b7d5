"""What a sweep of interface counters costs: netlab's reader and whole tick against the system calls alone (floor.c), pyroute2
and `ip -s`: `make bench-counters`.

Rings of 10, 100 and 500 namespaces, four veth ends and lo each, with a trickle of packets. One run, side by side: every figure is
a median of processor time per sweep. What is made is named nlcnt* and taken away again.
"""

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from pyroute2 import NetNS

from netlab.config import load_config
from netlab.host.counters.lab_sampler import LabSampler
from netlab.host.counters.messages import NodeSource
from netlab.host.counters.reader import NodeReader
from netlab.host.counters.slots import EventSlots
from netlab.host.kernel.syscalls import inside_netns

SIZES = (10, 100, 500)
NODES_OF_A_LAB = 5
NAME = "nlcnt"
NETNS = Path("/run/netns")
ROUNDS, DEAR_ROUNDS = 30, 3
FLOOR = Path(__file__).with_name("floor.c")
NO_STORMS_PPS = 1 << 40
COMPILE = 'mount --bind "$1" "$2/tmp" && exec chroot "$2" clang -O2 -Wall -Werror -o /tmp/floor /tmp/floor.c'
RUN = 'tree=$2; mount --bind "$1" "$2/tmp"; shift 2; exec chroot "$tree" /tmp/floor "$@"'


def main() -> None:
    tree = load_config().rootfs_dir
    with tempfile.TemporaryDirectory() as name:
        floor = Floor(Path(name), tree)
        for size in SIZES:
            with ring(size) as names:
                measure(size, names, floor)


def measure(size: int, names: list[str], floor: "Floor") -> None:
    took = {"floor_c": floor.sweep_ns(names)}
    with ExitStack() as open_things:
        slots = EventSlots(load_config().bpf_dir)
        open_things.callback(slots.close)
        readers = [NodeReader(str(NETNS / name), slots) for name in names]
        for reader in readers:
            open_things.callback(reader.close)
        took["netlab_read"] = per_round(lambda: [reader.devices() for reader in readers], ROUNDS)
    with ExitStack() as open_things:
        slots = EventSlots(load_config().bpf_dir)
        open_things.callback(slots.close)
        labs = [LabSampler(f"r{at}", NO_STORMS_PPS, sources(names[at : at + NODES_OF_A_LAB]), slots)
                for at in range(0, size, NODES_OF_A_LAB)]
        for lab in labs:
            open_things.callback(lab.close)
        tick(labs)
        took["netlab_tick"] = per_round(lambda: tick(labs), ROUNDS)
    took["pyroute2_stats"] = pyroute2_ns(names)
    took["ip_s"] = per_round(lambda: ip_statistics(names), DEAR_ROUNDS, resource.RUSAGE_CHILDREN)
    for what, nanoseconds in took.items():
        figure(f"sweep_{size}_{what}_ms", nanoseconds / 1e6, "ms")
    for who in ("floor_c", "pyroute2_stats", "ip_s"):
        figure(f"sweep_{size}_ratio_{who.split('_')[0]}", took["netlab_read"] / took[who], "x")
    figure(f"tick_{size}_percent_at_10_hz", took["netlab_tick"] / 1e9 * 10 * 100, "%")


def sources(names: list[str]) -> list[NodeSource]:
    return [NodeSource(name, str(NETNS / name), [f"v{k}" for k in range(4)]) for name in names]


def tick(labs: list[LabSampler]) -> None:
    """As the sampler does it for labs that somebody looks at."""
    now = time.monotonic()
    for lab in labs:
        lab.read(now)
        lab.new_schema(now)
        lab.body(time.time(), ask_xdp=False, full=False)


def pyroute2_ns(names: list[str]) -> float:
    with ExitStack() as open_things:
        spaces = [open_things.enter_context(contextlib.closing(NetNS(name))) for name in names]
        return per_round(lambda: [list(space.stats("dump")) for space in spaces], DEAR_ROUNDS)


def ip_statistics(names: list[str]) -> None:
    for name in names:
        subprocess.run(["ip", "-s", "-n", name, "link"], check=True, stdout=subprocess.DEVNULL)


def per_round(work: Callable[[], object], rounds: int, whose: int = resource.RUSAGE_SELF) -> float:
    """Median processor time in ns."""
    took = []
    for _ in range(rounds):
        before = spent_ns(whose)
        work()
        took.append(spent_ns(whose) - before)
    return float(median(took))


def spent_ns(whose: int) -> float:
    if whose == resource.RUSAGE_SELF:
        return time.process_time_ns()
    used = resource.getrusage(whose)
    return (used.ru_utime + used.ru_stime) * 1e9


class Floor:
    """The C program, built and run with what is in the shells' root file system: the host needs no compiler."""

    def __init__(self, folder: Path, tree: Path) -> None:
        self._folder, self._tree = folder, tree
        (folder / FLOOR.name).write_bytes(FLOOR.read_bytes())
        self._in_tree(COMPILE)

    def sweep_ns(self, names: list[str]) -> float:
        descriptors = []
        try:
            for name in names:
                with inside_netns(NETNS / name):
                    descriptors.append(os.open("/proc/thread-self/net/dev", os.O_RDONLY))
            return float(median(map(int, self._in_tree(RUN, str(ROUNDS), *map(str, descriptors), keep=descriptors).split())))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _in_tree(self, script: str, *words: str, keep: list[int] | None = None) -> str:
        command = ["unshare", "--mount", "sh", "-c", script, "sh", str(self._folder), str(self._tree), *words]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, pass_fds=keep or ()).stdout


@contextlib.contextmanager
def ring(size: int) -> Iterator[list[str]]:
    """Namespaces with two veth pairs to each neighbour's side; each has said something."""
    names = [f"{NAME}{at}" for at in range(size)]
    try:
        batch([f"netns add {name}" for name in names])
        lines = []
        for at, name in enumerate(names):
            following = names[(at + 1) % size]
            lines += [f"link add v{k} netns {name} type veth peer name v{k + 2} netns {following}" for k in (0, 1)]
        batch(lines)
        for name in names:
            batch([f"link set {device} up" for device in ("lo", "v0", "v1", "v2", "v3")], "-n", name)
        yield names
    finally:
        subprocess.run(["ip", "-force", "-batch", "-"], input="".join(f"netns del {name}\n" for name in names), text=True,
                       check=False, stderr=subprocess.DEVNULL)


def batch(lines: list[str], *options: str) -> None:
    subprocess.run(["ip", *options, "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True)


def figure(name: str, number: float, unit: str) -> None:
    sys.stdout.write(f"figure {name} {number:.3g} {unit}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
