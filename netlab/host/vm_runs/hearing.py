"""What a guest tells of its run, handed on to the host's outlet: events, terminals' bytes, counters, blobs, wishes to build.

Held by a run's `Conversation`. Every method raises ValueError (or KeyError, TypeError) for what makes no sense; what makes
sense and is not this run's business is dropped. A guest's word about the run's state is not taken: the host knows that.
"""

from collections import OrderedDict
from typing import Any, cast

from netlab.host.vm_runs import files
from netlab.host.vm_runs.builds import GuestBuilds
from netlab.host.vm_runs.counters import GuestCounters
from netlab.host.vm_runs.live_vm import LiveVm
from netlab.host.vm_runs.pace import Bucket
from netlab.host.vm_runs.sense import read_event
from netlab.wire.commands import BLOB_BYTES_MAX, Command, ExportCapture, ExportHome, OpenStep, OpenTerminal
from netlab.wire.events import (
    CommandDone,
    CommandFailed,
    Event,
    FileChanged,
    HostStepFinished,
    HostStepStarted,
    RunStateChanged,
    TerminalClosed,
    TerminalOpened,
)
from netlab.wire.guest_port import Kind

SENT_MAX = 256
"""Commands whose ids a guest may speak of; an engine is never so far behind."""
TOLD_BYTES_PER_S = 512 * 1024
TOLD_BURST_BYTES = 6 << 20
EVENT_COST_BYTES = 16 * 1024
"""Events become entries of streams and rows of a database that all runs share: 32 a second for ever, after a burst of 384.
An engine tells half of that (`engine.files`)."""
OUTPUT_COST_BYTES, COUNTERS_COST_BYTES = 512, 4096
"""One exchange with Redis and one message to each browser, however small it is; a sampler ticks ten times a second."""
TERMINALS_MAX = 64


class Hearing:
    def __init__(self, live: LiveVm, counters: GuestCounters, builds: GuestBuilds) -> None:
        self.builds = builds
        self._live, self._counters = live, counters
        self._sent: OrderedDict[str, Command] = OrderedDict()
        self._blob_of, self._blob = "", bytearray()
        self._handed_up: set[str] = set()
        self._bucket = Bucket(TOLD_BYTES_PER_S, TOLD_BURST_BYTES)

    def sent(self, command: Command) -> None:
        self._sent[command.id] = command
        if len(self._sent) > SENT_MAX:
            self._sent.popitem(last=False)

    def take(self, kind: Kind, fields: dict[str, Any]) -> float:
        """Hand it on; returns how many seconds the guest has to wait before it is heard again."""
        if kind is Kind.EVENT:
            return self._event(fields["event"])
        if kind is Kind.OUTPUT:
            self._output(fields["terminal"], fields["end_offset"], fields["data"])
            return self._bucket.wait_for(OUTPUT_COST_BYTES)
        if kind in (Kind.SCHEMA, Kind.COUNTERS, Kind.HISTORY):
            return self._bucket.wait_for(max(COUNTERS_COST_BYTES, self._count(kind, fields)))
        if kind is Kind.BLOB:
            self._take_blob(fields["command"], fields["data"], fields["last"])
        elif kind is Kind.BUILD:
            self.builds.ask(fields["request"], fields["program"], fields["files"])
        return 0.0  # BOOTED, BAKED: the template's, said again

    def _count(self, kind: Kind, fields: dict[str, Any]) -> int:
        """How many bytes it was."""
        live = self._live
        if kind is Kind.SCHEMA:
            live.parts.outlet.counter_schema(self._counters.schema(fields["schema"]))
            return len(fields["schema"])
        if kind is Kind.COUNTERS and (body := self._counters.body(fields["body"])) is not None:
            live.parts.outlet.counters({live.run: body})
        elif kind is Kind.HISTORY and (body := self._counters.history(fields["body"])) is not None:
            live.parts.outlet.counter_history({live.run: body})
        return len(fields["body"])

    # --- terminals

    def _output(self, terminal: object, end_offset: object, data: object) -> None:
        if not isinstance(terminal, str) or self._live.record.terminal(terminal) is None:
            return
        before = self._live.lines.bases.get(terminal)
        told = self._live.lines.take(terminal, end_offset, data)
        if told is not None:
            self._live.parts.outlet.terminal_output(terminal, *told)
        if self._live.lines.bases.get(terminal) != before:
            self._live.save_soon()

    def _take_blob(self, command: object, data: object, last: object) -> None:
        """One for each command that asks for one, and one at a time: an engine carries out one command after the other."""
        if not isinstance(command, str) or not isinstance(data, bytes):
            raise ValueError("a blob")
        if not isinstance(self._sent.get(command), ExportHome | ExportCapture):
            return
        if command != self._blob_of:
            self._blob_of, self._blob = command, bytearray()
        self._blob += data
        if len(self._blob) > BLOB_BYTES_MAX:
            self._blob_of, self._blob = "", bytearray()
            raise ValueError("a blob without end")
        if last is True and command not in self._handed_up:
            self._live.parts.outlet.blob(command, bytes(self._blob))
            self._handed_up = {*self._handed_up, command} & self._sent.keys()
        if last is True:
            self._blob_of, self._blob = "", bytearray()

    # --- events

    def _event(self, data: object) -> float:
        live = self._live
        event = read_event(data, live.lab, live.run, live.record.generation, self._sent.__contains__)
        heard = self._heed(event)
        if heard is not None:
            live.parts.outlet.event(heard)
        size = len(data) if isinstance(data, str | bytes) else 0
        return self._bucket.wait_for(max(EVENT_COST_BYTES, size))

    def _heed(self, event: Event) -> Event | None:
        """Keep what the host has to know; None for what is not told."""
        record = self._live.record
        if isinstance(event, RunStateChanged) or (isinstance(event, HostStepStarted | HostStepFinished) and not event.command):
            return None
        if isinstance(event, FileChanged):
            told = files.shell_changed(record, event)
            self._live.save_soon()
            return cast(Event | None, told)
        if isinstance(event, TerminalOpened):
            return self._opened(event)
        if isinstance(event, TerminalClosed):
            return self._closed(event)
        if isinstance(event, CommandDone | CommandFailed) and event.command is not None:
            self._ended(event, self._sent[event.command])
            self._live.save_soon()
        return event

    def _opened(self, event: TerminalOpened) -> Event | None:
        state = self._live.record.terminal(event.terminal)
        if state is None:
            return None
        state.open = True
        self._live.save_soon()
        return event

    def _closed(self, event: TerminalClosed) -> Event | None:
        """A declared terminal is kept: a reset gives it a new shell."""
        record = self._live.record
        state = record.terminal(event.terminal)
        if state is None or not state.open:
            return None
        state.open = False
        if not state.declared:
            record.terminals = [t for t in record.terminals if t.id != event.terminal]
            self._live.lines.drop(event.terminal)
        self._live.save_soon()
        return event

    def _ended(self, event: CommandDone | CommandFailed, command: Command) -> None:
        if isinstance(event, CommandDone):
            files.carried_out(self._live.record, command)
            if isinstance(command, OpenStep):
                self._live.record.open_step = command.step
        elif isinstance(command, OpenTerminal):
            self._live.forget_terminal(command.terminal)
