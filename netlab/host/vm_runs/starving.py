"""Whether a machine is silent because this host gives it no time. Asked by a port before it takes silence for an end.

A room of machines that all start at once makes each of them slow; that is nobody's fault, and a reset would make it worse. The
kernel says how long each thread has waited for a processor (proc(5), schedstat).
"""

import os
import time
from pathlib import Path

STARVED_SHARE = 0.4
"""Of the time since the last look, that the machine's threads have waited although they could have run."""


class Starving:
    def __init__(self, pid: int) -> None:
        self._tasks = Path(f"/proc/{pid}/task")
        self._waited_ns, self._at_ns = self._read(), time.monotonic_ns()

    def look(self) -> bool:
        """Since the last look."""
        before, began = self._waited_ns, self._at_ns
        self._waited_ns, self._at_ns = self._read(), time.monotonic_ns()
        return self._waited_ns - before > STARVED_SHARE * (self._at_ns - began)

    def _read(self) -> int:
        waited = 0
        try:
            for task in os.listdir(self._tasks):
                waited += int((self._tasks / task / "schedstat").read_text().split()[1])
        except (OSError, ValueError, IndexError):  # it ends just now, or this kernel keeps no such figures
            return waited
        return waited
