"""The host's end of a guest's port, as a test holds it: sends, waits for messages, remembers all of them."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from netlab.wire.events import parse_event
from netlab.wire.guest_port import GUEST_FRAME_BYTES_MAX, Kind, Message, PortSession

WITHIN_S = 60.0


class HostSide:
    """`connect` gives the stream; after `disconnect` it may be connected again, by the same or a new PortSession."""

    def __init__(self) -> None:
        self.session = PortSession(frame_bytes_max=GUEST_FRAME_BYTES_MAX)
        self.messages: list[Message] = []
        self.output: defaultdict[str, bytearray] = defaultdict(bytearray)
        self.end_offset: defaultdict[str, int] = defaultdict(int)
        self.hears = asyncio.Event()
        """Not set: it does not read, as a host that is busy."""
        self.hears.set()
        self.answer_builds: Callable[[dict[str, Any]], Any] | None = None
        self._may_repeat = False
        self._changed = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._builds: set[asyncio.Task[Any]] = set()

    def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.session.connected()
        self._flush()
        self._reading = asyncio.create_task(self._read(reader))

    async def disconnect(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading
        if self._writer is not None:
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()
        self._writer = self._reading = None

    def new_life(self) -> None:
        """As a host's agent that was started anew."""
        self._may_repeat = True
        self.session = PortSession(frame_bytes_max=GUEST_FRAME_BYTES_MAX)

    def send(self, kind: Kind, **fields: Any) -> None:
        self.session.send(kind, **fields)
        self._flush()

    async def until(self, condition: Callable[[], Any], what: str, within_s: float = WITHIN_S) -> Any:
        deadline = time.monotonic() + within_s
        while not (found := condition()):
            left = deadline - time.monotonic()
            assert left > 0, f"waited {within_s} s for {what}; the last: {self.messages[-4:]} {self._last_output()}"
            self._changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)
        return found

    async def told(self, kind: Kind, *, after: int = 0, within_s: float = WITHIN_S, **fields: Any) -> dict[str, Any]:
        """The first message of this kind with these fields, from position `after` on."""
        def first() -> dict[str, Any] | None:
            of_kind = (m.fields for m in self.messages[after:] if m.kind is kind)
            return next((f for f in of_kind if all(f.get(k) == v for k, v in fields.items())), None)

        found = await self.until(first, f"{kind} {fields}", within_s)
        assert isinstance(found, dict)
        return found

    async def event(self, kind: str, *, after: int = 0, within_s: float = WITHIN_S, **fields: Any) -> dict[str, Any]:
        def first() -> dict[str, Any] | None:
            return next((e for e in self.events(kind, after) if all(e.get(k) == v for k, v in fields.items())), None)

        found = await self.until(first, f"event {kind} {fields}", within_s)
        assert isinstance(found, dict)
        return found

    def events(self, kind: str = "", after: int = 0) -> list[dict[str, Any]]:
        found = (json.loads(m.fields["event"]) for m in self.messages[after:] if m.kind is Kind.EVENT)
        return [e for e in found if not kind or e["kind"] == kind]

    async def said(self, terminal: str, what: bytes, *, after: int = 0, within_s: float = WITHIN_S) -> None:
        await self.until(lambda: what in self.output[terminal][after:], f"{what!r} on {terminal}", within_s)

    def _last_output(self) -> dict[str, bytes]:
        return {terminal: bytes(data[-200:]) for terminal, data in self.output.items()}

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionResetError):
            while True:
                await self.hears.wait()
                data = await reader.read(65536)
                if not data:
                    return
                for message in self.session.receive(data):
                    self._take(message)
                self.session.acknowledge()
                self._flush()

    def _take(self, message: Message) -> None:
        fields = message.fields
        if message.kind is Kind.OUTPUT:
            terminal = fields["terminal"]
            begin = fields["end_offset"] - len(fields["data"])
            known = self.end_offset[terminal]
            if self._may_repeat:  # what the life before had taken and not acknowledged comes again
                assert begin <= known, "offsets leave no gaps"
                repeated = fields["data"][: known - begin]
                heard = bytes(self.output[terminal])
                assert heard[len(heard) - (known - begin) :][: len(repeated)] == repeated, "what is repeated is the same"
            else:
                assert begin == known, "offsets neither repeat nor leave gaps"
            self.end_offset[terminal] = max(known, fields["end_offset"])
            self.output[terminal] += fields["data"][known - begin :]
        elif message.kind is Kind.EVENT:
            parse_event(fields["event"])
        elif message.kind is Kind.BUILD and self.answer_builds is not None:
            task = asyncio.ensure_future(self.answer_builds(fields))
            self._builds.add(task)
            task.add_done_callback(self._builds.discard)
        self.messages.append(message)
        self._changed.set()

    def _flush(self) -> None:
        data = self.session.take()
        if data and self._writer is not None:
            self._writer.write(data)
