"""Waiting until a descriptor can be read, without reading: whoever is cancelled meanwhile has taken nothing. Limits are the
caller's (`asyncio.timeout`).
"""

import asyncio
import socket


async def readable(sock: socket.socket) -> None:
    """Returns when there is something to read, accept or hear of."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(sock, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sock)
