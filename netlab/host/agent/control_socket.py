"""The agent's unix socket: takes commands from the worker, checks who is speaking, answers when each is accepted.

Frames of `netlab.wire.framing`: a command's JSON, answered by a `CommandReply`. Any number on one connection, in order.
"""

import asyncio
import logging
import os
import pwd
import socket
import struct

from netlab.config import Config
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_bug_id
from netlab.host.runtimes.base import Runtime
from netlab.wire.commands import parse_command
from netlab.wire.framing import FrameTooLarge, pack, read_frame
from netlab.wire.replies import CommandReply

log = logging.getLogger(__name__)

_UCRED = struct.Struct("iII")
BACKLOG = 128


class ControlSocket:
    def __init__(self, config: Config, runtime: Runtime) -> None:
        self._path, self._worker_uid, self._runtime = config.agent_socket, config.worker_uid, runtime
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen; only the worker's group (and root) gets as far as connecting."""
        self._path.unlink(missing_ok=True)
        group = _group_of(self._worker_uid)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            listener.bind(str(self._path))
        finally:
            os.umask(before)
        os.chown(self._path.parent, 0, group)
        self._path.parent.chmod(0o710)
        os.chown(self._path, 0, group)
        self._path.chmod(0o660)
        self._server = await asyncio.start_unix_server(self._connected, sock=listener, backlog=BACKLOG)

    async def close(self) -> None:
        """No new commands; those that are being accepted are answered."""
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)
        if self._connections:
            await asyncio.wait(self._connections, timeout=1)
        for task in list(self._connections):
            task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            if self._may_speak(writer):
                await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, FrameTooLarge) as error:
            log.warning("a connection of the worker ended: %s", error)
        except asyncio.CancelledError:
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    def _may_speak(self, writer: asyncio.StreamWriter) -> bool:
        peer = writer.get_extra_info("socket")
        _, uid, _ = _UCRED.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        if uid in (0, self._worker_uid):
            return True
        log.warning("refused a peer with uid %d", uid)
        return False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (frame := await read_frame(reader)) is not None:
            reply = await self._answer(frame)
            writer.write(pack(reply.model_dump_json().encode()))
            await writer.drain()

    async def _answer(self, frame: bytes) -> CommandReply:
        name = ""
        try:
            command = parse_command(frame)
            name = command.id
            await self._runtime.handle(command)
            return CommandReply(command=name)
        except NetlabError as error:
            return CommandReply(command=name, error=error.body())
        except Exception:  # the edge of the agent: a bug is answered with its id, the socket goes on
            bug = new_bug_id()
            log.exception("a command could not be accepted (%s)", bug)
            return CommandReply(command=name, error=NetlabError(ErrorCode.BUG, id=bug).body())


def _group_of(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:  # a bare uid of a test: its group has the same number
        return uid


