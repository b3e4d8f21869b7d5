"""A run of a lab inside a guest: built by the engine's `PlainNodes`, asked, taken away; nothing may be left on the machine.

For what runs in a guest (`devices_inside`). `main` prints a line a check, `ok|name|` or `not ok|name|what was seen`, and goes
on after a failure.
"""

import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from netlab.config import Config
from netlab.domain.ids import new_run_id
from netlab.domain.lab import CheckSpec, Isolation, LabSpec
from netlab.domain.probes import Probe
from netlab.domain.resolve import ResolvedLab, problems, resolve
from netlab.host.checks.evaluate import CheckContext, evaluate
from netlab.host.counters.reader import NodeReader
from netlab.host.counters.readings import Slow
from netlab.host.counters.slots import EventSlots
from netlab.host.nodes.api import RunNodes
from netlab.host.nodes.plain import PlainNodes
from netlab.host.nsworker.client import NsWorker
from netlab.host.steps import SilentSink, Steps

CARDS = Path("/sys/bus/netdevsim/devices")
CHECKS: list[Callable[[], Awaitable[None]]] = []


def check(function: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    CHECKS.append(function)
    return function


def lab(nodes: list[dict[str, Any]], **more: Any) -> ResolvedLab:
    spec = LabSpec.model_validate({
        "id": "devices", "title": "Devices", "summary": "Devices of all kinds.", "topic": "basics", "minutes": 5,
        "nodes": nodes, "steps": [{"id": "look", "title": "Look around", "text": "steps/01-look.md"}], **more,
    })
    assert problems(spec) == [], problems(spec)
    return resolve(spec)


def node(name: str, *interfaces: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "interfaces": list(interfaces)}


def face(name: str, *addresses: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "addresses": list(addresses), **more}


class Built:
    """A run of a lab, and what one asks of it."""

    def __init__(self, nodes: PlainNodes, run: RunNodes) -> None:
        self.nodes, self.run = nodes, run

    async def do(self, where: str, *argv: str) -> str:
        done = await self.nodes.execute(self.run, where, list(argv), cwd="/", timeout_s=120)
        assert done.exit_code == 0, f"{' '.join(argv)} in {where}: {done.exit_code} {done.stderr.decode()} {done.stdout.decode()}"
        return done.stdout.decode()

    async def execute_until(self, where: str, command: str, within_s: float) -> None:
        """Again and again until it ends well."""
        deadline = time.monotonic() + within_s
        while (await self.nodes.execute(self.run, where, command.split(), cwd="/")).exit_code:
            assert time.monotonic() < deadline, f"{command} in {where} did not work in {within_s} s"

    async def link(self, where: str, name: str) -> Any:
        return json.loads(await self.do(where, "ip", "-d", "-j", "link", "show", "dev", name))[0]

    async def ping(self, where: str, address: str) -> float:
        """Milliseconds of the third; the first has asked for addresses."""
        said = await self.do(where, "ping", "-n", "-c3", "-i0.2", "-w30", address)
        return float(said.rpartition("/")[0].rpartition("/")[2]) if "rtt" in said else 0.0

    async def root(self, where: str, name: str) -> Any:
        found = json.loads(await self.do(where, "tc", "-j", "qdisc", "show", "dev", name))
        return next(q for q in found if q.get("root"))

    async def probe(self, kind: str, where: str, name: str, /, **wanted: Any) -> tuple[bool, str]:
        """Whether it is green, and what it saw."""
        what = TypeAdapter(Probe).validate_python({"kind": kind, "node": where, "interface": name, **wanted})
        said = await evaluate(CheckSpec(id="it", title="It is so", probe=what), CheckContext(
            nodes=self.nodes, run_nodes=self.run, outcomes={}, reading=lambda *_: None, read_file=lambda _: None,
        ))
        return said.passed, said.observed

    async def green(self, kind: str, where: str, name: str, /, **wanted: Any) -> None:
        passed, observed = await self.probe(kind, where, name, **wanted)
        assert passed, f"{kind} {wanted}: {observed}"

    async def red(self, kind: str, where: str, name: str, observed: str = "", /, **wanted: Any) -> None:
        passed, seen = await self.probe(kind, where, name, **wanted)
        assert not passed and observed in seen, f"{kind} {wanted}: {seen}"

    def slow_counters(self, where: str, kind: str, *devices: bytes) -> list[Slow]:
        """What the sampler reads once a second, of one kind."""
        reader = NodeReader(str(self.run.places[where].netns), EventSlots(Path("/opt/netlab/bpf")))
        try:
            return [one for one in reader.slow.read(list(devices)) if one.kind == kind]
        finally:
            reader.close()

    async def reset(self, where: str) -> None:
        async with Steps(SilentSink()) as steps:
            await self.nodes.reset_node(self.run, where, steps)
            steps.keep()


@asynccontextmanager
async def built(what: ResolvedLab) -> AsyncIterator[Built]:
    """Nothing of it is left on the machine afterwards."""
    with tempfile.TemporaryDirectory() as state:
        config = Config(instance="guest", run_dir=Path("/run/netlab/guest"), state_dir=Path(state), rootfs_dir=Path("/"))
        worker = NsWorker()
        nodes, run = PlainNodes(config, worker), new_run_id()
        before = machine()
        try:
            async with Steps(SilentSink()) as steps:
                made = await nodes.create(run, what, Isolation.PRIVATE, steps)
                steps.keep()
            assert await nodes.adopt(run, what) is not None
            yield Built(nodes, made)
        finally:
            await nodes.remove(run)
            await worker.close()
        assert await nodes.leftovers(set()) == []
        assert machine() == before, f"left behind: {machine()}, before: {before}"


def machine() -> list[str]:
    cards = sorted(os.listdir(CARDS)) if CARDS.exists() else []
    switches = Path("/sys/bus/dsa_netlab/devices")
    return [*cards, *(sorted(os.listdir(switches)) if switches.exists() else []), *sorted(os.listdir("/sys/class/net"))]


async def main() -> None:
    for one in CHECKS:
        name = one.__name__.replace("_", " ")
        if len(sys.argv) > 1 and one.__name__ not in sys.argv[1:]:
            continue
        try:
            await one()
            print(f"ok|{name}|", flush=True)
        except BaseException:
            said = traceback.format_exc().strip().replace("\n", " / ").replace("|", "!")
            print(f"not ok|{name}|{said}", flush=True)
