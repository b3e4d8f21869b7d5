"""What a host hands up through Redis, waited for in a web process's thread. Used by the operations that answer with it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.runs.telling import streams
from netlab.wire.commands import BLOB_BYTES_MAX

LOOK_EVERY_S = 0.1


class Places:
    """For those who may wait: each keeps one of the web process's threads until the host has answered."""

    def __init__(self, at_once: int, busy: str) -> None:
        self._at_once, self._busy = at_once, busy
        self._runs: set[str] = set()
        self._lock = Lock()

    @contextmanager
    def place(self, run: str) -> Iterator[None]:
        with self._lock:
            if run in self._runs or len(self._runs) >= self._at_once:
                raise NetlabError(ErrorCode.BAD_INPUT, what=self._busy, fix="Try again in a moment.")
            self._runs.add(run)
        try:
            yield
        finally:
            with self._lock:
                self._runs.discard(run)


def wait_for_blob(command: str, limit_s: float) -> bytes:
    """The blob of this command. Raises HOST_AWAY."""
    give_up = time.monotonic() + limit_s
    while time.monotonic() < give_up:
        data = streams().take_blob(command)
        if data is not None:
            return data[:BLOB_BYTES_MAX]
        time.sleep(LOOK_EVERY_S)
    raise NetlabError(ErrorCode.HOST_AWAY)
