"""`/ws/runs/<run>/`: events and counters of one run to one browser. The protocol is in docs/architecture.md.

On hello it registers with the hub first, then fetches what the browser lacks, then lets through what arrived meanwhile:
so no event is lost or doubled, however often the browser reconnects.
"""

import json
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, TypeAdapter

from netlab.live.access import RunSeen, run_seen_by, run_snapshot
from netlab.live.hub import Hub, Rate, ServedRun, StreamEvent, hub, id_key, stream_event
from netlab.live.run_browser import RunBrowser
from netlab.live.socket import TOO_SLOW, GuardedSocket, Message, database
from netlab.live.tally import tally
from netlab.wire.counters import history_frame

PROJECTION_MARGIN_MS = 2000
"""How far apart an event's ids in its run's stream and in its host's stream may be."""

EventId = Annotated[str, StringConstraints(pattern=r"^\d{1,16}(-\d{1,16})?$")]


class RunHello(Message):
    type: Literal["hello"]
    last_event: EventId | None = None
    rate: Rate = "fast"


class SetRate(Message):
    type: Literal["rate"]
    rate: Rate


class NeedFull(Message):
    type: Literal["need_full"]


class RunSocket(GuardedSocket):
    KIND = "run"
    messages = TypeAdapter(Annotated[RunHello | SetRate | NeedFull, Field(discriminator="type")])

    def __init__(self) -> None:
        super().__init__()
        self.seen: RunSeen | None = None
        self.hub: Hub | None = None
        self.served: ServedRun | None = None
        self.browser: RunBrowser | None = None
        self.schema_version = -1

    async def admit(self) -> None:
        self.seen = await database(run_seen_by)(self.user, self.scope["url_route"]["kwargs"]["run"])
        if self.served is not None and self.hub is not None:
            await self.hub.set_host(self.served, self.seen.host)

    async def hello(self, message: RunHello) -> None:
        assert self.seen is not None
        self.hub = hub()
        self.browser = RunBrowser(message.rate, self._too_slow)
        self.served = await self.hub.join(self.seen.id, self.seen.host, self.browser)
        if self.closing:
            self.hub.leave(self.served, self.browser)
            return
        await self._catch_up(message.last_event)
        if message.rate != "off":
            await self._begin_counters()
        self.spawn(self._pump())

    async def take(self, message: SetRate | NeedFull) -> None:
        assert self.browser is not None and self.served is not None and self.hub is not None
        if isinstance(message, NeedFull):
            self.browser.need_full()
            if self.served.merged.full() is None:
                self.served.ask_full()
            return
        self.browser.set_rate(message.rate)
        if message.rate != "off":
            await self.hub.streams.watch(self.served.id)

    async def leave(self) -> None:
        if self.hub is not None and self.served is not None and self.browser is not None:
            self.hub.leave(self.served, self.browser)

    # --- events

    async def _catch_up(self, last_event: str | None) -> None:
        """Send what the browser lacks, by resuming or by a snapshot; from then on the pump goes on."""
        assert self.hub is not None and self.served is not None and self.browser is not None
        entries = await self.hub.streams.resume_events(self.served.id, last_event) if last_event else None
        if entries is not None and last_event is not None:
            last = last_event
        else:
            last, entries = await self._send_snapshot()
        for entry_id, data in entries:
            event = stream_event(entry_id, data)
            if not event.hidden:
                await self.say(event.text)
            last = entry_id
        self.browser.begin_after(last)

    async def _send_snapshot(self) -> tuple[str, list[tuple[str, bytes]]]:
        """The run as the database has it, and the events that the projector may not have written there yet.

        Those are sent once more after the snapshot: an event says how something is, so hearing it twice changes nothing.
        """
        assert self.hub is not None and self.seen is not None
        last = await self.hub.streams.last_event_id(self.seen.id)
        until_ms = await self.hub.streams.projected_until_ms(self.seen.host) if self.seen.host else None
        run = await database(run_snapshot)(self.user, self.seen.id)
        replay: list[tuple[str, bytes]] = []
        if until_ms is not None:
            kept = await self.hub.streams.events_after(self.seen.id, "0")
            replay = [(i, data) for i, data in kept if id_key(i)[0] >= until_ms - PROJECTION_MARGIN_MS]
            older = [i for i, _ in kept if id_key(i)[0] < until_ms - PROJECTION_MARGIN_MS]
            last = older[-1] if older else "0"
        await self.say(f'{{"type":"snapshot","run":{run},"last_event":{json.dumps(last)}}}')
        return last, replay

    async def _pump(self) -> None:
        """Send what waits: events first, then the newest counters. The one task that sends after the hello."""
        browser, served = self.browser, self.served
        assert browser is not None and served is not None
        while True:
            await browser.signal.wait()
            browser.signal.clear()
            while (event := browser.next_event()) is not None:
                await self.say(event.text)
                if event.kind == "run_state":
                    self.spawn(self._look_again(event))
            while (text := browser.next_live()) is not None:
                await self.say(text)
            due = browser.take_frame(served.merged.full() if browser.wants_newest else None)
            if due is not None:
                await self._send_frame(*due)

    def _too_slow(self) -> None:
        self.spawn(self.end(TOO_SLOW, "this browser could not keep up; it goes on from its last event"))

    async def _look_again(self, event: StreamEvent) -> None:
        """A run that leaves the queue gets a host, and with it counters."""
        assert self.seen is not None
        if not self.seen.host:
            await self.admit()

    # --- counters

    async def _begin_counters(self) -> None:
        """The last minute at once, then the newest sample; the agent is told that somebody looks."""
        assert self.hub is not None and self.served is not None and self.browser is not None
        await self.hub.streams.watch(self.served.id)
        past = [history_frame(body) for body in await self.hub.streams.history(self.served.id)]
        if past and await self._send_schema(past[-1].schema_version):
            for frame in past:
                if frame.schema_version == self.schema_version:
                    await self.say_bytes(frame.to_bytes())
        self.browser.need_full()
        if self.served.merged.full() is None:
            self.served.ask_full()

    async def _send_frame(self, version: int, data: bytes, sampled_at: float | None) -> None:
        if version == self.schema_version or await self._send_schema(version):
            await self.say_bytes(data)
            tally.sent(sampled_at)
        elif self.browser is not None:
            self.browser.forget_frame()

    async def _send_schema(self, version: int) -> bool:
        """False while Redis does not have the schema of that version (yet)."""
        assert self.served is not None
        schema = await self.served.schema_of(version)
        if schema is None:
            return False
        await self.say(f'{{"type":"schema","schema":{schema.model_dump_json()}}}')
        self.schema_version = version
        return True
