"""Make and unmake chains of nodes: netlab's plain nodes against `ip -batch` and Mininet, sandboxed nodes beside them.

    python -m bench.engine_create [--sizes 3,10,50,100] [--rounds 5]

A chain of N nodes, veth between neighbours, addresses, all up; interleaved, medians, a ping through every first link.
`ip -batch` has one call for namespaces and links and one per namespace for the rest. "delete" is the caller's return;
"freed" is the moment when the kernel has taken the first node's devices away. Prints `figure NAME NUMBER UNIT` lines.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from netlab.config import Config
from netlab.domain.devices import EndSpec, LinkSpec
from netlab.domain.ids import new_run_id
from netlab.domain.lab import InterfaceSpec, Isolation, LabSpec, NodeSpec, Topic
from netlab.domain.resolve import ResolvedLab, resolve
from netlab.host.nodes.api import Nodes, RunNodes
from netlab.host.nodes.plain import PlainNodes
from netlab.host.nodes.sandboxed import SandboxedNodes
from netlab.host.nsworker.client import NsWorker
from netlab.host.nsworker.places import NAMED_NETNS_DIR, named_prefix
from netlab.host.steps import SilentSink, Steps

INSTANCE = "bench"
SANDBOXED_INSTANCE = "benchbox"
"""Another one, since an instance makes plain or sandboxed nodes, not both."""
IP_PREFIX = "nlbench"
MININET_PYTHON = "/usr/bin/python3"
FREED_WAIT_S = 10.0
LABS_AT_ONCE = 10
SMALL, SMALL_ROUNDS = 10, 3
"""Chains of up to so many nodes take few milliseconds, which a busy machine blurs: so many times the rounds."""
SETTLE_S = 0.3
"""Between two of them, so that none pays for what the kernel still has to free of the one before."""


@dataclass
class Times:
    """Milliseconds by (what, who, size)."""

    taken: dict[tuple[str, str, int], list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, what: str, who: str, size: int, ms: float) -> None:
        self.taken[what, who, size].append(ms)

    def median(self, what: str, who: str, size: int) -> float:
        return median(self.taken[what, who, size])

    def ratio(self, what: str, other: str, size: int) -> float:
        return self.median(what, "engine", size) / self.median(what, other, size)


def chain(count: int) -> ResolvedLab:
    """Longer than a lab may be, so it is put together without LabSpec's limits."""
    nodes = []
    for i in range(count):
        interfaces = []
        if i > 0:
            interfaces.append(InterfaceSpec.model_validate({"name": "eth0", "addresses": [f"{_network(i - 1)}.2/24"]}))
        if i < count - 1:
            interfaces.append(InterfaceSpec.model_validate({"name": "eth1", "addresses": [f"{_network(i)}.1/24"]}))
        nodes.append(NodeSpec(name=f"n{i}", interfaces=interfaces))
    links = [
        LinkSpec(ends=(EndSpec(node=f"n{i}", interface="eth1"), EndSpec(node=f"n{i + 1}", interface="eth0")))
        for i in range(count - 1)
    ]
    spec = LabSpec.model_construct(
        id="chain", title="Chain", summary="", topic=Topic.BASICS, minutes=1, nodes=nodes, links=links, steps=[]
    )
    return resolve(spec)


def _network(i: int) -> str:
    return f"10.{i >> 8}.{i & 255}"


# netlab -----------------------------------------------------------------------------------------------------------------


async def build(nodes: Nodes, lab: ResolvedLab, isolation: Isolation) -> RunNodes:
    async with Steps(SilentSink()) as steps:
        made = await nodes.create(new_run_id(), lab, isolation, steps)
        steps.keep()
    return made


