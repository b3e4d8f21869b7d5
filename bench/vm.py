"""Figures of machines alone, from a cold boot to forty at once, with the real guest: second part of `make bench-vm`.

Needs a guest image, no netlab: what a start takes as its attendee sees it is `bench.vm_start`'s. The machines are of an
instance of their own, as are their templates; all of it is taken away again.
"""

import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from bench.start import percentile
from netlab.config import load_config
from netlab.domain.ids import new_run_id
from netlab.domain.lab_file import load_lab
from netlab.host.nsworker.client import NsWorker
from netlab.host.steps import SilentSink, Steps
from netlab.host.vm.acceleration import choose
from netlab.host.vm.api import Machine, Shape, Template
from netlab.host.vm.image import find_image
from netlab.host.vm.machine import QemuMachine
from netlab.host.vm.machines import QemuMachines
from netlab.host.vm.templates import TemplateStore
from netlab.host.vm_runs import baking
from netlab.host.vm_runs.port import GuestPort
from netlab.wire.guest_port import GUEST_FRAME_BYTES_MAX, Kind, PortSession

LAB = "xdp-01-first-program"
ALONE, TOGETHER = 20, 40
PAUSES = 3
FIRST_UID = 1_980_000_000
SETTLE_S, IDLE_S = 5, 20
READ_BYTES = 65_536
PING_AGAIN_S, PINGS_MAX = 1.0, 30


class Bench:
    def __init__(self, machines: QemuMachines, templates: TemplateStore) -> None:
        self.machines, self.templates = machines, templates
        self._made = 0

    async def clone(self, template: Template) -> tuple[QemuMachine, float, float]:
        """The machine; milliseconds until it runs, and until its agent has answered."""
        self._made += 1
        began = time.perf_counter()
        machine = await self.machines.clone(new_run_id(), template, FIRST_UID + self._made)
        running_ms = _ms(began)
        await answer(machine)
        return machine, running_ms, _ms(began)


async def answer(machine: Machine) -> None:
    """PING there, PONG back. A PING that is written while the guest finds out that somebody is there may be lost."""
    session = PortSession(frame_bytes_max=GUEST_FRAME_BYTES_MAX, acknowledges_itself=False)
    reader, writer = await machine.open_port()
    session.connected()
    for number in range(PINGS_MAX):
        session.send(Kind.PING, n=number)
        writer.write(session.take())
        with suppress(TimeoutError):
            async with asyncio.timeout(PING_AGAIN_S):
                while not any(message.kind is Kind.PONG for message in session.receive(await reader.read(READ_BYTES))):
                    pass
                writer.close()
                return
    raise TimeoutError(f"the guest of {machine.run} does not answer")


async def kept(machine: Machine) -> GuestPort:
    """Spoken to as the agent speaks to a run that nobody looks at: a ping now and then, its answer."""
    port = GuestPort(lambda message: 0.0)
    port.watched = False
    port.connect(*await machine.open_port())
    return port


def private_mb(pid: int) -> float:
    """What is nobody else's: pages of its own, not those of the template that it alone has touched so far."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return int(dict(line.split(":", 1) for line in lines)["Anonymous"].split()[0]) / 1024


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def cold_boot_ms(bench: Bench) -> float:
    """From nothing to a base template: a cold boot to the agent's first word, stopped and put away."""
    began = time.perf_counter()
    await bench.templates.base(Shape(256), baking.greet(lambda kernel, abilities: None))
    return _ms(began)


async def starts(bench: Bench, template: Template) -> None:
    running, answered = [], []
    for _ in range(ALONE):
        machine, running_ms, answered_ms = await bench.clone(template)
        running.append(running_ms)
        answered.append(answered_ms)
        await machine.kill()
    show("vm_clone_running", running)
    show("vm_clone_answer", answered)


