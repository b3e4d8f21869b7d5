"""A simulated attendee: joins over HTTPS, starts a lab by REST, reads a terminal's websocket. Used by benches and tests.

It speaks only what a browser speaks (docs/architecture.md) and knows nothing of the server's inside.
"""

import asyncio
import json
import re
import ssl
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx
import websockets
from websockets.asyncio.client import ClientConnection
from websockets.typing import Origin

ACK_EVERY_BYTES = 64 * 1024
LIMITS = httpx.Limits(keepalive_expiry=3)
"""Seconds. The server closes a connection after five; a browser asks once more when that happens under its request."""


def trusting() -> ssl.SSLContext:
    """The lab server's certificate is self-made; what is measured here is not its trust."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@dataclass
class TerminalView:
    """One viewer of a terminal: what has arrived so far, and when its first byte did."""

    socket: ClientConnection
    offset: int = 0
    data: bytearray = field(default_factory=bytearray)
    first_byte_at: float | None = None
    acknowledged: int = 0

    async def read(self, timeout_s: float = 10) -> bool:
        """One message; False when the terminal has ended."""
        message = await asyncio.wait_for(self.socket.recv(), timeout_s)
        if isinstance(message, bytes):
            if self.first_byte_at is None:
                self.first_byte_at = time.perf_counter()
            self.data += message
            self.offset += len(message)
            if self.offset - self.acknowledged >= ACK_EVERY_BYTES:
                await self.ack()
            return True
        said = json.loads(message)
        if said["type"] in ("start", "skipped"):
            self.offset = said["offset"]
        return bool(said["type"] != "closed")

    async def ack(self) -> None:
        self.acknowledged = self.offset
        await self.socket.send(json.dumps({"type": "ack", "offset": self.offset}))

    async def until(self, text: bytes, timeout_s: float = 10) -> float:
        """Read until `text` has appeared; the time it did, in seconds of time.perf_counter()."""
        ends = time.monotonic() + timeout_s
        while text not in self.data:
            if not await self.read(max(0.01, ends - time.monotonic())):
                raise ConnectionError("the terminal ended")
        return time.perf_counter()

    async def type(self, text: str) -> None:
        await self.socket.send(text.encode())


class Attendee:
    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        tls = trusting() if url.startswith("https") else False
        self.http = httpx.AsyncClient(base_url=self.url, verify=tls, follow_redirects=True, timeout=30, limits=LIMITS)
        self._tls = tls or None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.http.aclose()

    async def join(self, code: str, name: str) -> str:
        """Join a workshop by its code; the workshop's id, found in the address one lands on."""
        page = await self.http.get(f"/join/{code}/")
        page.raise_for_status()
        form = {"name": name, **self._form_token(page.text)}
        answer = await self.http.post(f"/join/{code}/", data=form, headers=self._referer())
        answer.raise_for_status()
        found = re.search(r"/w/([^/]+)/", str(answer.url)) or re.search(r'href="/w/([^/"]+)/', answer.text)
        if not found:
            raise RuntimeError(f"joining did not lead to a workshop: {answer.url}")
        return found.group(1)

    async def api(self, method: str, path: str, **body: Any) -> Any:
        """One REST call; raises httpx.HTTPStatusError with the error's body in its message."""
        token = next((c.value for c in self.http.cookies.jar if c.name.endswith("csrftoken")), None)
        headers = {"X-CSRFToken": token or "", **self._referer()}
        answer = await self.http.request(method, f"/api/v1{path}", json=body or None, headers=headers)
        if answer.is_error:
            raise httpx.HTTPStatusError(f"{answer.status_code} {answer.text[:500]}", request=answer.request, response=answer)
        return answer.json()

    async def start(self, workshop: str, lab: str) -> Any:
        return await self.api("POST", f"/workshops/{workshop}/labs/{lab}/run")

    async def wait_for_state(self, run: str, state: str, timeout_s: float = 30, every_s: float = 0.05) -> Any:
        ends = time.monotonic() + timeout_s
        while True:
            now = await self.api("GET", f"/runs/{run}")
            if now["state"] == state:
                return now
            if now["state"] == "failed" and state != "failed":
                raise RuntimeError(f"run {run} failed: {now['error']}")
            if time.monotonic() > ends:
                raise TimeoutError(f"run {run} is {now['state']}, not {state}")
            await asyncio.sleep(every_s)

    async def terminal(self, run: str, terminal: str, offset: int = 0) -> TerminalView:
        socket = await self._socket(f"/ws/runs/{run}/terminals/{terminal}/")
        await socket.send(json.dumps({"type": "hello", "offset": offset, "rows": 24, "cols": 100}))
        return TerminalView(socket, offset=offset)

    async def run_socket(self, run: str, rate: str = "fast", last_event: str | None = None) -> ClientConnection:
        socket = await self._socket(f"/ws/runs/{run}/")
        await socket.send(json.dumps({"type": "hello", "last_event": last_event, "rate": rate}))
        return socket

    async def _socket(self, path: str) -> ClientConnection:
        cookies = "; ".join(f"{c.name}={c.value}" for c in self.http.cookies.jar)
        return await websockets.connect(
            "ws" + self.url.removeprefix("http") + path,
            additional_headers={"Cookie": cookies}, ssl=self._tls, max_size=1 << 20, compression=None,
            origin=Origin(self.url),
        )

    def _referer(self) -> dict[str, str]:
        return {"Referer": self.url + "/", "Origin": self.url}

    @staticmethod
    def _form_token(html: str) -> dict[str, str]:
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', html)
        return {"csrfmiddlewaretoken": found.group(1)} if found else {}
