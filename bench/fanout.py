"""One lab's counters to 1, 100, 500 and 1000 websockets at 10 Hz: netlab's hub beside the same through channels_redis.

Called by `make bench-counters`. A server process of its own (fanout_app), a Redis of its own; what is measured is the server's
processor time for each frame that arrived, the way from sampling to the client, and what never arrived.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgpack
import redis.asyncio

from bench.counters import figure
from bench.start import percentile
from netlab.host.kernel.machine_load import process
from netlab.wire.counters import FAST_TICK_S, Encoder, pack_packet
from netlab.wire.redis_names import Keys
from netlab.wire.streams import connect

SOCKETS = (1, 100, 500, 1000)
VALUES = 240
"""A lab of six nodes with four interfaces each."""
LOAD_S, DRAIN_S, READY_S, END_S = 8.0, 3.0, 20.0, 3.0
HANDSHAKE = "GET {path} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
OPENING_AT_ONCE = 50
WEB_SOCKET = "web.sock"


def main() -> None:
    with tempfile.TemporaryDirectory() as name, _redis(Path(name)) as url:
        for count in SOCKETS:
            cost = {}
            for way in ("hub", "layer"):
                with _server(Path(name), url) as server:
                    cost[way] = asyncio.run(_measure(way, count, Path(name) / WEB_SOCKET, url, server))
            figure(f"fanout_{count}_ratio_channel_layer", cost["hub"] / cost["layer"], "x")


async def _measure(way: str, count: int, web: Path, url: str, server: int) -> float:
    """Prints the figures of one way; returns processor time in us for each frame that arrived."""
    clients = [Client() for _ in range(count)]
    for at in range(0, count, OPENING_AT_ONCE):
        await asyncio.gather(*(client.open(str(web), f"/{way}/") for client in clients[at : at + OPENING_AT_ONCE]))
    before, _ = process(server)
    last = await _produce(way, url)
    await asyncio.sleep(DRAIN_S)
    spent_s = process(server)[0] - before
    for client in clients:
        client.close()
    lags_ms = [lag * 1000 for client in clients for lag in client.lags_s]
    cost_us = spent_s / max(1, len(lags_ms)) * 1e6
    figure(f"fanout_{count}_{way}_us", cost_us, "us")
    figure(f"fanout_{count}_{way}_p99_ms", percentile(lags_ms, 99) if lags_ms else float("inf"), "ms")
    figure(f"fanout_{count}_{way}_latest_lost", sum(client.newest < last for client in clients), "sockets")
    return cost_us


async def _produce(way: str, url: str) -> int:
    """One sample a tick, each of its own number; returns the last."""
    client = connect(url)
    send = _to_layer() if way == "layer" else _to_hub(client)
    number, values, ends = 0, [0] * VALUES, time.monotonic() + LOAD_S
    while time.monotonic() < ends:
        number += 1
        values = [number + at if at % 10 == 0 else value for at, value in enumerate(values)]
        values[0] = number
        await send(values)
        await asyncio.sleep(FAST_TICK_S)
    await client.aclose()
    return number


def _to_hub(client: "redis.asyncio.Redis") -> Callable[[list[int]], Awaitable[object]]:
    from bench.fanout_app import HOST, RUN

    encoder, channel = Encoder(1), Keys(os.environ["NETLAB_INSTANCE"]).counters(HOST)

    async def send(values: list[int]) -> None:
        now = time.time()
        encoder.put(0, values)
        body = encoder.body(now, full=True)
        assert body is not None
        await client.publish(channel, pack_packet(now, {RUN: body}))

    return send


def _to_layer() -> Callable[[list[int]], Awaitable[object]]:
    from bench.fanout_app import GROUP, layer

    async def send(values: list[int]) -> None:
        data = msgpack.packb([0, 1, values[0], time.time(), values])
        await layer().group_send(GROUP, {"type": "frame", "data": data})

    return send


@dataclass
class Client(asyncio.Protocol):
    """A websocket that only listens: parses frames, notes how old each is and the newest number."""

    lags_s: list[float] = field(default_factory=list)
    newest: int = 0
    _data: bytearray = field(default_factory=bytearray)
    _open: "asyncio.Future[None] | None" = None
    _transport: asyncio.Transport | None = None

    async def open(self, path: str, url: str) -> None:
        loop = asyncio.get_running_loop()
        self._open = loop.create_future()
        self._transport, _ = await loop.create_unix_connection(lambda: self, path)
        self._transport.write(HANDSHAKE.format(path=url).encode())
        await asyncio.wait_for(self._open, READY_S)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._open is not None and not self._open.done():
            head, end, rest = self._data.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._open.set_exception(RuntimeError(head.decode()))
                return
            self._open.set_result(None)
            self._data = bytearray(rest)
        while (frame := self._cut()) is not None:
            _, _, _, sampled_at, values = msgpack.unpackb(frame)
            self.lags_s.append(time.time() - sampled_at)
            self.newest = max(self.newest, values[0])

    def _cut(self) -> bytes | None:
        """The next frame's payload; a server's frames are not masked (RFC 6455, 5.2)."""
        if len(self._data) < 4:
            return None
        length, head = self._data[1] & 127, 2
        if length == 126:
            length, head = int.from_bytes(self._data[2:4], "big"), 4
        if len(self._data) < head + length:
            return None
        payload = bytes(self._data[head : head + length])
        del self._data[: head + length]
        return payload


@contextmanager
def _server(folder: Path, url: str) -> Iterator[int]:
    """Its pid."""
    sock = folder / WEB_SOCKET
    sock.unlink(missing_ok=True)
    command = [
        sys.executable, "-m", "uvicorn", "bench.fanout_app:app", "--uds", str(sock), "--ws", "netlab.live.ws_protocol:WebSockets",
        "--loop", "uvloop", "--ws-per-message-deflate", "false", "--log-level", "critical",
    ]
    with _running(command, sock, {"NETLAB_REDIS_URL": url}) as pid:
        yield pid


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    sock = folder / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(sock), "--save", "", "--dir", str(folder)]
    with _running(command, sock, {}):
        os.environ["NETLAB_REDIS_URL"], os.environ["NETLAB_INSTANCE"] = f"unix://{sock}", "bench"
        yield f"unix://{sock}"


@contextmanager
def _running(command: list[str], sock: Path, environment: dict[str, str]) -> Iterator[int]:
    server = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + READY_S
        while not sock.exists():
            if server.poll() is not None or time.monotonic() > ends:
                raise RuntimeError(f"{command[0]} did not come up")
            time.sleep(0.05)
        yield server.pid
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(END_S)
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
