"""All runtimes of a host as one: each run belongs to the runtime that its StartRun names, also after a restart of the agent.

Called by the agent, who knows no other. It routes and adds up; it carries out nothing.
"""

import asyncio

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import RuntimeName
from netlab.host.runtimes.namespaces import NamespacesRuntime
from netlab.host.runtimes.vm import VmRuntime
from netlab.wire.commands import Command, StartRun
from netlab.wire.host_report import GuestReport, Leftover, RunningRun
from netlab.wire.terminals import TerminalMessage


class SeveralRuntimes:
    name = "several"

    def __init__(self, namespaces: NamespacesRuntime, vms: VmRuntime) -> None:
        self.namespaces, self.vms = namespaces, vms

    async def open(self) -> None:
        """Whose each run is must be known before anybody looks for what belongs to nobody."""
        self.vms.load()
        await asyncio.gather(self.namespaces.open(), self.vms.open())
        self.vms.watch_guest()

    async def close(self) -> None:
        await asyncio.gather(self.namespaces.close(), self.vms.close())

    async def handle(self, command: Command) -> None:
        known = max(self.namespaces.generation(command.run), self.vms.generation(command.run))
        if command.generation < known:
            raise NetlabError(ErrorCode.COMMAND_STALE)
        await self._of(command).handle(command)

    def _of(self, command: Command) -> NamespacesRuntime | VmRuntime:
        """Who has the run; for one that nobody has, who is to have it. A stop of an unknown run is kept by either."""
        run = command.run
        if run in self.vms.active_runs():
            return self.vms
        if run in self.namespaces.active_runs():
            return self.namespaces
        if isinstance(command, StartRun):
            return self.vms if command.runtime is RuntimeName.VM else self.namespaces
        return self.vms if self.vms.generation(run) else self.namespaces

    # --- beside commands

    def terminal(self, message: TerminalMessage) -> None:
        self.namespaces.terminal(message)
        self.vms.terminal(message)

    def hold_terminals(self, held: bool) -> None:
        self.namespaces.hold_terminals(held)
        self.vms.hold_terminals(held)

    def set_watched(self, runs: set[str]) -> None:
        self.namespaces.set_watched(runs - self.vms.active_runs())
        self.vms.set_watched(runs)

    def want_full_sample(self, run: str) -> None:
        self.namespaces.want_full_sample(run)
        self.vms.want_full_sample(run)

    def storm(self, run: str, node: str, interface: str, pps: int, limit_pps: int) -> None:
        """The host's sampler sees shared kernels only: a guest's storm is limited by its own processor."""
        self.namespaces.storm(run, node, interface, pps, limit_pps)

    async def deposit_terminals(self, held: set[str]) -> None:
        """Terminals in guests outlive the agent by themselves."""
        await self.namespaces.deposit_terminals(held)

    # --- what there is

    def guest_report(self) -> GuestReport:
        return self.vms.guest_report()

    def runs(self) -> list[RunningRun]:
        return [*self.namespaces.runs(), *self.vms.runs()]

    async def leftovers(self) -> list[Leftover]:
        return [*await self.namespaces.leftovers(), *await self.vms.leftovers()]