async def netlab_chain(times: Times, who: str, nodes: Nodes, isolation: Isolation, count: int, witness: "Witness") -> None:
    lab = chain(count)
    began = time.perf_counter()
    made = await build(nodes, lab, isolation)
    times.add("create", who, count, _ms(began))
    answer = await nodes.execute(made, "n0", ["ping", "-c1", "-W2", "10.0.0.2"], cwd="/")
    assert answer.exit_code == 0, answer
    witness.tie(named_prefix(INSTANCE if isinstance(nodes, PlainNodes) else SANDBOXED_INSTANCE, made.run) + "n0")
    began = time.perf_counter()
    await nodes.remove(made.run)
    times.add("delete", who, count, _ms(began))
    times.add("freed", who, count, witness.cut(began))


# ip -batch --------------------------------------------------------------------------------------------------------------


def ip_batch(text: str, *options: str) -> None:
    subprocess.run(["ip", *options, "-batch", "-"], input=text, text=True, check=True, capture_output=True)


def ip_create(count: int) -> None:
    names = [f"{IP_PREFIX}{i}" for i in range(count)]
    links = [
        f"link add eth1 netns {names[i]} type veth peer name eth0 netns {names[i + 1]}" for i in range(count - 1)
    ]
    ip_batch("\n".join([*(f"netns add {name}" for name in names), *links, ""]))
    for i, name in enumerate(names):
        lines = ["link set lo up"]
        if i > 0:
            lines += ["link set eth0 up", f"addr add {_network(i - 1)}.2/24 dev eth0"]
        if i < count - 1:
            lines += ["link set eth1 up", f"addr add {_network(i)}.1/24 dev eth1"]
        ip_batch("\n".join([*lines, ""]), "-n", name)


def ip_delete(count: int) -> None:
    ip_batch("".join(f"netns del {IP_PREFIX}{i}\n" for i in range(count)))


def ip_chain(times: Times, count: int, witness: "Witness") -> None:
    began = time.perf_counter()
    ip_create(count)
    times.add("create", "ip_batch", count, _ms(began))
    subprocess.run(["ip", "netns", "exec", f"{IP_PREFIX}0", "ping", "-c1", "-W2", "10.0.0.2"], check=True, capture_output=True)
    witness.tie(f"{IP_PREFIX}0")
    began = time.perf_counter()
    ip_delete(count)
    times.add("delete", "ip_batch", count, _ms(began))
    times.add("freed", "ip_batch", count, witness.cut(began))


def ip_clean() -> None:
    for path in NAMED_NETNS_DIR.glob(f"{IP_PREFIX}*"):
        subprocess.run(["ip", "netns", "del", path.name], check=False, capture_output=True)


# Mininet ----------------------------------------------------------------------------------------------------------------


def mininet_chain(times: Times, count: int) -> None:
    script = Path(__file__).with_name("mininet_chain.py")
    done = subprocess.run([MININET_PYTHON, str(script), str(count)], text=True, check=True, capture_output=True, timeout=300)
    said = json.loads(done.stdout.strip().splitlines()[-1])
    assert said["reached"], done.stderr
    times.add("create", "mininet", count, said["create_ms"])
    times.add("delete", "mininet", count, said["delete_ms"])


# when the kernel is done ------------------------------------------------------------------------------------------------


class Witness:
    """A veth from a namespace of its own into a chain's first node: it is gone when the kernel has freed that node."""

    NAME = "nlbwitness"

    def __enter__(self) -> "Witness":
        subprocess.run(["ip", "netns", "add", self.NAME], check=True)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["ip", "netns", "del", self.NAME], check=True)

    def tie(self, netns: str) -> None:
        line = ["ip", "-n", self.NAME, "link", "add", "w0", "type", "veth", "peer", "name", "w1", "netns", netns]
        subprocess.run(line, check=True)

    def cut(self, began: float) -> float:
        while subprocess.run(["ip", "-n", self.NAME, "link", "show", "w0"], capture_output=True, check=False).returncode == 0:
            assert time.perf_counter() - began < FREED_WAIT_S, "the kernel keeps the namespace"
            time.sleep(0.001)
        return _ms(began)


def _ms(began: float) -> float:
    return (time.perf_counter() - began) * 1e3


