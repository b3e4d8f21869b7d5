"""Puts the `vm` runtime together with the machines of this host. Called by the agent, the lab tester and the tests.

Machines are found again and removed without a guest image; the image, and how its guests run here, are given to them when the
watch has found and tried one.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from netlab.config import Config
from netlab.host.nsworker.client import NsWorker
from netlab.host.programs.compiler import Compiler
from netlab.host.runtimes.base import Outlet
from netlab.host.runtimes.vm import VmRuntime
from netlab.host.vm.acceleration import choose
from netlab.host.vm.api import Acceleration, GuestImage, Templates
from netlab.host.vm.machines import QemuMachines
from netlab.host.vm.qemu import Hypervisor
from netlab.host.vm.templates import TemplateStore
from netlab.host.vm_runs.guest_watch import GuestWatch

NO_IMAGE = GuestImage(folder=Path("/nonexistent"), digest="", kernel_release="")
NO_HYPERVISOR = Hypervisor(binary=Path("/nonexistent"), version="", acceleration="tcg")


@dataclass(frozen=True)
class Vms:
    runtime: VmRuntime
    machines: QemuMachines

    async def close(self) -> None:
        """After the runtime: lets go of all machines, which go on."""
        await self.machines.close()


def machines_of(config: Config, worker: NsWorker) -> QemuMachines:
    """Enough to find and to remove: for the operator's tools."""
    return QemuMachines(config, worker, NO_IMAGE, NO_HYPERVISOR)


def assemble(
    config: Config, worker: NsWorker, compiler: Compiler, outlet: Outlet, end_offset: Callable[[str], Awaitable[int]],
) -> Vms:
    machines = machines_of(config, worker)

    async def open_image(image: GuestImage) -> tuple[Templates, Acceleration]:
        hypervisor = await choose(config, worker, image)
        machines.image, machines.hypervisor = image, hypervisor
        return TemplateStore(config, machines), hypervisor.acceleration

    watch = GuestWatch(config, open_image)
    return Vms(VmRuntime(config, machines, watch, compiler, outlet, end_offset=end_offset), machines)
