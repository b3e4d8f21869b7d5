"""What runs in VMs are given: the other parts of the host, as they see them. Put together by the `vm` runtime; does nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from netlab.config import Config
from netlab.host.kernel import uid_slots
from netlab.host.programs.compiler import Compiler
from netlab.host.runtimes.base import Outlet
from netlab.host.vm.api import Machines
from netlab.host.vm_runs.guest_watch import GuestWatch
from netlab.host.vm_runs.record import VmStore


async def _nothing_said(terminal: str) -> int:
    return 0


@dataclass
class VmParts:
    config: Config
    machines: Machines
    guest: GuestWatch
    compiler: Compiler
    outlet: Outlet
    store: VmStore
    end_offset: Callable[[str], Awaitable[int]] = _nothing_said
    """Where the output of a terminal goes on that a killed agent had told."""
    clone_slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(4))
    held: bool = False
    """Nobody takes terminals' bytes now."""

    def take_uid(self, run: str) -> int:
        """The host uid of the run's QEMU: of nobody else. Raises NoSlotFree."""
        slot = uid_slots.take(self.config.instance, run, self.config.uid_slots)
        return slot.uid_base(self.config.uid_base)

    def release_uid(self, run: str) -> None:
        uid_slots.release(self.config.instance, run)
