"""A container's runtime that connects in the very moment in which its start is called off: its connection is not lost."""

import asyncio
import socket
from pathlib import Path

import pytest

from netlab.host.nodes.sandboxed import _accept

TURNS = 6
"""Of the event loop, from a connection's coming until it has been accepted."""


@pytest.mark.parametrize("turns", range(TURNS))
async def test_a_connection_that_nobody_took_is_still_there(tmp_path: Path, turns: int) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as listener:
        listener.bind(str(tmp_path / "console"))
        listener.listen(1)
        accepting = asyncio.ensure_future(_accept(listener))
        await asyncio.sleep(0.01)
        with socket.socket(socket.AF_UNIX) as runtime:
            runtime.connect(str(tmp_path / "console"))
            for _ in range(turns):
                await asyncio.sleep(0)
            accepting.cancel()
            await asyncio.wait({accepting})
            connection = listener.accept()[0] if accepting.cancelled() else accepting.result()
            connection.close()
