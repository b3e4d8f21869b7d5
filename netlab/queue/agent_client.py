"""The client of the agent's unix socket: hands over commands and waits until each is accepted. Used by the nudge task.

It never retries and knows no queue; that the agent is away is an AgentAway for the caller to deal with.
"""

import socket
from collections.abc import Sequence
from pathlib import Path

from netlab.domain.errors import NetlabError
from netlab.wire.commands import Command
from netlab.wire.framing import FrameTooLarge, pack, read_frame_blocking
from netlab.wire.replies import REPLY_BYTES_MAX, parse_reply

CONNECT_TIMEOUT_S = 2.0
REPLY_TIMEOUT_S = 20.0
"""Accepting means checking and writing one file; this much only on a machine that is drowning."""


class AgentAway(Exception):
    """Nobody listens, or the one who did went away before answering. The command may or may not have arrived."""


class CommandRefused(Exception):
    """The agent said no to one command; the ones before it were accepted, those after it were not sent."""

    def __init__(self, command: Command, error: NetlabError) -> None:
        self.command, self.error = command, error
        super().__init__(f"{command.kind} of {command.run}: {error}")


def send_commands(path: Path, commands: Sequence[Command]) -> None:
    """All in order over one connection. Raises AgentAway, CommandRefused."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(CONNECT_TIMEOUT_S)
            connection.connect(str(path))
            connection.settimeout(REPLY_TIMEOUT_S)
            for command in commands:
                connection.sendall(pack(command.model_dump_json().encode()))
                _expect_accepted(connection, command)
    except (OSError, EOFError, FrameTooLarge) as error:
        raise AgentAway(f"{path}: {error or type(error).__name__}") from error


def _expect_accepted(connection: socket.socket, command: Command) -> None:
    reply = parse_reply(read_frame_blocking(lambda n: _recv_exactly(connection, n), REPLY_BYTES_MAX))
    if reply.error is not None:
        raise CommandRefused(command, reply.error.to_error())


def _recv_exactly(connection: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if not part:
            raise EOFError("the agent closed the connection")
        parts += part
    return bytes(parts)
