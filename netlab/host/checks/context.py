"""What a check may see of a run, and the words of a verdict. Shared by `evaluate` and the families of probes."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pyroute2 import IPRoute

from netlab.host.counters.api import Reading
from netlab.host.nodes.api import Nodes, RunNodes
from netlab.host.programs.attachments import open_route_socket

T = TypeVar("T")


@dataclass(frozen=True)
class CheckContext:
    """Everything a probe is answered from. `reading` is (node, object, counter); `read_file` a path under /lab."""

    nodes: Nodes
    run_nodes: RunNodes
    outcomes: Mapping[str, str]
    """How the last build of each program ended."""
    reading: Callable[[str, str, str], Reading | None]
    read_file: Callable[[str], str | None]


@dataclass(frozen=True)
class Verdict:
    """`observed` and `expected` go on the sentences 'There is ...' and 'There should be ...'."""

    passed: bool
    observed: str
    expected: str


async def ask_netlink(context: CheckContext, node: str, question: Callable[[IPRoute], T]) -> T:
    """Carry out a blocking question on a socket inside the node, in a thread."""
    sock = await open_route_socket(context.nodes, context.run_nodes, node)

    def ask() -> T:
        with sock, IPRoute(use_socket=sock) as route:
            return question(route)

    return await asyncio.to_thread(ask)
