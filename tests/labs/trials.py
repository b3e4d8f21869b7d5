"""Trials of labs in VMs, several at once: an emulated guest uses one processor, and less while its shell sleeps.

Each is `python -m netlab.host.try_lab`, as an author runs it, and has an instance of its own. For test_labs, whose tests wait
here one after the other; the next trial begins while they wait, so that none runs beside any other test.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from netlab.domain.lab import Isolation

TOP = Path(__file__).parents[2]
AT_ONCE = min(3, os.cpu_count() or 1)
ASK_EVERY_S = 0.1
END_LIMIT_S = 30


class Trials:
    def __init__(self, folders: Iterable[Path]) -> None:
        self._left = list(folders)
        self._running: dict[Path, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}
        self._ended: dict[Path, tuple[bool, str]] = {}

    def result(self, folder: Path) -> tuple[bool, str]:
        """Whether the lab did what it should, and what was printed."""
        while folder not in self._ended:
            self._go_on()
            time.sleep(ASK_EVERY_S)
        return self._ended[folder]

    def _go_on(self) -> None:
        for folder, (process, said) in list(self._running.items()):
            if process.poll() is not None:
                del self._running[folder]
                said.seek(0)
                self._ended[folder] = process.returncode == 0, said.read().decode()
                said.close()
        while self._left and len(self._running) < AT_ONCE:
            folder, said = self._left.pop(0), tempfile.TemporaryFile()  # noqa: SIM115  (closed with its trial)
            words = [sys.executable, "-m", "netlab.host.try_lab", "--isolation", Isolation.PRIVATE.value, str(folder)]
            self._running[folder] = subprocess.Popen(words, cwd=TOP, stdout=said, stderr=subprocess.STDOUT), said

    def close(self) -> None:
        """Whoever interrupts the tests ends those that run; they take their machines along."""
        for process, _ in self._running.values():
            process.send_signal(signal.SIGINT)
        for process, said in self._running.values():
            try:
                process.wait(END_LIMIT_S)
            finally:
                process.kill()
                said.close()
