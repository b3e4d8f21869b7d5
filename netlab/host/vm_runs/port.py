"""The host's end of a guest's port: reads at a bounded pace, writes what the session gives, notices a guest that is silent.

Held by a run's `Conversation` and by the baking of templates. It knows frames and no run: what a message means is its owner's
business. A guest can flood, lie and fall silent here; all of it ends as a `Loss` of this one port.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from netlab.host.vm_runs.pace import Bucket
from netlab.wire.guest_port import GUEST_FRAME_BYTES_MAX, Kind, Message, PortOverrun, PortSession

log = logging.getLogger(__name__)

READ_BYTES = 64 * 1024
BYTES_PER_S = 8 << 20
BURST_BYTES = 4 << 20
WORK_SHARE, WORK_BURST_S = 0.05, 2.0
"""Of the agent's one thread: what listening to one guest may cost it for ever, and how far it may be ahead of that."""
UNREAD_BYTES_MAX = 32 << 20
"""Written and not taken: a guest may acknowledge what it has never read."""
SETTLE_LIMIT_S = 2.0
BAD_FRAMES_MAX = 20
NONSENSE_BYTES_MAX = 24 << 20
"""Read without one message that made sense: longer than anything that is sent again after a reconnect."""
TICK_S = 1.0
PING_EVERY_TICKS = 3
UNWATCHED_PING_EVERY_TICKS = 15
"""Each costs an idle guest under software emulation five milliseconds, and where nobody looks nobody waits for its end."""
SILENT_TICKS_MAX = 5
"""Ticks without any message after a ping. Ticks and not seconds: when the host was too busy to read, none passed."""
STARVED_TICKS_MAX = 45
"""So long a machine may be silent because the host gave it no time; then it is of no use, whoever is to blame."""
SAFE_AFTER_S = 0.3
"""Until what was handed on cannot be lost any more: the outlet has written it."""
UNSAFE_BYTES_MAX = 4 << 20
"""Acknowledged even while nobody takes terminals' bytes: the guest can keep only so much for us."""


@dataclass(frozen=True)
class Loss:
    """Why a port is of no use any more; `why` completes 'Your lab's own kernel is not there any more: ...'"""

    cause: Literal["closed", "silent", "nonsense", "deaf"]
    why: str


CLOSED = Loss("closed", "its machine ended")
SILENT = Loss("silent", "it has not answered for several seconds")
NONSENSE = Loss("nonsense", "what its netlab agent says makes no sense any more")
DEAF = Loss("deaf", "it takes no messages any more")


