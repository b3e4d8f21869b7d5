"""`/ws/runs/<run>/terminals/<terminal>/`: contiguous bytes, bounded by what is drawn, each viewer at its own pace."""

import asyncio
import time

import pytest

from netlab.live.terminal_socket import INPUT_BURST_BYTES, INPUT_BYTES_PER_S, RESIZE_COST_BYTES, TYPED_EVERY_BYTES
from netlab.live.terminal_viewer import WINDOW_BYTES
from netlab.runs.models import Run
from netlab.wire.events import TerminalClosed
from netlab.wire.streams import FullSampleWanted
from netlab.wire.terminals import SCROLLBACK_BYTES, TerminalAck, TerminalInput, TerminalMessage, TerminalResize
from netlab.workshops.models import Attendee
from tests.live.conftest import PATIENCE_S, Browser, Voice, Web

CHUNK = b"y\r\n" * 10_000


async def _collect(browser: Browser, start: int, *, until: int, ack: bool = False) -> tuple[bytes, int]:
    """All bytes from offset `start` until at least that one, and the offset at which they end."""
    data = b""
    while start + len(data) < until:
        message = await browser.next()
        if isinstance(message, bytes):
            data += message
            if ack:
                await browser.say(type="ack", offset=start + len(data))
    return data, start + len(data)


async def test_scrollback_and_then_live_bytes(web: Web, run: Run, voice: Voice, terminal: str, attendee: Attendee) -> None:
    await voice.print(terminal, b"before\r\n")
    browser = await web.terminal(attendee.user, run, terminal)
    assert await browser.next() == {"type": "start", "offset": 0, "typed": 0}
    assert await browser.next() == b"before\r\n"
    await voice.print(terminal, "žluť\r\n".encode())
    assert await browser.next() == "žluť\r\n".encode()


async def test_a_reconnect_goes_on_where_the_screen_ends(
    web: Web, run: Run, voice: Voice, terminal: str, attendee: Attendee
) -> None:
    await voice.print(terminal, b"one two three")
    browser = await web.terminal(attendee.user, run, terminal, offset=8)
    assert await browser.next() == {"type": "start", "offset": 8, "typed": 0}
    assert await browser.next() == b"three"


async def test_without_acks_nothing_more_is_sent(web: Web, run: Run, voice: Voice, terminal: str, attendee: Attendee) -> None:
    """`yes` in a page that does not draw: one window, whatever the host says."""
    browser = await web.terminal(attendee.user, run, terminal)
    start = (await browser.until("start"))["offset"]  # before anything is printed
    for _ in range(16):
        await voice.print(terminal, CHUNK)
    data, end = await _collect(browser, start, until=WINDOW_BYTES)
    assert len(data) == end == WINDOW_BYTES
    assert await browser.quiet()
    await browser.say(type="ack", offset=1000)
    assert len(await browser.next()) == 1000
    assert await browser.quiet()


async def test_a_viewer_that_draws_gets_all(web: Web, run: Run, voice: Voice, terminal: str, attendee: Attendee) -> None:
    browser = await web.terminal(attendee.user, run, terminal)
    start = (await browser.until("start"))["offset"]
    total = 40 * len(CHUNK)

    async def speak() -> None:
        for _ in range(40):
            await voice.print(terminal, CHUNK)
            await asyncio.sleep(0.005)  # the host, too, waits for acks; here it is only a little slower than the page

    speaking = asyncio.create_task(speak())
    data, _ = await _collect(browser, start, ack=True, until=total)
    await speaking
    assert data == CHUNK * 40


