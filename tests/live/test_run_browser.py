"""The rules of what waits for one browser, without a socket."""

import pytest

from netlab.live.bucket import Bucket
from netlab.live.hub import stream_event
from netlab.live.run_browser import EVENTS_WAITING_MAX, LIVE_WAITING_MAX, RunBrowser
from netlab.live.terminal_viewer import WINDOW_BYTES, TerminalViewer, clean_start
from netlab.wire.counters import DELTA, FULL, Frame


def _event(number: int) -> object:
    return stream_event(f"{number}-0", b'{"kind":"command_done","what":"x"}')


def _browser() -> tuple[RunBrowser, list[bool]]:
    ended: list[bool] = []
    return RunBrowser("fast", lambda: ended.append(True)), ended


async def test_events_wait_until_the_browser_has_what_came_before() -> None:
    browser, _ = _browser()
    for number in (8, 9, 10, 11):
        browser.offer_event(_event(number))  # type: ignore[arg-type]
    assert browser.next_event() is None
    browser.begin_after("9-5")
    events = [browser.next_event(), browser.next_event()]
    assert [e.id for e in events if e] == ["10-0", "11-0"]  # as numbers: 10 is after 9
    assert browser.next_event() is None


async def test_too_many_events_end_the_socket_once() -> None:
    browser, ended = _browser()
    for number in range(EVENTS_WAITING_MAX + 10):
        browser.offer_event(_event(number))  # type: ignore[arg-type]
    assert ended == [True]
    browser.begin_after("0")
    assert browser.next_event() is None  # nothing of it is kept


async def test_what_is_only_live_is_lost_by_those_who_are_slow() -> None:
    browser, ended = _browser()
    for number in range(LIVE_WAITING_MAX + 5):
        browser.offer_live(str(number))
    assert browser.next_live() is None  # nothing before what came before
    browser.begin_after("0")
    assert [browser.next_live() for _ in range(LIVE_WAITING_MAX)] == [str(n) for n in range(5, LIVE_WAITING_MAX + 5)]
    assert browser.next_live() is None and ended == []


async def test_a_slow_browser_holds_one_frame_and_then_gets_all_at_once() -> None:
    browser, _ = _browser()
    for number in range(1, 100):
        browser.offer_frame(Frame(DELTA, 1, number, 0.0, [0, 1]), b"delta")
    newest = Frame(FULL, 1, 99, 0.0, [99])
    assert browser.take_frame(newest) == (1, newest.to_bytes(), None)
    assert browser.take_frame(newest) is None
    browser.offer_frame(Frame(DELTA, 1, 100, 7.0, [0, 1]), b"delta 100")
    assert browser.take_frame(newest) == (1, b"delta 100", 7.0)


async def test_no_delta_after_a_full_one_was_asked_for() -> None:
    browser, _ = _browser()
    browser.need_full()
    browser.offer_frame(Frame(DELTA, 1, 5, 0.0, [0, 1]), b"delta")
    newest = Frame(FULL, 1, 5, 0.0, [7])
    assert browser.take_frame(newest) == (1, newest.to_bytes(), None)


def test_a_viewer_cannot_draw_what_it_was_not_sent() -> None:
    viewer = TerminalViewer()
    with pytest.raises(ValueError, match="not sent"):
        viewer.ack(1)


def test_the_window_closes_within_a_chunk() -> None:
    viewer = TerminalViewer()
    chunk = b"x" * 200_000
    assert len(viewer.cut(0, chunk)) == 200_000
    assert len(viewer.cut(200_000, chunk)) == WINDOW_BYTES - 200_000
    assert viewer.cut(400_000, chunk) == b""
    assert viewer.room == 0


def test_a_start_in_the_middle_is_at_a_line() -> None:
    assert clean_start(100, b"31mred\x1b[0m\r\nnext") == 100 + len(b"31mred\x1b[0m\r\n")
    assert clean_start(100, b"no line end") == 100


def test_a_bucket_makes_one_wait() -> None:
    bucket = Bucket(per_s=100, burst=50)
    assert bucket.wait_for(50) == 0
    assert 0.9 < bucket.wait_for(100) <= 1.0
