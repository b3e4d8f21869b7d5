"""`/ws/runs/<run>/terminals/<terminal>/`: one viewer of one terminal. The protocol is in docs/architecture.md.

Each viewer reads the terminal's stream at its own pace; the live channel is a short cut for those who are in step. A
viewer who does not draw gets nothing more; one who falls behind what is kept is told to skip. Input, acks and resizes
go to the host's inbox; input is counted by viewer, so that what a dying connection had under way is typed once, by it or
by its successor. It never logs what is typed.
"""

import asyncio
import secrets
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lifecycle import ENDED
from netlab.live.access import TerminalSeen, terminal_seen_by
from netlab.live.bucket import Bucket
from netlab.live.hub import Hub, Rate, ServedRun, StreamEvent, hub
from netlab.live.socket import GuardedSocket, Message, database
from netlab.live.terminal_viewer import SKIP_TO_BYTES, TerminalViewer, clean_start
from netlab.wire.commands import COLS_MAX, ROWS_MAX
from netlab.wire.counters import Frame
from netlab.wire.terminals import INPUT_BYTES_MAX, TerminalAck, TerminalInput, TerminalMessage, TerminalResize

PULL_ENTRIES = 64
INPUT_BYTES_PER_S = 128 * 1024
INPUT_BURST_BYTES = 512 * 1024
INPUT_MESSAGE_COST_BYTES = 256
"""Each message costs so much beside its bytes: a flood of single bytes is a flood too."""
RESIZE_COST_BYTES = 4096
"""Each is told to the host and moves the shell to draw its screen anew; a window that is dragged sends a few dozen."""
TYPED_EVERY_BYTES = 16 * 1024
"""A browser keeps what it typed until it hears that it went on: in such steps, and with each start."""
DRAIN_WITHIN_S = 3.0
"""How long a closed terminal's last output waits for a browser that does not draw."""

Offset = Annotated[int, Field(ge=0, lt=2**53)]
Rows = Annotated[int, Field(ge=2, le=ROWS_MAX)]
Cols = Annotated[int, Field(ge=10, le=COLS_MAX)]


class TerminalHello(Message):
    type: Literal["hello"]
    offset: Offset = 0
    rows: Rows = 24
    cols: Cols = 80
    viewer: Annotated[str, Field(pattern="^[0-9a-f]{16}$")] = Field(default_factory=lambda: secrets.token_hex(8))
    """The same in each of a page's connections to this terminal."""
    typed: Annotated[int, Field(ge=0, lt=2**40)] = 0
    """The page keeps what it typed from here on."""


class Ack(Message):
    type: Literal["ack"]
    offset: Offset


class Resize(Message):
    type: Literal["resize"]
    rows: Rows
    cols: Cols


class _EndWatcher:
    """A RunListener that waits for the end of one terminal."""

    rate: Rate = "off"

    def __init__(self, terminal: str, viewer: TerminalViewer) -> None:
        self.terminal, self.viewer = terminal, viewer

    def offer_event(self, event: StreamEvent) -> None:
        if event.kind == "terminal_closed" and event.fields["terminal"] == self.terminal:
            self.viewer.close(event.fields["reason"])
        elif event.kind == "run_state" and event.fields["state"] in ENDED:
            self.viewer.close("the lab has ended")

    def offer_live(self, text: str) -> None:
        pass

    def offer_frame(self, frame: Frame, data: bytes) -> None:
        """Not of interest here."""

    def events_lost(self) -> None:
        """Whether the terminal is still open is asked once a minute anyway."""