async def test_a_slow_viewer_skips_and_the_other_does_not(
    web: Web, run: Run, voice: Voice, terminal: str, attendee: Attendee
) -> None:
    slow = await web.terminal(attendee.user, run, terminal)
    quick = await web.terminal(attendee.user, run, terminal)
    starts = [(await browser.until("start"))["offset"] for browser in (slow, quick)]
    count = 4 * SCROLLBACK_BYTES // len(CHUNK)

    async def speak() -> None:
        for _ in range(count):
            await voice.print(terminal, CHUNK)
            await asyncio.sleep(0.005)

    speaking = asyncio.create_task(speak())
    data, _ = await _collect(quick, starts[1], ack=True, until=count * len(CHUNK))
    await speaking
    assert data == CHUNK * count
    shown, end = await _collect(slow, starts[0], until=WINDOW_BYTES)
    assert len(shown) == WINDOW_BYTES
    assert await slow.quiet()
    await slow.say(type="ack", offset=end)
    skipped = await slow.until("skipped")
    assert skipped["offset"] > end
    rest = b""
    while skipped["offset"] + len(rest) < count * len(CHUNK):
        rest += await slow.next()
    assert await slow.quiet()
    assert skipped["offset"] + len(rest) == count * len(CHUNK)
    assert rest == (CHUNK * count)[skipped["offset"]:]


async def test_a_late_viewer_begins_with_what_is_kept(
    web: Web, run: Run, voice: Voice, terminal: str, attendee: Attendee
) -> None:
    count = 3 * SCROLLBACK_BYTES // len(CHUNK)
    for _ in range(count):
        await voice.print(terminal, CHUNK)
    browser = await web.terminal(attendee.user, run, terminal)
    start = (await browser.until("start"))["offset"]
    data, end = await _collect(browser, start, ack=True, until=count * len(CHUNK))
    assert end == count * len(CHUNK)
    assert SCROLLBACK_BYTES / 2 < len(data) < 2 * SCROLLBACK_BYTES
    assert data.startswith(b"y\r\n")  # at a line, not inside one


async def test_input_resizes_and_acks_reach_the_host(
    web: Web, run: Run, voice: Voice, terminal: str, attendee: Attendee
) -> None:
    await voice.print(terminal, b"x" * 40_000)
    browser = await web.terminal(attendee.user, run, terminal)
    await browser.until("start")
    await browser.next()
    await browser.socket.send("ls žluť\r".encode())
    await browser.say(type="resize", rows=40, cols=132)
    await browser.say(type="ack", offset=100)  # too little to be worth a message
    await browser.say(type="ack", offset=40_000)
    about = {"run": run.pk, "terminal": terminal}
    assert await voice.heard(count=4) == [
        TerminalResize(rows=24, cols=80, **about),
        TerminalInput(data="ls žluť\r".encode(), **about),
        TerminalResize(rows=40, cols=132, **about),
        TerminalAck(offset=40_000, **about),
    ]


async def test_what_is_typed_arrives_once_whichever_connection_brings_it(
    web: Web, run: Run, voice: Voice, terminal: str, attendee: Attendee
) -> None:
    """A page that comes back says the rest again, while its old connection's last bytes arrive after all."""
    page = "0123456789abcdef"
    old = await web.terminal(attendee.user, run, terminal, viewer=page)
    assert (await old.until("start"))["typed"] == 0
    await old.socket.send(b"echo ")
    await _typed(voice, b"echo ")
    new = await web.terminal(attendee.user, run, terminal, viewer=page)
    assert (await new.until("start"))["typed"] == 5
    await old.socket.send(b"on")  # under way when the page gave it up
    await _typed(voice, b"on")
    await new.socket.send(b"once\r")
    await _typed(voice, b"ce\r")
    await old.socket.send(b"ce\r")  # the rest, too, was under way there
    await new.socket.send(b"ls\r")
    await _typed(voice, b"ls\r")
    other = await web.terminal(attendee.user, run, terminal)
    assert (await other.until("start"))["typed"] == 0, "another page types for itself"
    await other.socket.send(b"w\r")
    await _typed(voice, b"w\r")


