"""A capture ends when it is told to, whatever arrives in that very moment. Its socket here is one half of a pair."""

import asyncio
import socket
from typing import cast

import pytest

from netlab.host.capture.capture import Capture
from netlab.host.capture.tap import Taken, Tap

TURNS = 8
"""Of the event loop, from a packet's coming until it has been taken."""


class Wire:
    """A Tap whose interface is never gone and whose packets are of no interest."""

    link_type = "ethernet"

    def __init__(self) -> None:
        self.sock, self.other_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.setblocking(False)

    def read(self) -> tuple[list[Taken], int]:
        self.sock.recv(1)
        return [], 0

    def is_there(self) -> bool:
        return True


@pytest.mark.parametrize("turns", range(TURNS))
async def test_a_capture_that_is_stopped_while_a_packet_comes_in_ends(turns: int) -> None:
    wire = Wire()
    with wire.sock, wire.other_end:
        capture = Capture(cast(Tap, wire), "c", "client", "eth0", 64, "")
        task = asyncio.create_task(capture.run(lambda of, packets, more: None))
        await asyncio.sleep(0.01)
        wire.other_end.send(b"x")
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        ended, _ = await asyncio.wait({task}, timeout=20)
        assert ended, "it goes on although it was cancelled"
        capture.forget()
