"""The agent's side of the holder. Every call is one short exchange over a connection of its own, off the event loop.

Raises OSError (ConnectionError, TimeoutError) when the holder does not answer; its caller goes on without.
"""

import asyncio
import json
import logging
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from netlab.host.engine.parts import HeldMaster
from netlab.host.holder.protocol import ANSWER_WITHIN_S, MESSAGE_BYTES_MAX

log = logging.getLogger(__name__)


class HolderClient:
    """MasterHolder of the engine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def put(self, terminal: str, descriptor: int, meta: Mapping[str, Any]) -> None:
        await asyncio.to_thread(self._exchange, {"do": "put", "id": terminal, "meta": dict(meta)}, (descriptor,))

    async def drop(self, terminal: str) -> None:
        await asyncio.to_thread(self._exchange, {"do": "drop", "id": terminal})

    async def ids(self) -> list[str]:
        answer, _ = await asyncio.to_thread(self._exchange, {"do": "list"})
        return [str(name) for name in answer["ids"]]

    async def take_all(self) -> list[HeldMaster]:
        """A copy of everything that is held; empty, and logged, when there is no holder."""
        try:
            return [master for name in await self.ids() if (master := await asyncio.to_thread(self._take, name))]
        except OSError as error:
            log.warning("the holder does not answer: %s", error)
            return []

    def _take(self, name: str) -> HeldMaster | None:
        answer, descriptors = self._exchange({"do": "take", "id": name})
        return HeldMaster(name, descriptors[0], answer["meta"]) if descriptors else None

    def _exchange(self, request: dict[str, Any], descriptors: Sequence[int] = ()) -> tuple[dict[str, Any], list[int]]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.settimeout(ANSWER_WITHIN_S)
            connection.connect(str(self._path))
            socket.send_fds(connection, [json.dumps(request).encode()], descriptors)
            data, given, _, _ = socket.recv_fds(connection, MESSAGE_BYTES_MAX, 1, socket.MSG_CMSG_CLOEXEC)
        if not data:
            raise ConnectionResetError("the holder hung up")
        for descriptor in given:
            os.set_inheritable(descriptor, False)
        answer: dict[str, Any] = json.loads(data)
        return answer, given