class TerminalSocket(GuardedSocket):
    KIND = "terminal"
    messages = TypeAdapter(Annotated[TerminalHello | Ack | Resize, Field(discriminator="type")])

    def __init__(self) -> None:
        super().__init__()
        self.seen: TerminalSeen | None = None
        self.hub: Hub | None = None
        self.served: ServedRun | None = None
        self.viewer = TerminalViewer()
        self.watcher: _EndWatcher | None = None
        self.viewer_id = ""
        self.typed = self.told_typed = 0
        self.input_budget = Bucket(INPUT_BYTES_PER_S, INPUT_BURST_BYTES)

    async def admit(self) -> None:
        route = self.scope["url_route"]["kwargs"]
        self.seen = await database(terminal_seen_by)(self.user, route["run"], route["terminal"])
        if self.seen.closed:
            self.viewer.close("the shell ended")

    async def hello(self, message: TerminalHello) -> None:
        assert self.seen is not None
        self.hub = hub()
        self.watcher = _EndWatcher(self.seen.id, self.viewer)
        self.served = await self.hub.join(self.seen.run, self.seen.host, self.watcher)
        await self.hub.listen(self._live_channel(), self.viewer)
        if self.closing:
            self._stop_listening()
            return
        self.viewer_id = message.viewer
        passed = await self.hub.streams.typed(self.seen.id, message.viewer)
        self.typed = self.told_typed = message.typed if passed is None else passed
        await self._start(message.offset)
        await self._to_host(TerminalResize(run=self.seen.run, terminal=self.seen.id, rows=message.rows, cols=message.cols))
        self.spawn(self._pump())

    async def take(self, message: Ack | Resize) -> None:
        assert self.seen is not None
        if isinstance(message, Resize):
            await asyncio.sleep(self.input_budget.wait_for(RESIZE_COST_BYTES))
            await self._to_host(TerminalResize(run=self.seen.run, terminal=self.seen.id, rows=message.rows, cols=message.cols))
            return
        try:
            pass_on = self.viewer.ack(message.offset)
        except ValueError as error:
            raise NetlabError(ErrorCode.BAD_MESSAGE, what=f"{error}.") from error
        if pass_on is not None:
            await self._to_host(TerminalAck(run=self.seen.run, terminal=self.seen.id, offset=pass_on))

    async def take_bytes(self, data: bytes) -> None:
        """Keystrokes or a paste. Too fast: this socket is read on later, which TCP passes on to the browser."""
        assert self.seen is not None
        if len(data) > INPUT_BYTES_MAX:
            raise NetlabError(ErrorCode.BAD_MESSAGE, what=f"more than {INPUT_BYTES_MAX} bytes of input at once.")
        if not data or self.viewer.closed_reason is not None:
            return
        await asyncio.sleep(self.input_budget.wait_for(len(data) + INPUT_MESSAGE_COST_BYTES))
        await self._type(data)
        if self.typed - self.told_typed >= TYPED_EVERY_BYTES:
            self.told_typed = self.typed
            await self.say_json(type="typed", offset=self.typed)

    async def _type(self, data: bytes) -> None:
        """Pass on what no other connection of this viewer has passed on already."""
        assert self.hub is not None and self.seen is not None
        self.typed += len(data)
        while data:
            message = TerminalInput(run=self.seen.run, terminal=self.seen.id, data=data)
            passed = await self.hub.streams.send_input(self.seen.host, message, self.viewer_id, self.typed - len(data))
            data = data[-(self.typed - passed):] if passed < self.typed else b""

    async def leave(self) -> None:
        self._stop_listening()

    def _stop_listening(self) -> None:
        if self.hub is not None:
            self.hub.unlisten(self._live_channel(), self.viewer)
            if self.served is not None and self.watcher is not None:
                self.hub.leave(self.served, self.watcher)

    def _live_channel(self) -> str:
        assert self.hub is not None and self.seen is not None
        return self.hub.streams.keys.terminal_live(self.seen.id)

    async def _to_host(self, message: TerminalMessage) -> None:
        assert self.hub is not None and self.seen is not None
        await self.hub.streams.send_terminal(self.seen.host, message)

    # --- output

    async def _start(self, drawn: int) -> None:
        """Begin where the browser has ended, or with the oldest that is kept."""
        assert self.hub is not None and self.seen is not None
        newest = await self.hub.streams.terminal_end_offset(self.seen.id)
        begin = drawn if drawn <= newest else 0
        kept = await self.hub.streams.terminal_output(self.seen.id, begin, count=1)
        if kept and (oldest := kept[0][0] - len(kept[0][1])) > begin:
            begin = clean_start(oldest, kept[0][1])
        self.viewer.newest = max(self.viewer.newest, newest)
        self.viewer.start_at(begin)
        await self.say_json(type="start", offset=begin, typed=self.typed)
        if begin:
            await self._to_host(TerminalAck(run=self.seen.run, terminal=self.seen.id, offset=begin))

    async def _pump(self) -> None:
        """The one task that sends output after the hello."""
        viewer = self.viewer
        while viewer.closed_reason is None:
            await viewer.signal.wait()
            viewer.signal.clear()
            await self._send_what_fits()
        try:
            async with asyncio.timeout(DRAIN_WITHIN_S):
                await self._check_start()
                while viewer.behind:
                    await self._send_what_fits()
                    if viewer.behind:
                        await viewer.signal.wait()
                        viewer.signal.clear()
        except TimeoutError:
            pass
        await self.say_json(type="closed", reason=viewer.closed_reason)
        await self.end()

    async def _send_what_fits(self) -> None:
        viewer = self.viewer
        if viewer.check_start:
            viewer.check_start = False
            await self._check_start()
        while viewer.behind and viewer.room > 0:
            piece = viewer.take_live() or await self._pull()
            if piece is None:
                return
            await self.say_bytes(piece)

    async def _pull(self) -> bytes | None:
        """The next bytes from the stream, after a skip when those are gone. None: nothing there (yet)."""
        assert self.hub is not None and self.seen is not None
        viewer = self.viewer
        entries = await self.hub.streams.terminal_output(self.seen.id, viewer.sent, count=PULL_ENTRIES)
        if entries and entries[0][0] - len(entries[0][1]) > viewer.sent:
            entries = await self._skip()
        pieces = [viewer.cut(end - len(chunk), chunk) for end, chunk in entries if end > viewer.sent]
        return b"".join(pieces) or None

    async def _skip(self) -> list[tuple[int, bytes]]:
        """What this viewer needs is gone: go on shortly before the end."""
        assert self.hub is not None and self.seen is not None
        newest = await self.hub.streams.terminal_end_offset(self.seen.id)
        entries = await self.hub.streams.terminal_output(self.seen.id, max(0, newest - SKIP_TO_BYTES), count=PULL_ENTRIES)
        if not entries:
            return []
        end, chunk = entries[0]
        begin = clean_start(end - len(chunk), chunk)
        self.viewer.start_over(begin, max(newest, begin))
        await self.say_json(type="skipped", offset=begin)
        await self._to_host(TerminalAck(run=self.seen.run, terminal=self.seen.id, offset=begin))
        return entries

    async def _check_start(self) -> None:
        """After a broken connection: catch up, or begin anew when Redis has lost the terminal's output."""
        assert self.hub is not None and self.seen is not None
        newest = await self.hub.streams.terminal_end_offset(self.seen.id)
        if newest >= self.viewer.sent:
            self.viewer.newest = max(self.viewer.newest, newest)
        elif newest:
            await self._skip()
