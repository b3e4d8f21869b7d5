"""What the engine holds in memory of one run: its nodes, files, terminals, and who looks at it.

Made by the run's actor; filled and emptied by `lifecycle`, used by everything that carries out a command. It survives
the run's resets; a run that has ended has an empty one.
"""

import asyncio
from contextlib import suppress
from typing import Any

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import LabSpec
from netlab.domain.lifecycle import RunState
from netlab.host.engine.captures import Captures
from netlab.host.engine.files import FileMirror
from netlab.host.engine.node_watch import NodeWatch
from netlab.host.engine.parts import Parts, Teller
from netlab.host.engine.state import RunRecord
from netlab.host.engine.terminals import TerminalDesk
from netlab.host.engine.traces import RunTrace
from netlab.host.nodes.api import RunNodes
from netlab.wire.events import (
    Attachment,
    CheckVerdict,
    EventBase,
    NodeStopped,
    RunStateChanged,
)


class LiveRun:
    def __init__(self, parts: Parts, desk: TerminalDesk, record: RunRecord) -> None:
        self.parts, self.desk, self.record = parts, desk, record
        self.teller = Teller(record, parts.outlet)
        self.mirror = FileMirror(self.teller, self.save_soon)
        self.node_watch = NodeWatch(lambda node: self.tell(NodeStopped, node=node))
        self.run_nodes: RunNodes | None = None
        self.nodes_steady = False
        """False while nodes are made or removed: nobody may look at them."""
        self.attention: asyncio.Task[None] | None = None
        self.watched = False
        self.captures = Captures()
        self.trace = RunTrace()
        self.told_verdicts: dict[str, CheckVerdict] = {}
        """Of the open step: what browsers know."""
        self.told_attachments: list[Attachment] | None = None
        self.had_programs = False
        """Somebody has attached one in this run, so it may happen again at any moment, also with what is loaded already."""
        self.programs_looked = asyncio.Event()
        """Set after each look for programs."""
        self._tasks: set[asyncio.Task[Any]] = set()

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
    def nodes_there(self) -> RunNodes:
        """Raises RUN_NOT_RUNNING while there are none."""
        if self.run_nodes is None:
            raise NetlabError(ErrorCode.RUN_NOT_RUNNING)
        return self.run_nodes

    @property
    def wants_attention(self) -> bool:
        """Somebody looks, and there is something to look at."""
        return self.watched and self.nodes_steady and self.record.state is RunState.RUNNING

    # --- telling

    def tell(self, kind: type[EventBase], command: str | None = None, **fields: Any) -> None:
        self.teller.tell(kind, command, **fields)

    def tell_state(self, command: str | None = None) -> None:
        self.tell(RunStateChanged, command, state=self.record.state, error=self.record.error, runtime=self.parts.runtime)

    async def save(self, *, durable: bool = False) -> None:
        await self.parts.store.save(self.record, durable=durable)

    def save_soon(self) -> None:
        self.background(self.save())

    def background(self, work: Any) -> None:
        """Something small that nobody waits for; `settle` does before the run goes away."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        while self._tasks:
            with suppress(Exception):
                await asyncio.gather(*self._tasks, return_exceptions=True)
