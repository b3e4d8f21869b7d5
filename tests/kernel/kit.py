"""What the tests of nodes share: labs, an instance of their own, a look at what exists of it, a terminal to type into."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netlab.config import Config
from netlab.domain.ids import new_run_id
from netlab.domain.lab import Isolation, LabSpec
from netlab.domain.resolve import ResolvedLab, resolve
from netlab.host.kernel.cgroups import Hierarchies
from netlab.host.nodes.api import NewTerminal, Nodes, RunNodes
from netlab.host.nodes.plain import PlainNodes
from netlab.host.nodes.sandboxed import SandboxedNodes
from netlab.host.nsworker.client import NsWorker
from netlab.host.steps import SilentSink, Steps

WITHIN_S = 60.0


def lab(**more: Any) -> ResolvedLab:
    """client:eth0 - server:eth0, unless told otherwise."""
    return resolve(LabSpec.model_validate({
        "id": "two", "title": "Two nodes", "summary": "Two nodes and a wire.", "topic": "xdp", "minutes": 1,
        "nodes": [
            {"name": "client", "interfaces": [{"name": "eth0", "addresses": ["10.0.0.1/24"]}],
             "routes": [{"to": "10.9.0.0/16", "via": "10.0.0.2"}]},
            {"name": "server", "interfaces": [{"name": "eth0", "addresses": ["10.0.0.2/24"], "mtu": 1400}],
             "sysctls": {"net.ipv4.ip_forward": 1}},
        ],
        "links": [{"ends": ["client:eth0", "server:eth0"]}], "steps": [{"id": "one", "title": "One", "text": "one.md"}],
        **more,
    }))


@dataclass
class Host:
    """One kind of nodes with its own instance and fork server."""

    kind: str
    config: Config
    worker: NsWorker
    nodes: Nodes

    async def build(self, what: ResolvedLab | None = None, isolation: Isolation = Isolation.STRANGERS, run: str = "") -> RunNodes:
        async with Steps(SilentSink()) as steps:
            made = await self.nodes.create(run or new_run_id(), what or lab(), isolation, steps)
            steps.keep()
        return made

    def fresh(self) -> Nodes:
        """As after a restart of the agent: nothing remembered."""
        return make(self.kind, self.config, self.worker)


def make(kind: str, config: Config, worker: NsWorker) -> Nodes:
    if kind == "plain":
        return PlainNodes(config, worker)
    if kind == "runc":
        return SandboxedNodes(config, worker, container_runtimes=["runc"])
    return SandboxedNodes(config, worker, overlay_by_host=kind == "overlay_by_host")


@asynccontextmanager
async def host(kind: str, tmp_path: Path, rootfs: Path | None = None) -> AsyncIterator[Host]:
    """Gives everything back and proves it."""
    instance = f"k{os.getpid():x}"[:8]
    run_dir = Path("/run/netlab") / instance
    config = Config(instance=instance, run_dir=run_dir, state_dir=tmp_path, rootfs_dir=rootfs or Config().rootfs_dir)
    assert exists(config) == []
    worker = NsWorker()
    nodes = make(kind, config, worker)
    try:
        yield Host(kind, config, worker, nodes)
        for run in await nodes.owned_runs():
            await nodes.remove(run)
        assert exists(config) == []
        assert await nodes.leftovers(set()) == []
    finally:
        for run in await nodes.owned_runs():
            await nodes.remove(run)
        await worker.close()
        for folder in (run_dir / "runs", run_dir):
            if folder.is_dir():
                folder.rmdir()


def exists(config: Config) -> list[str]:
    """What the kernel and the file system show of an instance, found without the code under test."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    names = list(Path("/run/netns").glob(f"nl.{config.instance}.*"))
    slots = [p for p in Path("/run/netlab/uid-slots").glob("[0-9]*") if p.read_text().startswith(f"{config.instance} ")]
    groups = [root / "netlab" / config.instance for root in Hierarchies.of_this_host().roots]
    return [
        *(f"mount {m}" for m in mounts if m.startswith(str(config.run_dir))), *map(str, names), *map(str, slots),
        *(str(group) for group in groups if group.exists()), *map(str, config.run_dir.glob("runs/*")),
        *map(str, config.run_dir.glob("crun/*")),
    ]


class Typist:
    """Types into a terminal's master and waits for what must appear."""

    def __init__(self, terminal: NewTerminal) -> None:
        self.terminal = terminal
        self.seen = bytearray()
        self.ended = False

    def type(self, text: str | bytes) -> None:
        self.seen.clear()
        os.write(self.terminal.master, text.encode() if isinstance(text, str) else text)

    async def see(self, text: str | bytes, within_s: float = WITHIN_S) -> str:
        wanted = text.encode() if isinstance(text, str) else text
        async with asyncio.timeout(within_s):
            while wanted not in self.seen:
                assert not self.ended, bytes(self.seen)
                await self._read()
        return self.seen.decode(errors="replace")

    async def see_end(self) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not self.ended:
                await self._read()

    async def _read(self) -> None:
        try:
            data = os.read(self.terminal.master, 65536)
            self.ended = not data
            self.seen += data
        except BlockingIOError:
            await asyncio.sleep(0.005)
        except OSError:  # EIO: the last one who had the terminal open has gone
            self.ended = True

    def close(self) -> None:
        os.close(self.terminal.master)
