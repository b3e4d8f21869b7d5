"""One actor a run of the `namespaces` runtime: carries out its commands, and picks the run up after a restart.

Made and asked by the runtime. `accepting` decides whether and when, `carry_out` knows what; the actor knows no kernel.
"""

import logging
import os
from collections.abc import Mapping

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lifecycle import RunState
from netlab.host.engine import attention, captures, carry_out, lifecycle, take_over, traces
from netlab.host.engine.accepting import START_TRIES_MAX, AcceptingActor
from netlab.host.engine.live_run import LiveRun
from netlab.host.engine.parts import HeldMaster, Parts
from netlab.host.engine.state import RunRecord
from netlab.host.engine.terminals import TerminalDesk
from netlab.wire.commands import Command, PauseRun, ResumeRun, StartRun
from netlab.wire.events import StormStopped

log = logging.getLogger(__name__)

ACCEPTS = frozenset({RunState.STARTING, RunState.RUNNING, RunState.RESETTING})
"""States in which commands about a run's inside are taken; they wait until it runs."""


class RunActor(AcceptingActor):
    def __init__(self, parts: Parts, desk: TerminalDesk, record: RunRecord, runtime: str) -> None:
        self.live = LiveRun(parts, desk, record)
        super().__init__(self.live)
        self._runtime = runtime
        self._stormed: set[tuple[str, str]] = set()

    # --- commands

    def _check_start(self, command: StartRun) -> None:
        carry_out.check_start(command, self._runtime)

    async def _accept_pause(self, command: PauseRun | ResumeRun) -> None:
        """Shells, sockets and programs of a node live in the kernel that everybody shares: nothing can be put aside."""
        if isinstance(command, PauseRun):
            raise NetlabError(ErrorCode.CANNOT_PAUSE, why="it runs on a kernel that it shares with other labs")
        self.live.tell_state(command.id)

    async def _accept_inside(self, command: Command) -> None:
        if self.record.state not in ACCEPTS:
            raise NetlabError(ErrorCode.RUN_NOT_RUNNING)
        carry_out.check(self.live.lab, self.record.files, command)
        await self._enqueue(command)

    async def _do(self, command: Command) -> None:
        await carry_out.carry_out(self.live, command)

    # --- beside the commands

    def take_over(self, wish: take_over.Wish, printed: Mapping[str, bytes | bytearray]) -> None:
        """What was baked becomes this start's. Raises START_FAILED when it is something else."""
        take_over.take_over(self.live, wish, printed)
        self.record.remember(wish.id)

    def set_watched(self, watched: bool) -> None:
        if watched != self.live.watched:
            self.live.watched = watched
            if watched:
                self.live.told_verdicts = {}
            attention.refresh(self.live)

    def storm(self, node: str, interface: str, pps: int, limit_pps: int) -> None:
        """The guard saw too many packets: the link goes down at once, whatever else the run is doing."""
        if (node, interface) not in self._stormed and self.live.run_nodes is not None:
            self._stormed.add((node, interface))
            self.live.background(self._stop_storm(node, interface, pps, limit_pps))

    async def _stop_storm(self, node: str, interface: str, pps: int, limit_pps: int) -> None:
        try:
            await self.live.parts.nodes.set_link(self.live.nodes_there, node, interface, False)
            shown = os.fsencode(interface).decode(errors="backslashreplace")  # attendees may name devices by any bytes
            self.live.tell(StormStopped, node=node, interface=shown, pps=pps, limit_pps=limit_pps)
        except Exception:  # a background task's edge: the guard sees the storm again and asks again
            log.exception("setting %s:%s of %s down", node, interface, self.record.run)
        finally:
            self._stormed.discard((node, interface))

    # --- across restarts of the agent

    async def pick_up(self, held: dict[str, HeldMaster]) -> None:
        """Go on where a killed agent left off: adopt what is there, carry out what was accepted."""
        record = self.record
        if not record.active:
            return
        if record.state is RunState.RUNNING:
            if not await lifecycle.adopt(self.live, held):
                return
        elif record.state is not RunState.STOPPING and record.tries >= START_TRIES_MAX:
            why = "netlab was stopped twice while it was being built"
            await lifecycle.fail(self.live, NetlabError(ErrorCode.RUN_LOST, why=why).body(), None)
            return
        self._go_on()

    async def close(self) -> None:
        """Let go without ending the run: what is under way is undone and stays pending, shells stay with the holder."""
        self._closing = True
        await attention.pause(self.live)
        await captures.forget_all(self.live)
        await traces.forget(self.live)
        self.live.node_watch.end()
        await self._end_loop()
        await self.live.settle()
        for terminal in self.live.desk.of_run(self.record.run):
            self.live.desk.remove(terminal.id)
            terminal.let_go()
        self.live.mirror.close()
