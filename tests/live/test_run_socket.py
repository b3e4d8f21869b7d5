"""`/ws/runs/<run>/`: no event lost or doubled, counters newest first, late browsers get the last minute."""

import asyncio
import contextlib
import random
import time
from typing import cast

from websockets.exceptions import ConnectionClosed

from netlab.runs.models import Run
from netlab.wire.counters import DELTA, FULL
from netlab.wire.events import FileChanged, RunStateChanged, TaggedFrames
from netlab.wire.redis_names import EVENTS_MAX, Keys
from netlab.wire.streams import FullSampleWanted
from netlab.workshops.models import Attendee
from tests.live.conftest import Browser, Voice, Web
from tests.waiting import until


async def test_a_new_page_gets_a_snapshot_and_then_events(web: Web, run: Run, voice: Voice, attendee: Attendee) -> None:
    browser = await web.run_socket(attendee.user, run)
    snapshot = await browser.next()
    assert snapshot["type"] == "snapshot"
    assert (snapshot["run"]["id"], snapshot["run"]["state"]) == (run.pk, "starting")
    await voice.event("one")
    assert (await browser.until("event"))["event"]["what"] == "one"


async def test_what_only_the_projector_reads_is_not_sent(web: Web, run: Run, voice: Voice, attendee: Attendee) -> None:
    browser = await web.run_socket(attendee.user, run)
    await browser.until("snapshot")
    await voice.publish(FileChanged(run=run.pk, at=1.0, path="xdp.c", content="int x;", base_version=1))
    await voice.event("after")
    assert (await browser.until("event"))["event"]["kind"] == "command_done"


async def test_what_is_only_live_is_heard_by_those_who_look_and_kept_for_nobody(
    web: Web, run: Run, voice: Voice, attendee: Attendee
) -> None:
    browser = await web.run_socket(attendee.user, run)
    await browser.until("snapshot")
    await voice.publish(TaggedFrames(run=run.pk, at=1.0, node="box", switch="sw0", frames=[], skipped=3))
    event = (await browser.until("live"))["event"]
    assert (event["kind"], event["switch"], event["skipped"]) == ("tagged_frames", "sw0", 3)
    for stream in (voice.streams.keys.run_events(run.pk), voice.streams.keys.host_events(run.host)):
        assert not await _written(voice, stream, b"tagged_frames")


async def test_a_flood_of_what_is_only_live_pushes_no_event_out(web: Web, run: Run, voice: Voice, attendee: Attendee) -> None:
    first = await web.run_socket(attendee.user, run)
    await first.until("snapshot")
    await voice.event("before")
    last = (await first.until("event"))["id"]
    await first.socket.close()
    flood = [TaggedFrames(run=run.pk, at=1.0, node="box", switch="sw0", frames=[], skipped=n) for n in range(2 * EVENTS_MAX)]
    for start in range(0, len(flood), 500):
        await voice.streams.publish_many(flood[start : start + 500])
    await voice.event("after")
    again = await web.run_socket(attendee.user, run, last_event=last)
    assert (await again.next())["event"]["what"] == "after", "resumed, not begun anew"
    assert len(await _written(voice, voice.streams.keys.host_events(run.host), b"after")) == 1


async def _written(voice: Voice, stream: str, what: bytes) -> list[bytes]:
    """The events of a stream that have `what` in them."""
    entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", await voice.streams.client.xrange(stream))
    return [entry[b"e"] for _, entry in entries if what in entry[b"e"]]


async def test_events_that_are_not_in_the_database_yet_follow_the_snapshot(
    web: Web, run: Run, voice: Voice, attendee: Attendee
) -> None:
    """No projector runs here: the snapshot alone would say 'starting' for ever."""
    await voice.publish(RunStateChanged(run=run.pk, generation=1, at=1.0, state="running"))
    browser = await web.run_socket(attendee.user, run)
    assert (await browser.until("snapshot"))["run"]["state"] == "starting"
    states = [(await browser.until("event"))["event"] for _ in range(2)]
    assert [event["state"] for event in states] == ["starting", "running"]


async def test_no_event_is_lost_or_doubled_under_random_disconnects(
    web: Web, run: Run, voice: Voice, attendee: Attendee
) -> None:
    total, dice = 300, random.Random(7)
    seen: list[tuple[str, str]] = []
    snapshots = 0

    async def speak() -> None:
        for number in range(total):
            await voice.event(str(number))
            if dice.random() < 0.3:
                await asyncio.sleep(dice.random() * 0.01)

    async def listen(browser: Browser, *, resumes: bool) -> None:
        nonlocal snapshots
        while len(seen) < total:
            message = await browser.next()
            snapshots += resumes and message["type"] == "snapshot"
            if message["type"] == "event" and message["event"]["kind"] == "command_done":
                seen.append((message["id"], message["event"]["what"]))

    speaking = asyncio.create_task(speak())
    connections = 0
    while len(seen) < total:
        resumes = bool(seen)  # one may be cut off several times before it has heard of anything
        browser = await web.run_socket(attendee.user, run, last_event=seen[-1][0] if seen else None)
        connections += 1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(dice.uniform(0.02, 0.15)):
                await listen(browser, resumes=resumes)
        browser.socket.transport.abort()
    await speaking
    assert [what for _, what in seen] == [str(n) for n in range(total)]
    assert connections > 3
    assert snapshots <= 1  # whoever has seen an event resumes


