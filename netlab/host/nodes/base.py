"""What plain and sandboxed nodes have in common: marks, wires, sockets, removal. Never used by itself."""

import asyncio
import shutil
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from netlab.config import Config
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.resolve import ResolvedLab
from netlab.host.kernel import uid_slots
from netlab.host.kernel.cgroups import Hierarchies
from netlab.host.kernel.netem import Netem
from netlab.host.nodes import marks, shaping, wires
from netlab.host.nodes.api import NodePlace, Nodes, RunNodes
from netlab.host.nodes.marks import Mark
from netlab.host.nsworker.client import Answer, NsWorker
from netlab.host.nsworker.places import RunDir
from netlab.host.sandbox.door import CONTAINER_RUNTIMES, ContainerDoor
from netlab.host.steps import Steps
from netlab.wire.host_report import Leftover

LAB_MB = 16
LAB_INODES = 2000
PLAIN, SANDBOXED = "plain", "sandboxed"
"""The kind in a run's mark."""


class NodesBase:
    def __init__(self, config: Config, worker: NsWorker, container_runtimes: Sequence[str] = CONTAINER_RUNTIMES) -> None:
        self._config, self._worker = config, worker
        self._instance, self._base = config.instance, config.run_dir
        self._hierarchies = Hierarchies.of_this_host()
        self._containers = ContainerDoor.find(self._base / "crun", container_runtimes)

    # what a runtime asks ------------------------------------------------------------------------------------------------

    async def set_link(self, nodes: RunNodes, node: str, interface: str, up: bool) -> None:
        self._place(nodes, node)
        await self._ask("set_link", nodes.run, node=node, interface=interface, up=up)

    async def impair(self, nodes: RunNodes, node: str, interface: str, wanted: Netem) -> None:
        await shaping.impair(cast(Nodes, self), nodes, node, interface, wanted)

    async def fresh_keys(self, nodes: RunNodes) -> None:
        found = wires.tunnels(nodes.lab)
        if found:
            await self._ask("fresh_keys", nodes.run, tunnels=found)

    async def open_socket(self, nodes: RunNodes, node: str, family: int, type: int, protocol: int = 0) -> socket.socket:
        self._place(nodes, node)
        answer = await self._ask("open_socket", nodes.run, node=node, family=int(family), type=int(type), protocol=protocol)
        sock = socket.socket(fileno=answer.fds[0])
        sock.setblocking(False)
        return sock

    async def tcx(self, nodes: RunNodes, node: str) -> list[tuple[str, str, int]]:
        self._place(nodes, node)
        answer = await self._ask("tcx", nodes.run, node=node)
        return [(interface, hook, program) for interface, hook, program in cast(list[Any], answer.result)]

    async def detach_tcx(self, nodes: RunNodes, node: str, interface: str, hook: str) -> None:
        self._place(nodes, node)
        await self._ask("detach_tcx", nodes.run, node=node, interface=interface, hook=hook)

    async def remove(self, run: str) -> None:
        """A removal that has begun goes on when its caller is cancelled."""
        await asyncio.shield(asyncio.ensure_future(self._remove(run)))

    async def tidy(self) -> None:
        """What runs share and the last one takes away; for a clean-up after a host that was killed at a bad moment."""
        await self._ask("remove_shared", "")
        self._remove_parents()

    async def owned_runs(self) -> set[str]:
        return self._look().runs()

    async def leftovers(self, known: set[str]) -> list[Leftover]:
        return self._look().leftovers(known)

    # what is found again ------------------------------------------------------------------------------------------------

    def _is_whole(self, mark: Mark, kind: str, lab: ResolvedLab) -> bool:
        """Built to the end, for this lab, and every pin is still a mount."""
        place = RunDir(self._base, mark.run)
        if not mark.complete or mark.kind != kind or set(mark.nodes) != {node.name for node in lab.nodes}:
            return False
        dirs = [place.node(name) for name in mark.nodes]
        pins = [d.netns for d in dirs] + ([p for d in dirs for p in (d.userns, d.root)] if kind == SANDBOXED else [])
        return all(map(_is_mounted, pins))

    # shared steps -------------------------------------------------------------------------------------------------------

    async def _make_run(self, mark: Mark, op: str = "make_run", **more: Any) -> RunDir:
        """What a run of this name left behind goes first. A mark that is not complete is written again when all is built."""
        arguments = {
            "mark": None if mark.complete else asdict(mark), "uid": mark.uid_base, "lab_mb": LAB_MB, "lab_inodes": LAB_INODES,
            "shared": mark.kind == SANDBOXED, **more,
        }
        try:
            await self._ask(op, mark.run, **arguments)
        except FileExistsError:
            await self._remove_parts(mark.run)
            await self._ask(op, mark.run, **arguments)
        return RunDir(self._base, mark.run)

    async def _connect(self, run: str, lab: ResolvedLab) -> None:
        await self._ask("apply_topology", run, topology=wires.topology(lab))

    async def _cut(self, nodes: RunNodes, node: str) -> None:
        own, _ = wires.links_of(nodes.lab, node)
        with suppress(FileNotFoundError):
            await self._ask("cut", nodes.run, node=node, interfaces=own, machine=wires.machine(nodes.lab, [node]))

    async def _rejoin(self, nodes: RunNodes, node: str) -> None:
        _, others = wires.links_of(nodes.lab, node)
        await self._ask("rejoin", nodes.run, topology=wires.topology_around(nodes.lab, node), removed=others)

    async def _shape(self, nodes: RunNodes, steps: Steps, around: str = "") -> None:
        """The lab's qdiscs, by tc in each node; `around` a node that was made anew, what went with it."""
        wanted = shaping.qdiscs(nodes.lab, wires.lost_with(nodes.lab, around) if around else None)
        if wanted:
            async with steps.step("qdiscs", "Set qdiscs"):
                for node, lines in wanted.items():
                    await shaping.set_qdiscs(cast(Nodes, self), nodes, node, lines)

    async def _remove(self, run: str) -> None:
        last = await self._remove_parts(run)
        self._release(run)
        if last:
            self._remove_parents()

    def _release(self, run: str) -> None:
        """What a run holds beside its parts; plain nodes hold nothing."""

    async def _remove_parts(self, run: str) -> bool:
        """All but the run's uid slot; processes first. True when it was the instance's last run."""
        await self._hierarchies.remove(marks.cgroup_of(self._instance, run))
        self._containers.forget(run)
        return bool((await self._ask("remove_run", run)).result)

    def _remove_parents(self) -> None:
        """Folders and groups that runs share, when nobody has a run: a start under way has its uid slot already."""
        group = marks.cgroup_of(self._instance)
        if not self._hierarchies.folders(group) and not self._containers.state_dir.exists():
            return
        if self._look().runs():
            return
        self._hierarchies.remove_if_empty(group)
        with suppress(FileNotFoundError):
            shutil.rmtree(self._containers.state_dir)
        if not uid_slots.any_taken():
            self._hierarchies.remove_if_empty(marks.cgroup_of(""))

    async def _ask(self, op: str, run: str, **arguments: Any) -> Answer:
        return await self._worker.call(op, base=str(self._base), instance=self._instance, run=run, **arguments)

    def _look(self) -> marks.Found:
        return marks.look(self._instance, self._base, self._hierarchies, self._containers.containers())

    def _place(self, nodes: RunNodes, node: str) -> NodePlace:
        try:
            return nodes.places[node]
        except KeyError:
            raise NetlabError(ErrorCode.NODE_UNKNOWN, node=node, nodes=", ".join(nodes.places)) from None


def count_of(things: Sequence[object], word: str) -> str:
    return f"{len(things)} {word}" if len(things) == 1 else f"{len(things)} {word}s"


def _is_mounted(pin: Path) -> bool:
    """nsfs and overlay are devices of their own."""
    try:
        return pin.stat().st_dev != pin.parent.stat().st_dev
    except OSError:
        return False
