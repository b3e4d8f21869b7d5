"""Notices that a node has stopped: its first process has ended, and with it every shell and program in the node.

Held by a run's `LiveRun`, begun and ended by `lifecycle`. It tells once and mends nothing: what the attendee had in the node
may still be worth a look, and a reset of the node brings it back.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from functools import partial

from netlab.host.nodes.api import NodePlace

log = logging.getLogger(__name__)


class NodeWatch:
    def __init__(self, on_stopped: Callable[[str], None]) -> None:
        self._on_stopped = on_stopped
        self._pidfds: dict[str, int] = {}

    def begin(self, places: Iterable[NodePlace]) -> None:
        """Watch these nodes; plain ones have no process of their own."""
        for place in places:
            if place.init_pid == 0:
                continue
            self.end(place.node)
            try:
                pidfd = os.pidfd_open(place.init_pid)
            except ProcessLookupError:
                self._stopped(place.node)
                continue
            self._pidfds[place.node] = pidfd
            asyncio.get_running_loop().add_reader(pidfd, partial(self._stopped, place.node))

    def end(self, node: str | None = None) -> None:
        """Of one node, or of all: from now on it may go away without a word."""
        for name in [node] if node is not None else list(self._pidfds):
            pidfd = self._pidfds.pop(name, None)
            if pidfd is not None:
                asyncio.get_running_loop().remove_reader(pidfd)
                os.close(pidfd)

    def _stopped(self, node: str) -> None:
        self.end(node)
        log.warning("node %s has stopped", node)
        self._on_stopped(node)
