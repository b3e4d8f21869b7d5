"""The agent's side of the sampler: starts it, keeps it alive with its runs, and hands on what it reports.

Owned by the `namespaces` runtime. Callbacks are called on the event loop, in the order of the sampler's reports, and
must not wait. It reads no counter itself.
"""

import asyncio
import logging
import socket
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netlab
from netlab.config import Config
from netlab.domain.resolve import ResolvedLab
from netlab.host.counters.api import Reading
from netlab.host.counters.messages import Messages, NodeSource, Report, Tell, pack
from netlab.host.counters.recent import Recent
from netlab.host.kernel.process import ENVIRONMENT
from netlab.host.nodes.api import NodePlace
from netlab.wire.counters import CounterSchema

log = logging.getLogger(__name__)

READ_BYTES = 256 * 1024
RESTART_AFTER_S = 0.2
ANSWER_S = 5.0
"""The sampler answers within a tick; one that does not for so long is killed, which closes its descriptors as well."""
EXIT_S = 2.0


@dataclass(frozen=True)
class Pace:
    """How much sampling may cost where nobody pays for it gladly: an idle guest, a processor made of software."""

    idle_s: float = 0.0
    """While no run is watched, a tick so often; 0: as on a host, where the storm guard looks twice a second."""
    share: float = 1.0
    """Of one processor, for ticks: a machine that needs long for each gets fewer."""
    own_kernel: bool = False
    """The kernel is this lab's alone: what is counted for all of it is the lab's, too."""
    answer_s: float = ANSWER_S
    """A sampler that is silent for longer is killed and started again."""