class GuestPort:
    """`received` is called with every message, on the event loop, and returns how many seconds nothing more may come."""

    def __init__(
        self, received: Callable[[Message], float], *, silence_counts: bool = True, starves: Callable[[], bool] = lambda: False,
    ) -> None:
        """`starves` says of the time since it was asked last whether the machine could not have answered."""
        self.session = PortSession(frame_bytes_max=GUEST_FRAME_BYTES_MAX, acknowledges_itself=False)
        self.lost: asyncio.Future[Loss] = asyncio.get_running_loop().create_future()
        self._received, self._silence_counts = received, silence_counts
        self._bucket, self._work = Bucket(BYTES_PER_S, BURST_BYTES), Bucket(WORK_SHARE, WORK_BURST_S)
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._held = self._pausing = False
        self.watched = True
        """Somebody looks at the run: its end is to be noticed within ten seconds."""
        self._asked = False
        self._silent_ticks = self._starved_ticks = 0
        self._starves = starves
        self._nonsense_bytes = self._unsafe_bytes = 0
        self._settling: asyncio.TimerHandle | None = None

    # --- life

    def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak through this stream from now on; what the guest has not got goes again."""
        self._writer = writer
        self._silent_ticks, self._asked, self._pausing = 0, False, False
        self.session.connected()
        self._flush()
        self._tasks = [
            asyncio.create_task(self._read(reader), name="port reader"), asyncio.create_task(self._keep(), name="port keeper"),
        ]

    async def settle(self) -> None:
        """Say that everything was received, before the machine is stopped: what it need not keep it does not say again."""
        self._settle()
        if self._writer is not None:
            with suppress(OSError, TimeoutError):  # a guest may take nothing any more
                async with asyncio.timeout(SETTLE_LIMIT_S):
                    await self._writer.drain()

    async def close(self) -> None:
        """Let go of the stream. The session stays: it may be connected again."""
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None

    def _lose(self, loss: Loss) -> None:
        if not self.lost.done():
            self.lost.set_result(loss)

    # --- to the guest

    def send(self, kind: Kind, **fields: Any) -> None:
        """Never waits; a guest that takes nothing for ever loses its port."""
        try:
            self.session.send(kind, **fields)
        except PortOverrun as error:
            log.warning("a guest is deaf: %s", error)
            self._lose(DEAF)
            return
        self._flush()

    @property
    def backlog_bytes(self) -> int:
        """What the guest has not yet confirmed."""
        return self.session.unacked_bytes

    def hold(self, held: bool) -> None:
        """While nobody takes terminals' bytes they stay the guest's."""
        self._held = held
        if not held:
            self._settle_soon()

    def _flush(self) -> None:
        if self._writer is not None and (data := self.session.take()):
            self._writer.write(data)
            if self._writer.transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
                self._lose(DEAF)

    # --- from the guest

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(READ_BYTES):
                began = time.thread_time()
                wait_s = max(self._bucket.wait_for(len(data)), self._take(data))
                wait_s = max(wait_s, self._work.wait_for(time.thread_time() - began))
                self._pausing = wait_s > 0
                await asyncio.sleep(wait_s)  # at least once for others: what is in the buffer comes without waiting
                self._pausing = False
        except ConnectionError as error:
            log.info("a guest's port ended: %s", error)
        self._lose(CLOSED)

    def _take(self, data: bytes) -> float:
        messages = self.session.receive(data)
        self._unsafe_bytes += len(data)
        if messages:
            self._silent_ticks = self._starved_ticks = self._nonsense_bytes = 0
            self._asked = False
        else:
            self._nonsense_bytes += len(data)
        if self.session.bad_frames > BAD_FRAMES_MAX or self._nonsense_bytes > NONSENSE_BYTES_MAX:
            self._lose(NONSENSE)
            return 0.0
        wait_s = 0.0
        for message in messages:
            wait_s = max(wait_s, self._received(message))  # each says how long until all before it is paid for
            if self.session.bad_frames > BAD_FRAMES_MAX:  # one read may hold thousands
                self._lose(NONSENSE)
                return 0.0
        self._flush()
        self._settle_soon()
        return wait_s

    def _settle_soon(self) -> None:
        if self._settling is None and self._writer is not None:
            loop = asyncio.get_running_loop()
            self._settling = loop.call_later(SAFE_AFTER_S, self._settled, self.session.received)

    def _settled(self, number: int) -> None:
        self._settling = None
        if not self._held or self._unsafe_bytes > UNSAFE_BYTES_MAX:
            self._settle(number)
            if self.session.received > number:
                self._settle_soon()

    def _settle(self, number: int | None = None) -> None:
        self._unsafe_bytes = 0
        self.session.safe(self.session.received if number is None else number)
        self.session.acknowledge()
        self._flush()

    # --- is it there?

    def _is_starved(self) -> bool:
        starved = self._starves() and self._starved_ticks < STARVED_TICKS_MAX
        self._starved_ticks += starved
        return starved

    async def _keep(self) -> None:
        tick = 0
        while not self.lost.done():
            await asyncio.sleep(TICK_S)
            tick += 1
            starved = self._is_starved()
            self._silent_ticks += self._asked and self._silence_counts and not self._pausing and not starved
            often = self.watched or self._asked  # a ping may be lost: the next decides
            if self._silent_ticks > SILENT_TICKS_MAX:
                self._lose(SILENT)
            elif tick % (PING_EVERY_TICKS if often else UNWATCHED_PING_EVERY_TICKS) == 0:
                self._asked = True
                self.send(Kind.PING, n=tick)
            if tick % 60 == 0:  # a reconnect may cut a frame off: only many at once are nonsense
                self.session.bad_frames = 0
