"""What stands between uvicorn and Django's threads: a thread is given to a request only while it works on it. Used by asgi.py.

A body is read here, before a thread begins, and an answer is sent from here, after the thread has gone on: somebody who
sends or reads slowly, or not at all, costs memory for a moment and never one of the few threads; and one session's
requests wait here when they come faster than a person presses buttons. It decides nothing about what is asked.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from netlab.live.bucket import Bucket

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Message, Receive, Send], Awaitable[None]]

BODY_BYTES_MAX = 2 * 1024 * 1024
"""Beyond DATA_UPLOAD_MAX_MEMORY_SIZE, so that what is a little too large is refused by Django, in words."""
BODY_WITHIN_S = 20.0
TAKEN_WITHIN_S = 30.0
"""How long a browser may leave a full buffer lying before the rest of its answer is dropped."""
REQUESTS_PER_S = 30
REQUESTS_BURST = 200
"""Of one session. A page with all its parts is about twenty."""
WAIT_MAX_S = 10.0
SESSIONS_MAX = 4096
"""Beyond, all begin with a full burst again."""


class BodyRefused(Exception):
    """Too large, too slow, or the browser went away. `status` 0: there is nobody to tell."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class WholeRequests:
    """`application` must not hold its caller up while it sends: a2wsgi with an unbounded send queue does not."""

    def __init__(
        self, application: Asgi, session_cookie: str = "", body_within_s: float = BODY_WITHIN_S,
        taken_within_s: float = TAKEN_WITHIN_S,
    ) -> None:
        self.application = application
        self.session_cookie = session_cookie.encode() + b"="
        self.body_within_s, self.taken_within_s = body_within_s, taken_within_s
        self._pace: dict[bytes, Bucket] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        wait_s = self._wait_of(scope)
        if wait_s > WAIT_MAX_S:
            await refuse(send, 429)
            return
        await asyncio.sleep(wait_s)
        try:
            async with asyncio.timeout(self.body_within_s):
                body = await read_body(receive)
        except TimeoutError:
            await refuse(send, 408)
            return
        except BodyRefused as refused:
            if refused.status:
                await refuse(send, refused.status)
            return
        await self.application(scope, Given(body, receive).receive, Sender(send, self.taken_within_s).send)

    def _wait_of(self, scope: Message) -> float:
        """Nobody waits for others: who has no session is not counted, since a whole room may share one address."""
        cookies = b";".join(value for name, value in scope.get("headers", ()) if name == b"cookie").split(b";")
        session = next((c.strip()[:128] for c in cookies if c.strip().startswith(self.session_cookie)), None)
        if session is None:
            return 0.0
        if session not in self._pace and len(self._pace) >= SESSIONS_MAX:
            self._pace.clear()
        bucket = self._pace.setdefault(session, Bucket(REQUESTS_PER_S, REQUESTS_BURST))
        wait_s = bucket.wait_for(1)
        if wait_s > WAIT_MAX_S:
            bucket.wait_for(-1)  # it is refused, so it costs nothing: who waits a moment gets on
        return wait_s


class Given:
    """`receive` of the application: the body in one message, then what the server says."""

    def __init__(self, body: bytes, more: Receive) -> None:
        self.body: bytes | None = body
        self.more = more

    async def receive(self) -> Message:
        if self.body is None:
            return await self.more()
        body, self.body = self.body, None
        return {"type": "http.request", "body": body, "more_body": False}


class Sender:
    """`send` of the application: what a browser does not take in time is dropped, with all that follows."""

    def __init__(self, send: Send, within_s: float) -> None:
        self.to_browser, self.within_s = send, within_s
        self.dropped = False

    async def send(self, message: Message) -> None:
        if self.dropped:
            return
        try:
            async with asyncio.timeout(self.within_s):
                await self.to_browser(message)
        except TimeoutError:
            self.dropped = True


async def read_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise BodyRefused(0)
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            raise BodyRefused(413)
        if not message.get("more_body", False):
            return bytes(body)


async def refuse(send: Send, status: int) -> None:
    """The connection ends with it: the rest of the body is not wanted."""
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"This request came too slowly, was too large, or was one of too many.\n"})