class Sampler:
    """All runs' counters. `open` before anything else; after `close` nothing is called back any more."""

    def __init__(
        self,
        config: Config,
        on_tick: Callable[[dict[str, bytes]], None],
        on_history: Callable[[dict[str, bytes]], None],
        on_schema: Callable[[CounterSchema], None],
        on_storm: Callable[[str, str, str, int, int], None],
        pace: Pace = Pace(),
    ) -> None:
        self._pace = pace
        self._storm_pps, self._bpf_dir = config.storm_pps, config.bpf_dir
        self._on_tick, self._on_history, self._on_schema, self._on_storm = on_tick, on_history, on_schema, on_storm
        self._runs: dict[str, bytes] = {}
        self._watched: set[str] = set()
        self._with_programs: set[str] = set()
        self._recent: dict[str, Recent] = {}
        self._waiting: defaultdict[tuple[Report, str], deque[asyncio.Future[list[str]]]] = defaultdict(deque)
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._closing = False

    @property
    def pid(self) -> int | None:
        """The sampler's process, None while it is being restarted."""
        return self._process.pid if self._process else None

    async def open(self) -> None:
        reader = await self._start()
        self._keeper = asyncio.create_task(self._keep(reader), name="sampler")

    async def close(self) -> None:
        """The sampler ends; runs go on unwatched and unguarded until the next agent opens one."""
        self._closing = True
        if self._writer:
            self._writer.close()
        if self._keeper:
            await self._keeper

    async def add_run(self, run: str, lab: ResolvedLab, places: Mapping[str, NodePlace]) -> None:
        """Sample this run from now on. Again (after the reset of a node): its namespaces are opened anew."""
        sources = [
            NodeSource(node.name, str(places[node.name].netns), [i.name for i in node.interfaces])
            for node in lab.nodes if node.name in places
        ]
        self._runs[run] = pack(Tell.ADD, run, lab.spec.max_pps or self._storm_pps, sources)
        self._recent[run] = Recent()
        missing = await self._ask(self._runs[run], Report.OPENED, run)
        if missing:
            log.warning("run %s: no counters of %s", run, ", ".join(missing))

    async def remove_run(self, run: str) -> None:
        """Returns when the sampler holds nothing of the run any more: an open descriptor would pin its namespaces."""
        self._runs.pop(run, None)
        self._recent.pop(run, None)
        self._with_programs.discard(run)
        await self._ask(pack(Tell.REMOVE, run), Report.CLOSED, run)

    def set_watched(self, runs: set[str]) -> None:
        """These are sampled fast, all others slowly."""
        if runs != self._watched:
            self._watched = set(runs)
            self._send(pack(Tell.WATCHED, sorted(runs)))

    def want_full(self, run: str) -> None:
        """The next tick carries a full body for this run."""
        if run in self._runs:
            self._send(pack(Tell.WANT_FULL, run))

    def has_programs(self, run: str) -> bool:
        """Whether programs are attached in this run, as far as the sampler has seen; it looks where somebody watches."""
        return run in self._with_programs

    def reading(self, run: str, node: str, object_name: str, counter: str) -> Reading | None:
        """A counter's value and its rate over the last two seconds; None when there is no such counter (yet)."""
        recent = self._recent.get(run)
        return recent.reading(node, object_name, counter, time.time()) if recent else None

    # the process

    async def _start(self) -> asyncio.StreamReader:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "netlab.host.counters.sampler", str(theirs.fileno()),
                    str(self._bpf_dir), *(str(float(x)) for x in (self._pace.idle_s, self._pace.share, self._pace.own_kernel)),
                    pass_fds=[theirs.fileno()],
                    stdin=asyncio.subprocess.DEVNULL,
                    env={**ENVIRONMENT, "PYTHONPATH": str(Path(netlab.__file__).resolve().parent.parent)},
                )
            reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        except BaseException:
            ours.close()
            raise
        for message in self._runs.values():
            self._send(message)
        self._send(pack(Tell.WATCHED, sorted(self._watched)))
        return reader

    async def _keep(self, reader: asyncio.StreamReader) -> None:
        """Hand on reports; start the sampler anew whenever it ends, until `close`."""
        while True:
            try:
                await self._hand_on(reader)
            except Exception:
                log.exception("a report of the sampler was not understood; it is restarted")
            await self._end_process()
            if self._closing:
                return
            log.warning("the sampler ended; it is started again with %d runs", len(self._runs))
            started = await self._start_again()
            if started is None:
                return
            reader = started

    async def _start_again(self) -> asyncio.StreamReader | None:
        """A new sampler, tried for until there is one; None when closed in the meantime."""
        while True:
            await asyncio.sleep(RESTART_AFTER_S)
            if self._closing:
                return None
            try:
                return await self._start()
            except OSError:
                log.exception("the sampler could not be started")

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if self._writer:
            self._writer.close()
            self._writer = None
        if process:
            try:
                async with asyncio.timeout(EXIT_S):
                    await process.wait()
            except TimeoutError:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        for waiting in self._waiting.values():
            for future in waiting:
                if not future.done():
                    future.set_result([])
        self._waiting.clear()

    async def _hand_on(self, reader: asyncio.StreamReader) -> None:
        messages = Messages()
        with suppress(ConnectionResetError):
            while data := await reader.read(READ_BYTES):
                for message in messages.feed(data):
                    if not self._closing:
                        self._report(Report(message[0]), message[1:])

    def _report(self, report: Report, items: list[Any]) -> None:
        match report:
            case Report.TICK:
                self._tick(items[0], items[1])
            case Report.HISTORY:
                self._on_history({run: body for run, body in items[0].items() if run in self._runs})
            case Report.SCHEMA:
                schema = CounterSchema.model_validate_json(items[0])
                if schema.run in self._runs:
                    there = any(counter.kind == "program" for counter in schema.counters)
                    (self._with_programs.add if there else self._with_programs.discard)(schema.run)
                    self._recent[schema.run].take_schema(schema)
                    self._on_schema(schema)
            case Report.STORM:
                if items[0] in self._runs:
                    self._on_storm(*items)
            case Report.OPENED | Report.CLOSED:
                self._answer(report, items[0], items[1] if len(items) > 1 else [])

    def _tick(self, sampled_at: float, read: dict[str, bytes | None]) -> None:
        bodies = {}
        for run, body in read.items():
            recent = self._recent.get(run)
            if recent is None:
                continue
            if not recent.take(sampled_at, body):
                self.want_full(run)
            if body is not None:
                bodies[run] = body
        if bodies:
            self._on_tick(bodies)

    # questions

    async def _ask(self, message: bytes, answer: Report, run: str) -> list[str]:
        """Send and wait for the answer. The sampler's end is an answer too: it holds nothing then."""
        if self._writer is None:
            return []
        future: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self._waiting[answer, run].append(future)
        self._send(message)
        try:
            async with asyncio.timeout(self._pace.answer_s):
                return await asyncio.shield(future)
        except TimeoutError:
            log.error("the sampler does not answer and is killed")
            if self._process:
                with suppress(ProcessLookupError):
                    self._process.kill()
            return await future

    def _answer(self, report: Report, run: str, items: list[str]) -> None:
        waiting = self._waiting.get((report, run))
        if not waiting:
            return
        future = waiting.popleft()
        if not waiting:
            del self._waiting[report, run]
        if not future.done():
            future.set_result(items)

    def _send(self, message: bytes) -> None:
        """Nothing is lost while there is no sampler: a new one is told everything."""
        if self._writer is not None:
            self._writer.write(message)
