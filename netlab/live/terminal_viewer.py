"""One browser's view of one terminal: how far it was sent, how far it has drawn, what the live channel brought.

Filled from the live channel (it is a Listener), emptied by the terminal socket's pump. It does no I/O. Bytes go out
contiguously and at most WINDOW_BYTES beyond what the browser has drawn; what does not fit is dropped here, since the
stream has it.
"""

import asyncio
from collections import deque

from netlab.wire.streams import parse_live_terminal

WINDOW_BYTES = 256 * 1024
SKIP_TO_BYTES = 64 * 1024
"""A viewer that was too slow goes on so far before the end: enough for a screen and some history."""
ACK_EVERY_BYTES = 32 * 1024
"""Acks are passed on to the host in such steps: well below the 64 KiB at which it reads on."""


class TerminalViewer:
    def __init__(self) -> None:
        self.signal = asyncio.Event()
        self.sent = 0
        self.acked = 0
        self.newest = 0
        """The terminal's newest offset that this viewer has heard of."""
        self.check_start = False
        """The connection to Redis was broken: look whether the stream is still the one we know."""
        self.closed_reason: str | None = None
        self._passed_on = 0
        self._live: deque[tuple[int, bytes]] = deque()
        self._live_bytes = 0

    # --- from the live channel

    def message(self, data: bytes) -> None:
        end, chunk = parse_live_terminal(data)
        self.newest = end
        self._live_bytes += len(chunk)
        if self._live_bytes > WINDOW_BYTES:
            self._forget_live()
        else:
            self._live.append((end - len(chunk), chunk))
        self.signal.set()

    def restored(self) -> None:
        self.check_start = True
        self.signal.set()

    def close(self, reason: str) -> None:
        self.closed_reason = self.closed_reason or reason
        self.signal.set()

    def _forget_live(self) -> None:
        self._live.clear()
        self._live_bytes = 0

    # --- to the browser

    def start_at(self, offset: int) -> None:
        """Everything before `offset` is drawn or gone."""
        self.sent = self.acked = self._passed_on = offset
        self.newest = max(self.newest, offset)
        self.signal.set()

    def start_over(self, offset: int, newest: int) -> None:
        """The terminal's bytes are counted anew: what the live channel brought before is of another count."""
        self._forget_live()
        self.newest = newest
        self.start_at(offset)

    @property
    def room(self) -> int:
        return WINDOW_BYTES - (self.sent - self.acked)

    @property
    def behind(self) -> bool:
        return self.newest > self.sent

    def take_live(self) -> bytes | None:
        """The next piece, when the live channel has it; None when the stream must be asked."""
        while self._live:
            start, chunk = self._live[0]
            if start > self.sent:
                return None
            if start + len(chunk) > self.sent:
                return self.cut(start, chunk)
            self._live.popleft()
            self._live_bytes -= len(chunk)
        return None

    def cut(self, start: int, chunk: bytes) -> bytes:
        """What of a chunk is to be sent now: after what was sent, within the window. Counts it as sent."""
        if start > self.sent:  # the window closed within the chunk before
            return b""
        piece = chunk[self.sent - start:][: self.room]
        self.sent += len(piece)
        return piece

    def ack(self, offset: int) -> int | None:
        """The browser has drawn so far. The offset to pass on to the host, None when it can wait.

        Raises ValueError for what was never sent.
        """
        if offset > self.sent:
            raise ValueError(f"offset {offset} was not sent yet")
        self.acked = max(self.acked, offset)
        self.signal.set()
        if self.acked - self._passed_on < ACK_EVERY_BYTES:
            return None
        self._passed_on = self.acked
        return self.acked


def clean_start(offset: int, chunk: bytes) -> int:
    """Where to begin in the middle of a terminal's output: after the first line's end, so not inside a sequence."""
    line_end = chunk.find(b"\n")
    return offset + line_end + 1 if line_end >= 0 else offset
