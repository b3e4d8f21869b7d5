"""What the tests of machines share: an instance of their own, a tiny guest that boots quickly, its port, what exists of it."""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netlab.config import Config, load_config
from netlab.domain.ids import new_run_id
from netlab.host.kernel.cgroups import Hierarchies
from netlab.host.nodes.marks import cgroup_of
from netlab.host.nsworker.client import NsWorker
from netlab.host.steps import Steps
from netlab.host.vm.api import GuestImage, Machine, Shape, Template
from netlab.host.vm.image import find_image
from netlab.host.vm.machine import QemuMachine
from netlab.host.vm.machines import QemuMachines
from netlab.host.vm.qemu import identify
from netlab.host.vm.templates import TemplateStore

SHAPE = Shape(memory_mb=128)
FIRST_UID = 1_990_000_000
WITHIN_S = 90.0
TINY_GUEST = Path(__file__).parent / "tiny_guest" / "init.c"


def guest_image() -> GuestImage:
    image = find_image(load_config().guest_dir)
    assert image is not None, f"there is no guest image in {load_config().guest_dir}: `make guest` builds it"
    return image


def tiny_image(folder: Path) -> GuestImage:
    """The real kernel, and a root file system with one program that answers lines."""
    kernel = guest_image()
    root, empty = folder / "root", folder / "empty"
    for path in (root / "usr/lib/netlab", root / "proc", root / "sys", root / "dev", empty):
        path.mkdir(parents=True)
    compiler = ["gcc", "-static", "-O1", "-Wall", "-Werror", "-o", str(root / "usr/lib/netlab/init"), str(TINY_GUEST)]
    subprocess.run(compiler, check=True)
    for source, name in ((root, "root.squashfs"), (empty, "app.squashfs")):
        command = ["mksquashfs", str(source), str(folder / name), "-comp", "zstd", "-noappend", "-quiet", "-no-progress"]
        subprocess.run(command, check=True)
    shutil.copy(kernel.kernel, folder / "bzImage")
    return GuestImage(folder, f"tiny-{kernel.digest}", kernel.kernel_release)


class Line:
    """The tiny guest's port: a line there, a line back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, machine: Machine) -> "Line":
        return cls(*await machine.open_port())

    async def ask(self, line: str, within_s: float = WITHIN_S) -> str:
        self.say(line)
        return (await asyncio.wait_for(self.reader.readline(), within_s)).decode().strip()

    def say(self, line: str) -> None:
        self.writer.write(line.encode() + b"\n")


async def ask(machine: Machine, line: str) -> str:
    """On a connection of its own."""
    port = await Line.to(machine)
    try:
        return await port.ask(line)
    finally:
        port.writer.close()


async def greet(machine: Machine) -> None:
    assert await ask(machine, "ping") == "pong"


async def bake(machine: Machine) -> None:
    assert await ask(machine, "remember lab") == "ok"


@dataclass
class Told:
    """A sink of steps."""

    titles: list[str] = field(default_factory=list)

    def step_started(self, key: str, title: str) -> None:
        self.titles.append(title)

    def step_finished(self, key: str, title: str, ok: bool, ms: float, detail: str) -> None:
        pass


@dataclass
class Vms:
    """A host of machines with an instance of its own."""

    config: Config
    worker: NsWorker
    image: GuestImage
    machines: QemuMachines
    templates: TemplateStore
    made: int = 0

    @classmethod
    async def open(cls, config: Config, image: GuestImage) -> "Vms":
        worker = NsWorker()
        await worker.start()
        machines = QemuMachines(config, worker, image, await identify("tcg"))
        return cls(config, worker, image, machines, TemplateStore(config, machines))

    async def close(self) -> None:
        await self.machines.close()
        await self.worker.close()

    async def lab(self, digest: str = "lab", shape: Shape = SHAPE, sink: Told | None = None, **more: Any) -> Template:
        wanted = {"greet": greet, "bake": bake, **more}
        return await self.templates.get(digest, shape, wanted["greet"], wanted["bake"], Steps(sink or Told()))

    async def clone(self, template: Template | None = None) -> QemuMachine:
        self.made += 1
        return await self.machines.clone(new_run_id(), template or await self.lab(), FIRST_UID + self.made)

    def exists(self) -> list[str]:
        """Everything of this instance on the host."""
        hierarchies, own = Hierarchies.of_this_host(), cgroup_of(self.config.instance)
        found = [f"cgroup {path}" for path in hierarchies.folders(own)]
        found += [f"process {pid}" for pid in hierarchies.pids(own)]
        vms = self.config.run_dir / "vms"
        return found + [f"folder {path}" for path in (vms.iterdir() if vms.is_dir() else [])]


@asynccontextmanager
async def vms(image: GuestImage, templates_dir: Path, name: str = "v") -> AsyncIterator[Vms]:
    """Gives everything back and proves it."""
    instance = f"{name}{os.getpid():x}"[:8]
    run_dir = Path("/run/netlab") / instance
    config = load_config().model_copy(update={
        "instance": instance, "run_dir": run_dir, "state_dir": templates_dir, "templates_dir": templates_dir,
    })
    host = await Vms.open(config, image)
    try:
        assert host.exists() == []
        yield host
        for run in await host.machines.owned_runs():
            await host.machines.remove(run)
        assert host.exists() == []
    finally:
        for run in await host.machines.owned_runs():
            await host.machines.remove(run)
        await host.close()
        shutil.rmtree(run_dir, ignore_errors=True)


def run(*words: str | Path) -> None:
    """A command that works."""
    subprocess.run([str(word) for word in words], check=True)


async def until(condition: Callable[[], Any], what: str, within_s: float = WITHIN_S) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {within_s} s for {what}"
        await asyncio.sleep(0.01)
