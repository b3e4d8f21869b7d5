"""What the engine is given: the other parts of the host, as it sees them. Put together by the runtime; does nothing."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, cast

from netlab.config import Config
from netlab.domain.lab import ProgramSpec
from netlab.domain.resolve import ResolvedLab
from netlab.host.counters.api import Reading
from netlab.host.engine.state import RunRecord, RunStore
from netlab.host.kernel.bpf_news import BpfNews
from netlab.host.nodes.api import NodePlace, Nodes, RunNodes
from netlab.host.programs.map_layouts import MapLayouts
from netlab.host.runtimes.base import Outlet
from netlab.wire.events import Attachment, Event, EventBase


class Outcome(Protocol):
    """How a build ended: a dataclass with the fields of the event ProgramResult that are not the engine's own."""

    @property
    def outcome(self) -> str: ...

    @property
    def map_layouts(self) -> MapLayouts: ...


class ProgramBuilder(Protocol):
    """netlab.host.programs.service.Programs."""

    async def build(
        self, run_nodes: RunNodes, program: ProgramSpec, files: Mapping[str, str], *,
        load: bool, mode: Literal["native", "generic"] | None,
    ) -> Outcome: ...

    async def format(self, path: str, text: str) -> str: ...

    async def detach(self, run_nodes: RunNodes, node: str, interface: str, hook: str) -> None: ...

    async def attachments(self, run_nodes: RunNodes) -> list[Attachment]: ...


class CounterSampler(Protocol):
    """netlab.host.counters.client.Sampler."""

    async def add_run(self, run: str, lab: ResolvedLab, places: Mapping[str, NodePlace]) -> None: ...

    async def remove_run(self, run: str) -> None: ...

    def set_watched(self, runs: set[str]) -> None: ...

    def want_full(self, run: str) -> None: ...

    def reading(self, run: str, node: str, object_name: str, counter: str) -> Reading | None: ...

    def has_programs(self, run: str) -> bool: ...


@dataclass(frozen=True)
class HeldMaster:
    """A terminal's master as the holder kept it: a descriptor of our own, and what was deposited with it."""

    terminal: str
    descriptor: int
    meta: Mapping[str, Any]


class MasterHolder(Protocol):
    """netlab.host.holder.client.HolderClient: keeps masters of terminals while no agent runs."""

    async def put(self, terminal: str, descriptor: int, meta: Mapping[str, Any]) -> None: ...

    async def take_all(self) -> list[HeldMaster]: ...

    async def drop(self, terminal: str) -> None: ...


class NoHolder:
    """Where terminals need not outlive the engine: benches, a guest."""

    async def put(self, terminal: str, descriptor: int, meta: Mapping[str, Any]) -> None:
        pass

    async def take_all(self) -> list[HeldMaster]:
        return []

    async def drop(self, terminal: str) -> None:
        pass


async def _nothing_said(terminal: str) -> int:
    return 0


@dataclass
class Parts:
    config: Config
    nodes: Nodes
    programs: ProgramBuilder
    sampler: CounterSampler
    outlet: Outlet
    store: RunStore
    holder: MasterHolder = field(default_factory=NoHolder)
    end_offset: Callable[[str], Awaitable[int]] = _nothing_said
    """Where the output of an adopted terminal goes on."""
    runtime: str = "namespaces"
    """What a page is told: which runtime's run this is."""
    start_slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(4))
    bpf_news: BpfNews = field(default_factory=BpfNews)


@dataclass
class Teller:
    """Tells of one run: fills in what every event of it has in common."""

    record: RunRecord
    outlet: Outlet

    def tell(self, kind: type[EventBase], command: str | None = None, **fields: Any) -> None:
        event = kind(run=self.record.run, generation=self.record.generation, at=time.time(), command=command, **fields)
        self.outlet.event(cast(Event, event))
