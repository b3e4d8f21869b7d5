"""Takes what a machine writes of its state, through a pipe, and puts it into a file, up to a limit. Called by `machine`.

Through a pipe because the machine's user may open nothing and write no large file, and because the one who writes the file
learns why it cannot. It neither reads nor trusts what passes.
"""

import errno
import fcntl
import os
import select
import threading

PIPE_BYTES = 1 << 20
LOOK_EVERY_MS = 200


class Drain:
    """`writer` is for the machine; `run` ends when all copies of it are closed, or after `stop`."""

    def __init__(self, target: int, limit_bytes: int) -> None:
        self._target, self._limit_bytes = target, limit_bytes
        self._reader, self.writer = os.pipe2(os.O_CLOEXEC)
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._stopped = threading.Event()

    def close_writer(self) -> None:
        """Our copy, as soon as the machine has its own."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> int:
        """Belongs into a thread. How many bytes there were. Raises OSError: ENOSPC, EFBIG beyond the limit, ECANCELED.
        The machine is then told by its pipe, which has nobody at the other end any more."""
        total = 0
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        try:
            while not self._stopped.is_set():
                if poll.poll(LOOK_EVERY_MS):
                    moved = os.splice(self._reader, self._target, PIPE_BYTES)
                    if moved == 0:
                        return total
                    total += moved
                    if total > self._limit_bytes:
                        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
        finally:
            os.close(self._reader)
