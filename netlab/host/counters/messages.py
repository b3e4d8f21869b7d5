"""What the agent and the sampler say to each other: MessagePack arrays over a socketpair, told apart by the first item.

    agent -> sampler   [ADD, run, limit_pps, [[node, netns, [interface, ...]], ...]]   again: replaces
                       [REMOVE, run]      [WATCHED, [run, ...]]      [WANT_FULL, run]
    sampler -> agent   [TICK, sampled_at, {run: body or None}]       None: read, and nothing has changed
                       [HISTORY, {run: full body}]
                       [SCHEMA, CounterSchema as JSON]
                       [STORM, run, node, interface, pps, limit_pps]
                       [OPENED, run, [node that could not be opened, ...]]
                       [CLOSED, run]      no descriptor of the run is open any more

An interface's name may be any bytes: those that are not UTF-8 travel as surrogate escapes, as file names do in Python.
Both ends are the same version of the same program, so there is nothing to negotiate.
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NamedTuple

import msgpack

MESSAGE_BYTES_MAX = 16 << 20
"""A tick of 500 labs is some 100 KB; a schema of a large lab some 200 KB."""


class Tell(IntEnum):
    """Agent to sampler."""

    ADD = 1
    REMOVE = 2
    WATCHED = 3
    WANT_FULL = 4


class Report(IntEnum):
    """Sampler to agent."""

    TICK = 1
    HISTORY = 2
    SCHEMA = 3
    STORM = 4
    OPENED = 5
    CLOSED = 6


class NodeSource(NamedTuple):
    """Where a node's counters are read. `interfaces` are those of the lab, in its order; they are listed first."""

    node: str
    netns: str
    interfaces: list[str]


def pack(kind: IntEnum, *items: Any) -> bytes:
    packed: bytes = msgpack.packb([int(kind), *items], unicode_errors="surrogateescape")
    return packed


class Messages:
    """Cuts a byte stream into messages."""

    def __init__(self) -> None:
        self._unpacker = msgpack.Unpacker(max_buffer_size=MESSAGE_BYTES_MAX, unicode_errors="surrogateescape")

    def feed(self, data: bytes) -> Iterator[list[Any]]:
        self._unpacker.feed(data)
        yield from self._unpacker
