"""The `namespaces` runtime: labs in this kernel. The engine behind the contract of `base`: a registry of run actors.

Called by the agent (and by the tester of labs). It routes, picks up after a restart, and knows what nobody owns.
"""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping

from netlab.config import Config
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import RuntimeName
from netlab.domain.lifecycle import RunState
from netlab.host.engine import shells
from netlab.host.engine.actor import RunActor
from netlab.host.engine.live_run import LiveRun
from netlab.host.engine.parts import CounterSampler, HeldMaster, MasterHolder, NoHolder, Parts, ProgramBuilder
from netlab.host.engine.state import ENDED_KEPT_S, RunRecord, RunStore
from netlab.host.engine.take_over import Wish
from netlab.host.engine.terminals import Terminal, TerminalDesk
from netlab.host.nodes.api import Nodes
from netlab.host.runtimes.base import Outlet
from netlab.wire.commands import Command, StartRun, StopRun
from netlab.wire.host_report import Leftover, RunningRun
from netlab.wire.terminals import TerminalMessage

log = logging.getLogger(__name__)

PICKED_UP_AT_ONCE = 8


async def _from_the_start(terminal: str) -> int:
    return 0


class NamespacesRuntime:
    """Runtime of `base`. `end_offset` says where the output of a terminal goes on that a killed agent had read."""

    def __init__(
        self, config: Config, nodes: Nodes, sampler: CounterSampler, programs: ProgramBuilder, outlet: Outlet, *,
        holder: MasterHolder | None = None, end_offset: Callable[[str], Awaitable[int]] = _from_the_start,
        name: RuntimeName = RuntimeName.NAMESPACES, store: RunStore | None = None, others: Callable[[], set[str]] = set,
    ) -> None:
        """`name` and `store` are others inside a guest: there the engine carries out the runs of the `vm` runtime. `others` are
        runs of this instance that are another runtime's: their groups and uid slots are nobody's leftovers."""
        self.name = name.value
        self._desk = TerminalDesk()
        self._actors: dict[str, RunActor] = {}
        self._others = others
        self._parts = Parts(
            config=config, nodes=nodes, programs=programs, sampler=sampler, outlet=outlet,
            store=store or RunStore(config.state_dir / "runs"), holder=holder or NoHolder(), end_offset=end_offset,
            runtime=self.name, start_slots=asyncio.Semaphore(config.concurrent_starts),
        )

    # --- life

    async def open(self) -> None:
        """Pick up what is there; see `base`."""
        held = {master.terminal: master for master in await self._parts.holder.take_all()}
        for record in self._parts.store.load_all():
            self._actors[record.run] = RunActor(self._parts, self._desk, record, self.name)
        await self._remove_strangers()
        room = asyncio.Semaphore(PICKED_UP_AT_ONCE)

        async def pick_up(actor: RunActor) -> None:
            async with room:
                await actor.pick_up(held)

        results = await asyncio.gather(*(pick_up(a) for a in self._actors.values()), return_exceptions=True)
        for actor, result in zip(list(self._actors.values()), results, strict=True):
            if isinstance(result, BaseException):
                log.error("run %s could not be picked up", actor.record.run, exc_info=result)
        await self._drop_unclaimed(held)

    async def close(self) -> None:
        await asyncio.gather(*(actor.close() for actor in self._actors.values()))

    async def _remove_strangers(self) -> None:
        """Nodes with this instance's mark of which no active run knows."""
        for run in await self._parts.nodes.owned_runs() - self.active_runs() - self._others():
            log.warning("removing what is left of run %s", run)
            try:
                await self._parts.nodes.remove(run)
            except Exception:  # it stays in the report's leftovers, the agent starts nevertheless
                log.exception("removing what is left of run %s", run)

    async def _drop_unclaimed(self, held: dict[str, HeldMaster]) -> None:
        """`held` is what no run has taken back. What a run still opens anew replaces what the holder has of it."""
        wanted = {t.id for actor in self._actors.values() if actor.record.active for t in actor.record.terminals}
        for terminal, master in held.items():
            os.close(master.descriptor)
            if terminal not in wanted:
                await self._parts.holder.drop(terminal)

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

    def _new_actor(self, command: StartRun | StopRun) -> RunActor:
        record = RunRecord(run=command.run, generation=0, state=RunState.STOPPED)
        actor = self._actors[command.run] = RunActor(self._parts, self._desk, record, self.name)
        return actor

    def _forget_old(self) -> None:
        """Runs that ended a day ago: nothing that was sent to them is still under way."""
        for run, actor in list(self._actors.items()):
            if not actor.record.active and time.time() - actor.record.changed_at > ENDED_KEPT_S:
                del self._actors[run]
                self._parts.store.delete(run)

    # --- beside commands

    def terminal(self, message: TerminalMessage) -> None:
        self._desk.take(message)

    def hold_terminals(self, held: bool) -> None:
        """Stop (or go on) reading all terminals: nobody can take their bytes now."""
        self._desk.hold(held)

    def hold_files(self, held: bool) -> None:
        """Stop (or go on) telling what shells change in files."""
        for actor in self._actors.values():
            actor.live.mirror.hold(held)

    def sync_files(self) -> None:
        """Tell now what shells have changed: the nodes are about to go."""
        for actor in self._actors.values():
            actor.live.mirror.sync()

    def take_over(self, run: str, wish: Wish, printed: Mapping[str, bytes | bytearray]) -> None:
        """The run that was built before anybody knew whose it would be is now somebody's; see engine.take_over."""
        actor = self._actors.get(run)
        if actor is None:
            raise NetlabError(ErrorCode.RUN_NOT_RUNNING)
        actor.take_over(wish, printed)

    def terminals(self, run: str) -> list[Terminal]:
        return self._desk.of_run(run)

    def live(self, run: str) -> LiveRun:
        """For whoever prepares a run that nobody has yet. Raises KeyError."""
        return self._actors[run].live

    def set_watched(self, runs: set[str]) -> None:
        self._parts.sampler.set_watched(runs)
        for run, actor in self._actors.items():
            actor.set_watched(run in runs)

    def set_sampled(self, runs: set[str]) -> None:
        """As `set_watched`, for counters alone: checks want to see what they do now."""
        self._parts.sampler.set_watched(runs)

    def want_full_sample(self, run: str) -> None:
        self._parts.sampler.want_full(run)

    def storm(self, run: str, node: str, interface: str, pps: int, limit_pps: int) -> None:
        """The sampler's storm guard has seen one."""
        actor = self._actors.get(run)
        if actor is not None:
            actor.storm(node, interface, pps, limit_pps)

    async def deposit_terminals(self, held: set[str]) -> None:
        """Give the holder what it lacks of our terminals, after it was restarted."""
        for actor in self._actors.values():
            await shells.deposit_missing(actor.live, held)

    # --- what there is

    def generation(self, run: str) -> int:
        """The newest wish about this run that was heard; 0 for a run that was never heard of."""
        actor = self._actors.get(run)
        return actor.record.generation if actor is not None else 0

    def active_runs(self) -> set[str]:
        return {run for run, actor in self._actors.items() if actor.record.active}

    def runs(self) -> list[RunningRun]:
        return [
            RunningRun(
                run=r.run, lab=r.lab.id, state=r.state.value, generation=r.generation,
                memory_mb=r.lab.memory_mb, cpu_percent=r.lab.cpu_percent,
            )
            for r in (actor.record for actor in self._actors.values()) if r.active and r.lab is not None
        ]

    async def leftovers(self) -> list[Leftover]:
        return await self._parts.nodes.leftovers(self.active_runs() | self._others())
