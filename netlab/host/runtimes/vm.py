"""The `vm` runtime: each run has a machine with a kernel of its own, in which the same engine runs. A registry of run actors.

Called by the agent through `several`. It routes, picks up after a restart, and knows which machines nobody owns. A run's
life (start, reset, stop, pause) is carried out here; everything inside it is the guest's engine's.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from netlab.config import Config
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import RuntimeName
from netlab.domain.lifecycle import RunState
from netlab.domain.placement import cost_of
from netlab.host.engine.state import ENDED_KEPT_S
from netlab.host.programs.compiler import Compiler
from netlab.host.runtimes.base import Outlet
from netlab.host.vm.api import Machines, Template
from netlab.host.vm.marks import marked_runs
from netlab.host.vm_runs.actor import VmActor
from netlab.host.vm_runs.batches import BatchingOutlet
from netlab.host.vm_runs.guest_watch import GuestWatch
from netlab.host.vm_runs.parts import VmParts
from netlab.host.vm_runs.record import VmRecord, VmStore
from netlab.wire.commands import Command, StartRun, StopRun
from netlab.wire.host_report import GuestReport, Leftover, RunningRun
from netlab.wire.terminals import TerminalMessage

log = logging.getLogger(__name__)

PICKED_UP_AT_ONCE = 8
STATE_FOLDER = "vms"
"""Of state_dir: what each run should be, and the memory of those that are paused."""


async def _from_the_start(terminal: str) -> int:
    return 0


class VmRuntime:
    """Runtime of `base`. `end_offset` says where the output of a terminal goes on that a killed agent had told."""

    name = RuntimeName.VM.value

    def __init__(
        self, config: Config, machines: Machines, guest: GuestWatch, compiler: Compiler, outlet: Outlet, *,
        end_offset: Callable[[str], Awaitable[int]] = _from_the_start,
    ) -> None:
        self._actors: dict[str, VmActor] = {}
        self._watched: set[str] = set()
        self._parts = VmParts(
            config=config, machines=machines, guest=guest, compiler=compiler, outlet=BatchingOutlet(outlet),
            store=VmStore(config.state_dir / STATE_FOLDER), end_offset=end_offset,
            clone_slots=asyncio.Semaphore(config.vm_clones_at_once),
        )

    # --- life

    def load(self) -> None:
        """What is on disk. Before `open`, so that others know which runs are ours."""
        for record in self._parts.store.load_vms():
            self._actors[record.run] = VmActor(self._parts, record)

    async def open(self) -> None:
        """Pick up what is there; see `base`."""
        await self._remove_strangers()
        room = asyncio.Semaphore(PICKED_UP_AT_ONCE)

        async def pick_up(actor: VmActor) -> None:
            async with room:
                await actor.pick_up()

        results = await asyncio.gather(*(pick_up(a) for a in self._actors.values()), return_exceptions=True)
        for actor, result in zip(list(self._actors.values()), results, strict=True):
            if isinstance(result, BaseException):
                log.error("run %s could not be picked up", actor.record.run, exc_info=result)

    def watch_guest(self) -> None:
        """Notice the guest image and try it. When nobody looks for strangers any more: what is baked belongs to no run."""
        self._parts.guest.open()

    async def close(self) -> None:
        await self._parts.guest.close()
        await asyncio.gather(*(actor.close() for actor in self._actors.values()))

    async def _remove_strangers(self) -> None:
        """Machines with this instance's mark, and memories on disk, of which no active run knows."""
        active = self.active_runs()
        for run in await self._parts.machines.owned_runs() - active:
            log.warning("removing what is left of the machine of run %s", run)
            try:
                await self._parts.machines.remove(run)
                self._parts.release_uid(run)
            except Exception:  # it stays in the report's leftovers, the agent starts nevertheless
                log.exception("removing what is left of the machine of run %s", run)
        for run in self._parts.store.memories() - active:
            self._parts.store.drop_memory(run)

    # --- commands

    async def handle(self, command: Command) -> None:
        actor = self._actors.get(command.run)
        if actor is None:
            if not isinstance(command, StartRun | StopRun):
                raise NetlabError(ErrorCode.RUN_NOT_RUNNING)
            actor = self._new_actor(command)
        try:
            await actor.accept(command)
        except NetlabError:
            if not actor.record.commands:  # refused before anything was known of this run
                self._actors.pop(command.run, None)
            raise
        self._forget_old()

    def _new_actor(self, command: StartRun | StopRun) -> VmActor:
        record = VmRecord(run=command.run, generation=0, state=RunState.STOPPED)
        actor = self._actors[command.run] = VmActor(self._parts, record)
        actor.set_watched(command.run in self._watched)
        return actor

    def _forget_old(self) -> None:
        """Runs that ended a day ago: nothing that was sent to them is still under way."""
        for run, actor in list(self._actors.items()):
            if not actor.record.active and time.time() - actor.record.changed_at > ENDED_KEPT_S:
                del self._actors[run]
                self._parts.store.delete(run)

    # --- beside commands

    def terminal(self, message: TerminalMessage) -> None:
        actor = self._actors.get(message.run)
        if actor is not None and actor.live.conversation is not None:
            actor.live.conversation.terminal(message)

    def hold_terminals(self, held: bool) -> None:
        """Stop (or go on) reading all terminals: nobody can take their bytes now."""
        self._parts.held = held
        for actor in self._actors.values():
            if actor.live.conversation is not None:
                actor.live.conversation.hold(held)

    def set_watched(self, runs: set[str]) -> None:
        self._watched = runs
        for run, actor in self._actors.items():
            actor.set_watched(run in runs)

    def want_full_sample(self, run: str) -> None:
        actor = self._actors.get(run)
        if actor is not None and actor.live.conversation is not None:
            actor.live.conversation.want_full()

    # --- what there is

    def generation(self, run: str) -> int:
        """The newest wish about this run that was heard; 0 for a run that was never heard of."""
        actor = self._actors.get(run)
        return actor.record.generation if actor is not None else 0

    def active_runs(self) -> set[str]:
        return {run for run, actor in self._actors.items() if actor.record.active}

    def machines_names(self) -> set[str]:
        """Of all that is ours or becomes a template: groups and uid slots of these names are no nodes' leftovers."""
        return self.active_runs() | marked_runs(self._parts.config.run_dir)

    def backlog_bytes(self, run: str) -> int:
        """What is kept here for a guest that has not taken it yet."""
        actor = self._actors.get(run)
        return actor.live.conversation.backlog_bytes if actor is not None and actor.live.conversation is not None else 0

    def template_of(self, run: str) -> Template | None:
        """What the run's machine was cloned from."""
        actor = self._actors.get(run)
        note = actor.live.record.template if actor is not None else None
        return note.template() if note is not None else None

    def guest_report(self) -> GuestReport:
        return self._parts.guest.report

    def runs(self) -> list[RunningRun]:
        records = (actor.live.record for actor in self._actors.values())
        return [_described(record) for record in records if record.active and record.lab is not None]

    async def leftovers(self) -> list[Leftover]:
        return await self._parts.machines.leftovers(self.active_runs())


def _described(record: VmRecord) -> RunningRun:
    """A run that is paused or broken holds nothing of the machine."""
    assert record.lab is not None
    cost = cost_of(record.lab, RuntimeName.VM)
    holds = record.state not in (RunState.PAUSED, RunState.BROKEN)
    return RunningRun(
        run=record.run, lab=record.lab.id, state=record.state.value, generation=record.generation,
        memory_mb=cost.memory_mb if holds else 0, cpu_percent=cost.cpu_percent if holds else 0,
    )
