"""What waits for one browser of a run: a bounded queue of events, the newest of what is only live, and one newest-wins slot
for counters.

Filled by the hub (it is a RunListener), emptied by the run socket's pump. It does no I/O, so its rules can be tested
alone: no event twice or out of order, a slow browser never holds more than one frame, too many events end the socket.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from netlab.live.hub import Rate, StreamEvent, id_key
from netlab.live.tally import tally
from netlab.wire.counters import FULL, Frame

EVENTS_WAITING_MAX = 500
LIVE_WAITING_MAX = 10
SLOW_EVERY_S = 1.0


class RunBrowser:
    def __init__(self, rate: Rate, too_slow: Callable[[], None]) -> None:
        self.rate: Rate = rate
        self._too_slow = too_slow
        """Called once, when events had to be dropped: the socket must end, the browser resumes."""
        self.signal = asyncio.Event()
        """There is something to send."""
        self.overflowed = False
        self.open_for_events = False
        """False while the socket still fetches what came before: events wait."""
        self._events: deque[StreamEvent] = deque()
        self._live: deque[str] = deque(maxlen=LIVE_WAITING_MAX)
        self._sent_id = (0, 0)
        self._frame: bytes | None = None
        self._frame_version = -1
        self._frame_at = 0.0
        self._needs_full = False
        self._slow_due_at = float("-inf")

    # --- events

    def offer_event(self, event: StreamEvent) -> None:
        if len(self._events) >= EVENTS_WAITING_MAX:
            self.events_lost()
        elif not self.overflowed:
            self._events.append(event)
            self.signal.set()

    def events_lost(self) -> None:
        if not self.overflowed:
            self.overflowed = True
            self._events.clear()
            self._too_slow()

    def begin_after(self, last_id: str) -> None:
        """The browser knows everything up to `last_id`; what waits and is older is dropped."""
        self._sent_id = id_key(last_id)
        self.open_for_events = True
        self.signal.set()

    def next_event(self) -> StreamEvent | None:
        while self.open_for_events and self._events:
            event = self._events.popleft()
            key = id_key(event.id)
            if key > self._sent_id:
                self._sent_id = key
                return event
        return None

    def offer_live(self, text: str) -> None:
        """Newest wins; nobody misses what was to be seen in passing."""
        self._live.append(text)
        self.signal.set()

    def next_live(self) -> str | None:
        return self._live.popleft() if self.open_for_events and self._live else None

    # --- counters

    def set_rate(self, rate: Rate) -> None:
        self.rate = rate
        self._slow_due_at = float("-inf")
        if rate == "off":
            self._frame, self._needs_full = None, False
        else:
            self.need_full()

    def need_full(self) -> None:
        self.forget_frame()
        self.signal.set()

    def forget_frame(self) -> None:
        """What waits cannot be used; a full one goes out with the next tick."""
        self._frame, self._needs_full = None, True

    def offer_frame(self, frame: Frame, data: bytes) -> None:
        if self.rate == "fast":
            if frame.kind == FULL or (self._frame is None and not self._needs_full):
                self._frame, self._frame_version, self._needs_full = data, frame.schema_version, False
                self._frame_at = frame.sampled_at
            else:  # the one before has not been taken yet: forget both, the newest sample says it all
                self._frame, self._needs_full = None, True
                tally.frames_skipped += 1
            self.signal.set()
        elif self.rate == "slow":
            self._frame, self._needs_full = None, True
            self._signal_when_due()

    def _signal_when_due(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now >= self._slow_due_at:
            self._slow_due_at = now + SLOW_EVERY_S
            loop.call_later(SLOW_EVERY_S, self.signal.set)
            self.signal.set()

    @property
    def wants_newest(self) -> bool:
        """Whether `take_frame` has a use for the newest sample."""
        return self._needs_full and self._frame is None

    def take_frame(self, newest: Frame | None) -> tuple[int, bytes, float | None] | None:
        """(schema version, bytes, when it was sampled) to send now; `newest` is the hub's merged sample, used when a full one is
        due: how old that is says nothing of the way here, so it has no time."""
        if self._frame is not None:
            data, self._frame = self._frame, None
            return self._frame_version, data, self._frame_at
        if self._needs_full and newest is not None:
            self._needs_full = False
            return newest.schema_version, newest.to_bytes(), None
        return None