# all of it --------------------------------------------------------------------------------------------------------------


async def measure(sizes: list[int], rounds: int, rootfs: Path) -> Times:
    times = Times()
    with tempfile.TemporaryDirectory() as state, Witness() as witness:
        plain_config, sandboxed_config = (
            Config(instance=instance, run_dir=Path(f"/run/netlab/{instance}"), state_dir=Path(state), rootfs_dir=rootfs)
            for instance in (INSTANCE, SANDBOXED_INSTANCE)
        )
        worker = NsWorker()
        await worker.start()
        plain, sandboxed = PlainNodes(plain_config, worker, bpffs=False), SandboxedNodes(sandboxed_config, worker)
        try:
            for size in (2, *sizes):  # the first of each warms up
                for number in range(1 if size == 2 else rounds * SMALL_ROUNDS if size <= SMALL else rounds):
                    print(f"chain of {size}, round {number + 1}", file=sys.stderr, flush=True)
                    await asyncio.sleep(SETTLE_S)
                    await netlab_chain(times, "engine", plain, Isolation.PRIVATE, size, witness)
                    await asyncio.sleep(SETTLE_S)
                    ip_chain(times, size, witness)
                    if number >= rounds:
                        continue
                    await asyncio.sleep(SETTLE_S)
                    await netlab_chain(times, "sandboxed", sandboxed, Isolation.STRANGERS, size, witness)
                    await asyncio.sleep(SETTLE_S)
                    mininet_chain(times, size)
            await starts(times, sandboxed, rounds)
        finally:
            for nodes in (plain, sandboxed):
                for run in await nodes.owned_runs():
                    await nodes.remove(run)
            await worker.close()
            ip_clean()
            for config in (plain_config, sandboxed_config):
                shutil.rmtree(config.run_dir, ignore_errors=True)
    return times


async def starts(times: Times, nodes: SandboxedNodes, rounds: int) -> None:
    """Two sandboxed nodes until both are ready, until a terminal is open, and ten such labs at once."""
    lab = chain(2)
    for _ in range(rounds):
        began = time.perf_counter()
        made = await build(nodes, lab, Isolation.STRANGERS)
        times.add("ready", "sandboxed", 1, _ms(began))
        began = time.perf_counter()
        os.close((await nodes.open_terminal(made, "n0", 24, 80)).master)
        times.add("terminal", "sandboxed", 1, _ms(began))
        await nodes.remove(made.run)
        began = time.perf_counter()
        many = await asyncio.gather(*(build(nodes, lab, Isolation.STRANGERS) for _ in range(LABS_AT_ONCE)))
        times.add("ready", "sandboxed", LABS_AT_ONCE, _ms(began))
        await asyncio.gather(*(nodes.remove(one.run) for one in many))


def report(times: Times, sizes: list[int]) -> None:
    for size in sizes:
        for what in ("create", "delete"):
            for other in ("ip_batch", "mininet"):
                print(f"figure engine_{what}_ratio_{other}_{size} {times.ratio(what, other, size):.4f} ratio")
        for who in ("engine", "ip_batch", "mininet", "sandboxed"):
            for what in ("create", "delete"):
                print(f"figure {who}_{what}_ms_{size} {times.median(what, who, size):.2f} ms")
        for who in ("engine", "ip_batch", "sandboxed"):
            print(f"figure {who}_freed_ms_{size} {times.median('freed', who, size):.2f} ms")
    for count in (1, LABS_AT_ONCE):
        print(f"figure sandboxed_two_nodes_ready_{count}_ms {times.median('ready', 'sandboxed', count):.1f} ms")
    print(f"figure sandboxed_terminal_open_ms {times.median('terminal', 'sandboxed', 1):.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sizes", default="3,10,50,100")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.sizes.split(",")]
    report(asyncio.run(measure(sizes, asked.rounds, Config().rootfs_dir)), sizes)


if __name__ == "__main__":
    main()
