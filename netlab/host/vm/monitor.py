"""One machine's monitor (QMP): commands, and the events that say what has become of the machine. Called by `machines`.

A compromised QEMU may answer what it likes, so every answer has a limit in time and nothing of it is kept. QEMU serves one
client at a time; the next one is served when that has gone, which a killed agent has.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from qemu.qmp import ConnectError, EventListener, ExecuteError, Message, QMPClient, QMPError, StateError

ANSWER_LIMIT_S = 20.0
POLL_S = 0.002
POLL_MAX_S = 0.05

OnEvent = Callable[[str, dict[str, Any]], None]

logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL)  # a machine that ends is not an error of ours


class MonitorLost(Exception):
    """The machine's monitor does not answer (any more)."""


class MonitorRefused(Exception):
    """QEMU has not done it; its own words."""


class Monitor:
    """Connected from `open` on."""

    def __init__(self, client: QMPClient) -> None:
        self._client = client

    @classmethod
    async def open(cls, path: Path, on_event: OnEvent, limit_s: float = ANSWER_LIMIT_S) -> "Monitor":
        """Raises MonitorLost. QEMU may still be starting: the socket was listening before it."""
        client = QMPClient()
        client.events.names = {"none"}  # that listener would keep every event for ever
        client.register_listener(_Hearer(on_event))
        try:
            async with asyncio.timeout(limit_s):
                await client.connect(_connected(path))
        except (ConnectError, OSError, TimeoutError, EOFError) as error:
            raise MonitorLost(f"the monitor does not answer: {error or type(error).__name__}") from error
        return cls(client)

    async def execute(self, command: str, **arguments: Any) -> Any:
        """Raises MonitorLost, MonitorRefused."""
        names = {name.replace("_", "-"): value for name, value in arguments.items()}
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                return await self._client.execute(command, names)
        except ExecuteError as error:
            raise MonitorRefused(f"{command}: {error}") from error
        except (QMPError, StateError, OSError, TimeoutError, EOFError) as error:
            raise MonitorLost(f"{command}: {error or type(error).__name__}") from error

    async def give(self, name: str, descriptor: int) -> None:
        """Hand QEMU a descriptor, which it knows by this name until it has used it."""
        try:
            self._client.send_fd_scm(descriptor)
        except (QMPError, StateError, OSError) as error:
            raise MonitorLost(f"getfd: {error}") from error
        await self.execute("getfd", fdname=name)

    async def wait_closed(self) -> None:
        """Until the connection is gone, whoever ended it."""
        while self._client.runstate.name != "IDLE":
            if self._client.runstate.name == "DISCONNECTING":
                await _disconnect(self._client)
                return
            await self._client.runstate_changed()

    async def close(self) -> None:
        await _disconnect(self._client)


class _Hearer(EventListener):
    """Tells events as they come and keeps none."""

    def __init__(self, on_event: OnEvent) -> None:
        super().__init__()
        self._on_event = on_event

    def accept(self, event: Message) -> bool:
        name, data = event.get("event"), event.get("data")
        if isinstance(name, str):
            self._on_event(name, data if isinstance(data, dict) else {})
        return False


def _connected(path: Path) -> socket.socket:
    """At once: whoever listens has a backlog."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        sock.connect(str(path))
    except OSError:
        sock.close()
        raise
    return sock


async def _disconnect(client: QMPClient) -> None:
    with suppress(QMPError, OSError, EOFError):
        await client.disconnect()
