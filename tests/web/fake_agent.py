"""An agent's socket that answers as it is told to and remembers what it was given. Speaks the real framing."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from netlab.domain.errors import NetlabError
from netlab.wire.commands import Command, parse_command
from netlab.wire.framing import pack, read_frame_blocking
from netlab.wire.replies import CommandReply


class HangUp(Exception):
    """Raised by an answer: the agent dies before it has said anything."""


class FakeAgent:
    def __init__(self, path: Path, answer: Callable[[Command], None] = lambda command: None) -> None:
        self.commands: list[Command] = []
        self._answer, self._path = answer, path
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path.unlink(missing_ok=True)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream, suppress(HangUp):
                while stream.peek(1):
                    self._reply(connection, parse_command(read_frame_blocking(stream.read)))

    def _reply(self, connection: socket.socket, command: Command) -> None:
        self.commands.append(command)
        try:
            self._answer(command)
            reply = CommandReply(command=command.id)
        except NetlabError as error:
            reply = CommandReply(command=command.id, error=error.body())
        connection.sendall(pack(reply.model_dump_json().encode()))

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=5)
        self._path.unlink(missing_ok=True)
