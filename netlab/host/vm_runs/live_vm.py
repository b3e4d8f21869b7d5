"""What the host holds in memory of one run in a VM: its record, its terminals' lines, and the conversation with its guest.

Made by the run's actor; filled and emptied by `lifecycle`. It survives resets, pauses and broken guests; a run that has
ended has an empty one.
"""

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import LabSpec
from netlab.domain.lifecycle import RunState
from netlab.host.engine.parts import Teller
from netlab.host.engine.state import TerminalState
from netlab.host.vm.api import Shape
from netlab.host.vm_runs.lines import Lines
from netlab.host.vm_runs.parts import VmParts
from netlab.host.vm_runs.record import VmRecord
from netlab.wire.commands import OpenTerminal
from netlab.wire.events import EventBase, RunStateChanged, TerminalClosed

if TYPE_CHECKING:
    from netlab.host.vm_runs.conversation import Conversation

RUNTIME = "vm"
SAVE_AFTER_S = 0.15
"""Before the guest is told that what it said is safe."""
SAVE_SHARE = 0.05
"""Of the agent's one thread: so much may one guest cost by giving reasons to save, for ever."""


class LiveVm:
    def __init__(self, parts: VmParts, record: VmRecord) -> None:
        self.parts, self.record = parts, record
        self.lines = Lines(record.bases)
        self.conversation: Conversation | None = None
        self.watched = False
        self._teller = Teller(record, parts.outlet)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._save_waits = False
        self._save_after_s = SAVE_AFTER_S

    # --- words

    @property
    def run(self) -> str:
        return self.record.run

    @property
    def lab(self) -> LabSpec:
        if self.record.lab is None:
            raise NetlabError(ErrorCode.RUN_NOT_RUNNING)
        return self.record.lab

    @property
    def shape(self) -> Shape:
        return Shape(self.lab.vm.memory_mb, self.lab.vm.cpus)

    @property
    def guest(self) -> "Conversation":
        """Raises RUN_NOT_RUNNING while there is none."""
        if self.conversation is None:
            raise NetlabError(ErrorCode.RUN_NOT_RUNNING)
        return self.conversation

    # --- telling

    def tell(self, kind: type[EventBase], command: str | None = None, **fields: Any) -> None:
        self._teller.tell(kind, command, **fields)

    def tell_state(self, command: str | None = None) -> None:
        self.tell(RunStateChanged, command, state=self.record.state, error=self.record.error, runtime=RUNTIME)

    async def save(self, *, durable: bool = False) -> None:
        await self.parts.store.save(self.record, durable=durable)

    def save_soon(self) -> None:
        """However often a guest gives reason for it, one save at a time waits."""
        if not self._save_waits:
            self._save_waits = True
            self.background(self._save_once())

    async def _save_once(self) -> None:
        await asyncio.sleep(self._save_after_s)
        self._save_waits = False
        began = time.monotonic()
        await self.save()
        self._save_after_s = max(SAVE_AFTER_S, (time.monotonic() - began) / SAVE_SHARE)

    def background(self, work: Any) -> None:
        """Something small that nobody waits for; `settle` does before the run goes away."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        while self._tasks:
            with suppress(Exception):
                await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- terminals

    def expect_terminal(self, command: OpenTerminal) -> None:
        """From now on the guest may speak of it."""
        if self.record.terminal(command.terminal) is None:
            spec = self.lab.node(command.node)
            title = (spec.title if spec else "") or command.node
            wanted = TerminalState(
                id=command.terminal, node=command.node, title=title, declared=False, rows=command.rows, cols=command.cols,
            )
            self.record.terminals = [*self.record.terminals, wanted]

    def forget_terminal(self, terminal: str) -> None:
        """It never came to be."""
        state = self.record.terminal(terminal)
        if state is not None and not state.open and not state.declared:
            self.record.terminals = [t for t in self.record.terminals if t.id != terminal]
            self.lines.drop(terminal)

    def close_terminals(self, reason: str, *, declared: bool) -> None:
        """Their shells are gone. Without `declared` the lab's own are not told as closed: the next guest goes on with them."""
        for state in list(self.record.terminals):
            if state.declared and not declared:
                continue
            if state.open:
                self.tell(TerminalClosed, terminal=state.id, reason=reason)
            state.open = False
            if not state.declared:
                self.record.terminals = [t for t in self.record.terminals if t.id != state.id]
                self.lines.drop(state.id)

    @property
    def is_going_on(self) -> bool:
        """A guest is there, or may be soon."""
        return self.record.state in (RunState.STARTING, RunState.RUNNING, RunState.RESETTING)
