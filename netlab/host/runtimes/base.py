"""The contract of a runtime, which the agent talks to and the contract test suite runs against.

A runtime carries out commands for the runs it owns and tells what happens through its outlet. The `namespaces` runtime
is the engine itself; a `vm` runtime forwards the same messages to the engine inside a guest. Nothing here knows Redis.
"""

from typing import Protocol

from netlab.wire.commands import Command
from netlab.wire.counters import CounterSchema
from netlab.wire.events import Event
from netlab.wire.host_report import Leftover, RunningRun
from netlab.wire.terminals import TerminalMessage


class Outlet(Protocol):
    """Where a runtime's messages go. None of these waits: the agent queues and writes, in the order of the calls."""

    def event(self, event: Event) -> None: ...

    def terminal_output(self, terminal: str, end_offset: int, data: bytes) -> None:
        """`end_offset` counts the terminal's bytes from its first, this chunk included."""

    def counter_schema(self, schema: CounterSchema) -> None: ...

    def counters(self, bodies: dict[str, bytes]) -> None:
        """One tick: {run: body} as in netlab.wire.counters."""

    def counter_history(self, bodies: dict[str, bytes]) -> None:
        """Once a second: {run: full body}."""

    def blob(self, command: str, data: bytes) -> None:
        """What a command asked to be handed up (a node's home as a tar); kept for a minute."""


class Runtime(Protocol):
    name: str

    async def open(self) -> None:
        """Pick up what is there: runs on disk whose nodes are whole go on with their terminals and programs; those that
        are not whole are removed and reported as failed; leftovers of this instance are removed."""

    async def close(self) -> None:
        """Let go without ending any run (the agent restarts). Nothing a run needs dies with it."""

    async def handle(self, command: Command) -> None:
        """Accept a command. Returns when it is accepted and on disk, not when it is done; what it does comes as events.

        One run's commands are carried out one after the other in the order of acceptance, except StopRun, which
        cancels what is under way. A generation older than the run's is refused with COMMAND_STALE; the same
        StartRun twice is answered by the present state. Raises NetlabError; then nothing has changed.
        """

    def terminal(self, message: TerminalMessage) -> None:
        """Input, ack or resize; silently ignored for terminals that have ended."""

    def set_watched(self, runs: set[str]) -> None:
        """The runs that somebody looks at: sampled fast, their open step's checks evaluated."""

    def want_full_sample(self, run: str) -> None:
        """The next tick carries a full body for this run."""

    def runs(self) -> list[RunningRun]: ...

    async def leftovers(self) -> list[Leftover]: ...
