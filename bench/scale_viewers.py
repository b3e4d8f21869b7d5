"""Browsers of bench/scale.py: websockets that say hello, answer pings and write down what they get and when. Its own process.

    python -m bench.scale_viewers < {"host": ..., "port": ..., "tls": true, "sockets": [{"run": ..., "cookie": ...}], "to": FILE}

Answers 'ready' when all are open; at each further line of input that names a file it writes there what has arrived since the last
(MessagePack: for each socket [[Unix time, text or bytes], ...]) and answers 'written'. It looks into no frame: that is done
afterwards, when nothing is measured.
"""

import asyncio
import json
import os
import ssl
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import msgpack
import uvloop

from bench.attendee import trusting

OPENING_AT_ONCE = 20
OPEN_WITHIN_S = 30.0
HELLO = json.dumps({"type": "hello", "last_event": None, "rate": "fast"}).encode()
HANDSHAKE = (
    "GET /ws/runs/{run}/ HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: {origin}\r\nCookie: {cookie}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
"""Opcodes (RFC 6455, 5.2)."""
NO_MASK = bytes(4)


@dataclass
class Viewer(asyncio.Protocol):
    """One browser's connection."""

    opened: "asyncio.Future[None]"
    arrived: list[tuple[float, str | bytes]] = field(default_factory=list)
    _data: bytes = b""
    _transport: asyncio.Transport | None = None
    _upgraded: bool = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        now = time.time()
        data = self._data + data if self._data else data
        if not self._upgraded:
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._data = head
                return
            self._upgraded = True
            if b" 101 " in head.split(b"\r\n", 1)[0]:
                self.say(TEXT, HELLO)
            else:
                self.opened.set_exception(ConnectionError(head.decode(errors="replace")))
        self._data = self._take(data, now)

    def _take(self, data: bytes, now: float) -> bytes:
        """Whole frames are taken; the rest is given back. A server's frames are not masked."""
        at, there = 0, len(data)
        while there - at >= 2:
            opcode, length, head = data[at] & 15, data[at + 1], 2
            if length == 126:
                length, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
            elif length == 127:
                length, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
            if there - at < head + length:
                break
            payload = data[at + head : at + head + length]
            at += head + length
            if opcode == PING:
                self.say(PONG, payload)
            elif opcode in (TEXT, BINARY):
                self.arrived.append((now, payload if opcode == BINARY else payload.decode()))
                if not self.opened.done():
                    self.opened.set_result(None)
        return data[at:]

    def say(self, opcode: int, payload: bytes) -> None:
        """Masked with zeros, which is a mask."""
        assert self._transport is not None and len(payload) < 126
        self._transport.write(bytes((0x80 | opcode, 0x80 | len(payload))) + NO_MASK + payload)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(error or ConnectionError("closed before its first message"))


async def open_one(wanted: dict[str, str], host: str, port: int, tls: ssl.SSLContext | None) -> Viewer:
    loop = asyncio.get_running_loop()
    viewer = Viewer(loop.create_future())
    transport, _ = await loop.create_connection(lambda: viewer, host, port, ssl=tls)
    origin = f"{'https' if tls else 'http'}://{host}:{port}"
    transport.write(HANDSHAKE.format(host=host, port=port, origin=origin, **wanted).encode())
    await asyncio.wait_for(viewer.opened, OPEN_WITHIN_S)
    return viewer


async def main() -> None:
    lines = await _input()
    wanted = json.loads(await lines.readline())
    room, tls = asyncio.Semaphore(OPENING_AT_ONCE), trusting() if wanted["tls"] else None

    async def opened(one: dict[str, str]) -> Viewer:
        async with room:
            return await open_one(one, wanted["host"], wanted["port"], tls)

    viewers = await asyncio.gather(*(opened(one) for one in wanted["sockets"]))
    os.write(1, b"ready\n")
    while name := (await lines.readline()).decode().strip():
        taken = [viewer.arrived for viewer in viewers]
        for viewer in viewers:
            viewer.arrived = []
        Path(name).write_bytes(msgpack.packb(taken))
        os.write(1, b"written\n")


async def _input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=16 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


if __name__ == "__main__":
    uvloop.run(main())
