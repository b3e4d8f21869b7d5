"""The engine's outlet in a guest: what it tells goes to the host in order, as fast as the host takes it.

Held by the agent. Between BAKE and PERSONALISE nothing goes out: nobody knows yet whose run it is; what shells print is
kept until their terminals have ids. While the host is behind, terminals and files wait where they are (the agent sees to
that when `backlog_changed` is called); counters are dropped, a newer sample is on its way.
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from netlab.host.guest.port import Port
from netlab.wire.counters import CounterSchema
from netlab.wire.events import Event, ProgramResult, RunStateChanged
from netlab.wire.guest_port import BLOB_PART_BYTES, Kind

log = logging.getLogger(__name__)

WINDOW_BYTES = 2 * 1024 * 1024
"""Not acknowledged by the host at the same time; what is more waits here."""
HELD_FROM_BYTES, HELD_UNTIL_BYTES = 4 * 1024 * 1024, 1024 * 1024
"""With so much on the way nothing more is read from terminals and files, until so little is left."""
WAITING_BYTES_MAX = 12 * 1024 * 1024
"""Beyond it the oldest events are dropped, and that is logged: the guest's memory is small."""
EVENT_BYTES_MAX = 700_000
"""So that an event fits into a frame whatever it holds (GUEST_FRAME_BYTES_MAX)."""


@dataclass
class Baked:
    """What was told while nobody listened: the newest state of the run, and what its terminals have printed."""

    state: RunStateChanged | None = None
    output: dict[str, bytearray] = field(default_factory=dict)
    schema: CounterSchema | None = None


class PortOutlet:
    """Outlet of `runtimes.base`."""

    def __init__(self, backlog_changed: Callable[[bool], None], state_changed: Callable[[RunStateChanged], None]) -> None:
        self._port: Port | None = None
        self._backlog_changed, self._state_changed = backlog_changed, state_changed
        self._baked: Baked | None = None
        self._waiting: deque[tuple[Kind, dict[str, Any], int]] = deque()
        self._waiting_bytes = 0
        self._behind = False

    def attach(self, port: Port) -> None:
        self._port = port

    # --- baking

    def hold_back(self) -> Baked:
        """From now on nothing goes out; what would have is in the answer, as far as it is kept."""
        self._baked = Baked()
        return self._baked

    def let_out(self) -> None:
        self._baked = None

    # --- Outlet

    def event(self, event: Event) -> None:
        if isinstance(event, RunStateChanged):
            if self._baked is not None:
                self._baked.state = event
            self._state_changed(event)
        if self._baked is None:
            text = event.model_dump_json()
            if len(text.encode()) > EVENT_BYTES_MAX:
                log.error("an event %s of %d characters is too long for the port", event.kind, len(text))
                if not isinstance(event, ProgramResult):
                    return
                text = event.model_copy(update={"log": event.log[-1:]}).model_dump_json()
            self.say(Kind.EVENT, len(text), event=text)

    def terminal_output(self, terminal: str, end_offset: int, data: bytes) -> None:
        if self._baked is not None:
            self._baked.output.setdefault(terminal, bytearray()).extend(data)
        else:
            self.say(Kind.OUTPUT, len(data), terminal=terminal, end_offset=end_offset, data=data)

    def counter_schema(self, schema: CounterSchema) -> None:
        if self._baked is not None:
            self._baked.schema = schema
        else:
            text = schema.model_dump_json()
            self.say(Kind.SCHEMA, len(text), schema=text)

    def counters(self, bodies: dict[str, bytes]) -> None:
        self._maybe(Kind.COUNTERS, bodies)

    def counter_history(self, bodies: dict[str, bytes]) -> None:
        self._maybe(Kind.HISTORY, bodies)

    def blob(self, command: str, data: bytes) -> None:
        parts = [data[at : at + BLOB_PART_BYTES] for at in range(0, len(data), BLOB_PART_BYTES)] or [b""]
        for number, part in enumerate(parts, start=1):
            self.say(Kind.BLOB, len(part), command=command, data=part, last=number == len(parts))

    # --- towards the host

    def say(self, kind: Kind, size: int, **fields: Any) -> None:
        """One message after all that were said before."""
        self._waiting.append((kind, fields, size))
        self._waiting_bytes += size
        self._drop_excess()
        self.pump()

    def pump(self) -> None:
        """Hand on what the window has room for; called again whenever the host has taken something."""
        port = self._port
        if port is None:
            return
        while self._waiting and port.session.unacked_bytes < WINDOW_BYTES:
            kind, fields, size = self._waiting.popleft()
            self._waiting_bytes -= size
            port.send(kind, **fields)
        backlog = self._waiting_bytes + port.session.unacked_bytes
        behind = backlog > (HELD_UNTIL_BYTES if self._behind else HELD_FROM_BYTES)
        if behind != self._behind:
            self._behind = behind
            self._backlog_changed(behind)

    def _maybe(self, kind: Kind, bodies: dict[str, bytes]) -> None:
        """Counters go beside the order, or not at all."""
        if self._port is not None and self._port.connected and self._baked is None and not self._behind:
            for body in bodies.values():
                self._port.send(kind, body=body)

    def _drop_excess(self) -> None:
        if self._waiting_bytes <= WAITING_BYTES_MAX:
            return
        kept: deque[tuple[Kind, dict[str, Any], int]] = deque()
        dropped = 0
        for kind, fields, size in self._waiting:
            if kind is Kind.EVENT and self._waiting_bytes > WAITING_BYTES_MAX // 2:
                self._waiting_bytes -= size
                dropped += 1
            else:
                kept.append((kind, fields, size))
        self._waiting = kept
        log.error("the host takes nothing: %d events were dropped", dropped)