async def test_a_page_that_typed_before_redis_forgot_goes_on(
    web: Web, run: Run, voice: Voice, terminal: str, attendee: Attendee
) -> None:
    browser = await web.terminal(attendee.user, run, terminal, viewer="0123456789abcdef", typed=700)
    assert (await browser.until("start"))["typed"] == 700
    await browser.socket.send(b"x" * TYPED_EVERY_BYTES)
    assert (await browser.until("typed"))["offset"] == 700 + TYPED_EVERY_BYTES


async def _typed(voice: Voice, text: bytes) -> None:
    """The host gets these bytes, in its own time, and nothing else."""
    heard = b""
    deadline = time.monotonic() + PATIENCE_S
    while len(heard) < len(text) and time.monotonic() < deadline:
        heard += _input_in(await voice.heard(0.3, count=100))
    assert heard + _input_in(await voice.heard(0.3, count=100)) == text


def _input_in(messages: list[TerminalMessage | FullSampleWanted]) -> bytes:
    return b"".join(message.data for message in messages if isinstance(message, TerminalInput))


async def test_a_flood_of_input_is_slowed_down(web: Web, run: Run, voice: Voice, terminal: str, attendee: Attendee) -> None:
    began = time.monotonic()
    browser = await web.terminal(attendee.user, run, terminal)
    await browser.until("start")
    piece = b"x" * 60_000

    async def flood() -> None:
        while True:
            await browser.socket.send(piece)

    flooding = asyncio.create_task(flood())
    heard = await voice.heard(count=8)  # the burst, however long it takes
    heard += await voice.heard(2.0, count=1000)
    may_s = time.monotonic() - began
    flooding.cancel()
    await asyncio.gather(flooding, return_exceptions=True)
    taken = sum(len(m.data) for m in heard if isinstance(m, TerminalInput))
    most = INPUT_BURST_BYTES + may_s * INPUT_BYTES_PER_S + len(piece)
    assert 400_000 < taken < most, "the burst and what the time allows, not all that came"
    browser.socket.transport.abort()


async def test_a_flood_of_resizes_is_slowed_down(web: Web, run: Run, voice: Voice, terminal: str, attendee: Attendee) -> None:
    began = time.monotonic()
    browser = await web.terminal(attendee.user, run, terminal)
    await browser.next()
    for _ in range(400):
        await browser.say(type="resize", rows=24, cols=80)
    heard = await voice.heard(count=101)  # most of the burst, however long it takes
    heard += await voice.heard(1.5, count=1000)
    most = (INPUT_BURST_BYTES + (time.monotonic() - began) * INPUT_BYTES_PER_S) / RESIZE_COST_BYTES + 2
    assert 100 < len(heard) < most, "the burst and what the time allows, not all that came"


async def test_the_end_of_a_terminal(web: Web, run: Run, voice: Voice, terminal: str, attendee: Attendee) -> None:
    browser = await web.terminal(attendee.user, run, terminal)
    await browser.until("start")
    await voice.print(terminal, b"exit\r\n")
    await voice.publish(TerminalClosed(run=run.pk, at=1.0, terminal=terminal, reason="the shell ended"))
    assert await browser.next() == b"exit\r\n"
    assert await browser.next() == {"type": "closed", "reason": "the shell ended"}
    assert (await browser.close_code())[0] == 1000


@pytest.mark.parametrize("message", [
    '{"type":"hello","offset":0,"rows":24,"cols":80}', '{"type":"ack","offset":5}', '{"type":"ack","offset":-1}',
    '{"type":"resize","rows":0,"cols":80}', '{"type":"resize","rows":24,"cols":100000}', '{"type":"nonsense"}', "not json", "[]",
    '{"type":"ack","offset":0,"more":1}', "x" * 5000, b"x" * 66_000,
])
async def test_malformed_messages_end_with_a_sentence(
    message: str | bytes, web: Web, run: Run, terminal: str, attendee: Attendee
) -> None:
    browser = await web.terminal(attendee.user, run, terminal)
    await browser.until("start")
    await browser.socket.send(message)
    code, error = await browser.close_code()
    assert code == 4400
    assert error["code"] == "bad_message" and error["message"] and error["hint"]