async def together(bench: Bench, template: Template) -> None:
    began = time.perf_counter()
    room = asyncio.Semaphore(load_config().vm_clones_at_once)

    async def one() -> QemuMachine:
        async with room:
            return (await bench.clone(template))[0]

    made = await asyncio.gather(*(one() for _ in range(TOGETHER)))
    figure(f"vm_{TOGETHER}_clones_s", _ms(began) / 1000, "s", 2)
    ports = [await kept(machine) for machine in made]
    await asyncio.sleep(SETTLE_S)
    before = [cpu_s(machine.pid) for machine in made]
    await asyncio.sleep(IDLE_S)
    idle = [(cpu_s(machine.pid) - was) * 100 / IDLE_S for machine, was in zip(made, before, strict=True)]
    private = [private_mb(machine.pid) for machine in made]
    figure("vm_private_mb", statistics.mean(private), "MiB", 1)
    figure("vm_private_max_mb", max(private), "MiB", 1)
    figure("vm_idle_cpu_percent", statistics.mean(idle), "%", 2)
    figure("vm_idle_cpu_max_percent", max(idle), "%", 2)
    for port in ports:
        await port.close()
    began = time.perf_counter()
    await asyncio.gather(*(machine.kill() for machine in made))
    figure(f"vm_{TOGETHER}_removed_s", _ms(began) / 1000, "s", 2)


async def pauses(bench: Bench, template: Template, folder: Path) -> None:
    paused, resumed, sizes = [], [], []
    for _ in range(PAUSES):
        machine, _, _ = await bench.clone(template)
        began = time.perf_counter()
        await machine.suspend(folder)
        paused.append(_ms(began))
        sizes.append((folder / "state").stat().st_size / (1 << 20))
        began = time.perf_counter()
        again = await bench.machines.resume(machine.run, folder, template, FIRST_UID)
        await answer(again)
        resumed.append(_ms(began))
        await again.kill()
    show("vm_pause", paused)
    show("vm_resume", resumed)
    figure("vm_paused_mb", statistics.mean(sizes), "MiB")


@asynccontextmanager
async def bench_of(folder: Path) -> AsyncIterator[Bench]:
    instance = f"b{os.getpid():x}"[:8]
    config = load_config().model_copy(update={
        "instance": instance, "run_dir": Path("/run/netlab") / instance, "templates_dir": folder / "templates",
    })
    image = find_image(config.guest_dir)
    if image is None:
        raise SystemExit(f"There is no guest image in {config.guest_dir}: `make guest` builds it.")
    worker = NsWorker()
    await worker.start()
    machines = QemuMachines(config, worker, image, await choose(config, worker, image))
    sys.stdout.write(f"acceleration: {machines.hypervisor.acceleration}\n")
    try:
        yield Bench(machines, TemplateStore(config, machines))
    finally:
        for run in await machines.owned_runs():
            await machines.remove(run)
        await machines.close()
        await worker.close()
        shutil.rmtree(config.run_dir, ignore_errors=True)


async def main(wanted: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="netlab-bench-", dir=Path("/var/tmp")) as folder:
        async with bench_of(Path(folder)) as bench:
            figure("vm_cold_boot_ms", await cold_boot_ms(bench), "ms")
            lab, began = load_lab(load_config().labs_dir / LAB).spec, time.perf_counter()
            greet, bake = baking.greet(lambda kernel, abilities: None), baking.bake(lab)
            template = await bench.templates.get(baking.digest_of(lab), Shape(256), greet, bake, Steps(SilentSink()))
            figure("vm_bake_ms", _ms(began), "ms")
            parts: dict[str, Callable[[], Awaitable[None]]] = {
                "starts": lambda: starts(bench, template), "together": lambda: together(bench, template),
                "pauses": lambda: pauses(bench, template, Path(folder) / "paused"),
            }
            for name in wanted or parts:
                await parts[name]()


def show(name: str, values_ms: list[float]) -> None:
    figure(f"{name}_p50_ms", statistics.median(values_ms), "ms")
    figure(f"{name}_p95_ms", percentile(values_ms, 95), "ms")


def figure(name: str, value: float, unit: str, digits: int = 0) -> None:
    sys.stdout.write(f"figure {name} {value:.{digits}f} {unit}\n")
    sys.stdout.flush()


def _ms(began: float) -> float:
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
