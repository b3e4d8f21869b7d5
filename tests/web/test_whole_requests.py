"""Slow and silent browsers: none of them may hold a thread of the web process, or one of them holds up the whole room."""

import asyncio
from typing import Any

from django.conf import settings

from netlab.asgi import HTTP_THREADS, application
from netlab.whole_requests import BODY_BYTES_MAX, REQUESTS_BURST, WholeRequests

HOST = (b"host", b"127.0.0.1:8443")
CSRF = (b"cookie", settings.CSRF_COOKIE_NAME.encode() + b"=" + b"a" * 32)
"""With one, Django looks for the token in the body."""


def scope(method: str, path: str, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "https", "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": [HOST, *headers],
        "client": ("127.0.0.1", 40000), "server": ("127.0.0.1", 8443),
    }


async def silence() -> Any:
    await asyncio.Event().wait()


async def whole() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def status_of(path: str) -> int:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await asyncio.wait_for(application(scope("GET", path), whole, send), 5)
    return int(sent[0]["status"])


async def end(tasks: "list[asyncio.Task[Any]]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_bodies_that_never_come_hold_nobody_up() -> None:
    form = ((b"content-type", b"application/x-www-form-urlencoded"), (b"content-length", b"1000"), CSRF,
            (b"origin", b"https://127.0.0.1:8443"))
    waiting = [
        asyncio.ensure_future(application(scope("POST", "/sign-in/", *form), silence, _nobody)) for _ in range(HTTP_THREADS + 2)
    ]
    await asyncio.sleep(0.5)
    try:
        assert await status_of("/join/") == 422
    finally:
        await end(waiting)


async def test_answers_that_nobody_reads_hold_nobody_up() -> None:
    async def full(message: dict[str, Any]) -> None:
        await asyncio.Event().wait()

    waiting = [
        asyncio.ensure_future(application(scope("GET", "/join/"), whole, full)) for _ in range(HTTP_THREADS + 2)
    ]
    await asyncio.sleep(0.5)
    try:
        assert await status_of("/join/") == 422
    finally:
        await end(waiting)


async def test_what_is_too_slow_or_too_large_is_told_and_ended() -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def endless() -> dict[str, Any]:
        return {"type": "http.request", "body": b"x" * 65_536, "more_body": True}

    door = WholeRequests(_never, body_within_s=0.1)
    await door(scope("POST", "/"), silence, send)
    await door(scope("POST", "/"), endless, send)
    assert [m["status"] for m in sent if "status" in m] == [408, 413]
    assert BODY_BYTES_MAX < 4 << 20


async def test_an_answer_that_is_not_taken_is_dropped() -> None:
    asked = 0

    async def full(message: dict[str, Any]) -> None:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()

    async def talkative(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(5):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

    await asyncio.wait_for(WholeRequests(talkative, taken_within_s=0.05)(scope("GET", "/"), whole, full), 2)
    assert asked == 1


async def test_one_session_is_slowed_down_and_nobody_else_is() -> None:
    answered: list[bytes] = []

    async def at_once(scope: Any, receive: Any, send: Any) -> None:
        answered.append(scope["headers"][-1][1])

    door = WholeRequests(at_once, "sid")
    flood = [
        asyncio.ensure_future(door(scope("GET", "/", (b"cookie", b"a=1; sid=mallory")), whole, _nobody))
        for _ in range(REQUESTS_BURST + 100)
    ]
    await asyncio.sleep(0.2)
    await asyncio.wait_for(door(scope("GET", "/", (b"cookie", b"sid=alice")), whole, _nobody), 1)
    await asyncio.wait_for(door(scope("GET", "/"), whole, _nobody), 1)
    assert answered.count(b"sid=alice") == 1
    assert REQUESTS_BURST <= answered.count(b"a=1; sid=mallory") < REQUESTS_BURST + 50
    await end(flood)


async def test_who_floods_on_is_refused_and_gets_on_later() -> None:
    said: list[int] = []

    async def send(message: dict[str, Any]) -> None:
        said.append(message.get("status", 0))

    door = WholeRequests(_never, "sid")
    flood = [
        asyncio.ensure_future(door(scope("GET", "/", (b"cookie", b"sid=m")), silence, send)) for _ in range(REQUESTS_BURST * 4)
    ]
    await asyncio.sleep(0.1)
    assert 429 in said
    await end(flood)


async def _nobody(message: dict[str, Any]) -> None:
    """A browser of which nobody looks at the answer."""


async def _never(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("no thread is wanted for this")
