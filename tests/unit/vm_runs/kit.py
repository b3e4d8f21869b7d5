"""The runtime under test, its recorder, and a start in few words."""

from typing import cast

from netlab.config import Config
from netlab.domain.ids import new_command_id, new_run_id, new_terminal_id
from netlab.domain.lab import Isolation, RuntimeName
from netlab.domain.lifecycle import RunState
from netlab.host.programs.compiler import SandboxCompiler
from netlab.host.runtimes.vm import VmRuntime
from netlab.host.vm.api import Acceleration, GuestImage, Templates
from netlab.host.vm_runs.guest_watch import GuestWatch
from netlab.wire.commands import Command, CommandBase, LabFile, StartRun
from netlab.wire.events import RunStateChanged
from tests.contract.kit import Recorder, lab
from tests.unit.vm_runs.peer import Guest, PeerMachines, PeerTemplates, make_image
from tests.waiting import until


class VmKit:
    def __init__(self, config: Config) -> None:
        self.config = config
        self.out = Recorder()
        self.machines, self.templates = PeerMachines(), PeerTemplates(config.state_dir)
        self.runtime = self._runtime()

    def _runtime(self) -> VmRuntime:
        async def open_image(image: GuestImage) -> tuple[Templates, Acceleration]:
            return self.templates, "tcg"

        watch = GuestWatch(self.config, open_image)
        compiler = SandboxCompiler(self.config)
        return VmRuntime(self.config, self.machines, watch, compiler, self.out, end_offset=self._end_offset)

    async def _end_offset(self, terminal: str) -> int:
        return self.out.end_offset.get(terminal, 0)

    async def open(self) -> None:
        make_image(self.config.guest_dir)
        await self._open()

    async def _open(self) -> None:
        self.runtime.load()
        await self.runtime.open()
        self.runtime.watch_guest()
        await until(lambda: self.runtime.guest_report().state == "ready", "the guest")

    async def restart(self) -> None:
        """As a killed agent comes back: nothing is said to the old one any more."""
        await self.runtime.close()
        self.runtime = self._runtime()
        await self._open()

    async def end(self) -> None:
        await self.runtime.close()
        for run in list(self.machines.running):
            await self.machines.remove(run)
        for run in self.runtime.active_runs():
            self.runtime._parts.release_uid(run)

    async def start(self, *, wait: bool = True) -> "VmRun":
        run = VmRun(self, new_run_id(), [new_terminal_id(), new_terminal_id()])
        await run.send(
            StartRun, lab=lab(), lab_digest="d", files=[LabFile(path="a.c", content="int a;\n", version=3)],
            runtime=RuntimeName.VM, isolation=Isolation.PRIVATE, terminals=run.terminals,
        )
        if wait:
            await run.is_now(RunState.RUNNING)
        return run


class VmRun:
    def __init__(self, kit: VmKit, run: str, terminals: list[str]) -> None:
        self.kit, self.id, self.terminals, self.generation = kit, run, terminals, 1

    @property
    def guest(self) -> Guest:
        return self.kit.machines.guest(self.id)

    async def send(self, kind: type[CommandBase], **fields: object) -> Command:
        command = cast(Command, kind.model_validate({
            "id": new_command_id(), "run": self.id, "generation": self.generation, **fields,
        }))
        await self.kit.runtime.handle(command)
        return command

    async def is_now(self, state: RunState, *, after: int = 0, within_s: float = 30) -> RunStateChanged:
        return await self.kit.out.told(RunStateChanged, run=self.id, state=state, after=after, within_s=within_s)