async def test_a_browser_that_was_away_too_long_starts_anew(web: Web, run: Run, voice: Voice, attendee: Attendee) -> None:
    browser = await web.run_socket(attendee.user, run, last_event="1-0")
    assert (await browser.next())["type"] == "snapshot"


async def test_two_browsers_hear_the_same(web: Web, run: Run, voice: Voice, attendee: Attendee) -> None:
    browsers = [await web.run_socket(attendee.user, run) for _ in range(2)]
    for browser in browsers:
        await browser.until("snapshot")
    await voice.event("for both")
    heard = [await browser.until("event") for browser in browsers]
    assert heard[0] == heard[1]


# --- counters


async def test_a_late_browser_gets_the_last_minute_at_once(web: Web, run: Run, voice: Voice, attendee: Attendee) -> None:
    for second in range(70):
        await voice.remember(second, 2 * second, at=float(second))
    browser = await web.run_socket(attendee.user, run, rate="fast")
    schema = (await browser.until("schema"))["schema"]
    assert [c["name"] for c in schema["counters"]] == ["rx_packets", "tx_packets"]
    frames = [await browser.frame() for _ in range(60)]
    assert [f[3] for f in frames] == [float(s) for s in range(10, 70)]
    assert {(f[0], f[2]) for f in frames} == {(FULL, 0)}
    assert frames[-1][4] == [69, 138]


async def test_deltas_are_merged_once_and_numbered(web: Web, run: Run, voice: Voice, attendee: Attendee) -> None:
    browser = await web.run_socket(attendee.user, run, rate="fast")
    await browser.until("snapshot")
    await voice.count(1, 1, full=True)
    first = await browser.frame()
    assert (first[0], first[4]) == (FULL, [1, 1])
    await voice.count(5, 1)
    second = await browser.frame()
    assert (second[0], second[2], second[4]) == (DELTA, first[2] + 1, [0, 4])
    late = await web.run_socket(attendee.user, run, rate="fast")
    assert (await late.frame())[4] == [5, 1]


async def test_a_gap_asks_the_host_for_a_full_sample(web: Web, run: Run, voice: Voice, attendee: Attendee) -> None:
    await voice.count(1, 1)
    browser = await web.run_socket(attendee.user, run, rate="fast")
    await browser.until("snapshot")
    assert FullSampleWanted(run.pk) in await voice.heard()
    await voice.count(2, 2)  # a delta that nobody here can merge
    assert await browser.quiet()
    await voice.count(3, 3, full=True)
    assert (await browser.frame())[4] == [3, 3]


async def test_rates(web: Web, run: Run, voice: Voice, attendee: Attendee) -> None:
    browser = await web.run_socket(attendee.user, run, rate="off")
    await browser.until("snapshot")
    await voice.count(1, 1, full=True)
    assert await browser.quiet()
    await browser.say(type="rate", rate="slow")
    assert (await browser.frame())[4] == [1, 1]
    began = time.monotonic()
    for value in range(2, 22):
        await voice.count(value, 1)
        await asyncio.sleep(0.02)
    frames = [await browser.frame()]
    while frames[-1][4] != [21, 1]:  # the newest, though nothing came after it
        frames.append(await browser.frame())
    assert len(frames) <= 3 + (time.monotonic() - began)  # one a second, not 20
    assert await browser.quiet(1.3)
    await browser.say(type="rate", rate="off")
    await asyncio.sleep(0.5)
    await voice.count(99, 1)
    assert await browser.quiet()


async def test_a_looked_at_run_is_watched(web: Web, run: Run, voice: Voice, attendee: Attendee) -> None:
    keys: Keys = voice.streams.keys
    hidden = await web.run_socket(attendee.user, run, rate="off")
    await hidden.until("snapshot")
    assert await voice.streams.client.get(keys.watch(run.pk)) is None
    await hidden.say(type="rate", rate="fast")

    async def watched() -> bool:
        return await voice.streams.watched([run.pk]) == {run.pk}

    await until(watched, "the host to be told")


async def test_a_slow_browser_is_closed(web: Web, run: Run, voice: Voice, attendee: Attendee) -> None:
    """It reads nothing while much happens: its socket ends with 4408 instead of holding all of it in memory."""
    browser = await web.run_socket(attendee.user, run, max_queue=1)
    await browser.until("snapshot")
    browser.socket.transport.pause_reading()
    count = 1500
    for number in range(count):
        await voice.event(f"{number} {'x' * 16_000}")
    browser.socket.transport.resume_reading()
    seen = 0
    with contextlib.suppress(ConnectionClosed):
        while True:
            seen += isinstance(await browser.next(), dict)
    assert browser.socket.close_code == 4408
    assert seen < count
