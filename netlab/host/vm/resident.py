"""Templates in memory, sealed, ready to be mapped by any number of machines. Owned by `machines`, filled by `templates` too.

A template's memory is on disk once and in memory once, however many machines run from it. What is not used for longest is
let go of when they take more than a tenth of the host's memory: machines that have mapped it keep it as long as they live.
"""

import asyncio
import os
from dataclasses import dataclass

from netlab.host.vm import memory
from netlab.host.vm.api import MachineFailed, Template
from netlab.host.vm.store import Damaged, Loaded, Shelf

MEMORY_SHARE_PERCENT = 10


@dataclass
class Held:
    """One template. `release` it as often as it was held."""

    memory: int
    state: bytes
    users: int = 0
    dropped: bool = False

    def open_state(self) -> int:
        """A descriptor of its own for one reader, the caller's to close."""
        fd = memory.create("state", 0)
        os.write(fd, self.state)
        os.lseek(fd, 0, os.SEEK_SET)
        return fd

    def release(self) -> None:
        self.users -= 1
        self._close_if_unused()

    def drop(self) -> None:
        self.dropped = True
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        if self.dropped and self.users == 0 and self.memory >= 0:
            os.close(self.memory)
            self.memory = -1


class Resident:
    def __init__(self, limit_bytes: int = 0) -> None:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        self._limit_bytes = limit_bytes or total * MEMORY_SHARE_PERCENT // 100
        self._held: dict[str, Held] = {}
        """The one used last is last."""
        self._loading: dict[str, asyncio.Lock] = {}

    def has(self, key: str) -> bool:
        return key in self._held

    async def hold(self, template: Template) -> Held:
        """For as long as a machine is being started from it. Raises MachineFailed when it is not there or damaged."""
        try:
            await self.load(template)
        except (FileNotFoundError, Damaged) as error:
            raise MachineFailed(f"its template cannot be used: {error}") from error
        held = self._held[template.key] = self._held.pop(template.key)
        held.users += 1
        return held

    async def load(self, template: Template) -> None:
        """Raises FileNotFoundError, Damaged, OSError."""
        lock = self._loading.setdefault(template.key, asyncio.Lock())
        async with lock:
            if template.key not in self._held:
                loading = asyncio.ensure_future(asyncio.to_thread(Shelf(template.folder.parent).load, template.key))
                try:
                    self.put(template.key, await asyncio.shield(loading))
                except asyncio.CancelledError:
                    loading.add_done_callback(_close_unwanted)
                    raise
        self._loading.pop(template.key, None)

    def put(self, key: str, loaded: Loaded) -> None:
        self.drop(key)
        self._held[key] = Held(loaded.memory, loaded.state)
        self._shrink()

    def drop(self, key: str) -> None:
        held = self._held.pop(key, None)
        if held is not None:
            held.drop()

    def close(self) -> None:
        for key in list(self._held):
            self.drop(key)

    def _shrink(self) -> None:
        """The newest stays whatever it takes."""
        sizes = {key: memory.used_bytes(held.memory) for key, held in self._held.items()}
        for key in list(self._held)[:-1]:
            if sum(sizes.values()) <= self._limit_bytes:
                return
            if self._held[key].users == 0:
                self.drop(key)
                del sizes[key]


def _close_unwanted(loading: "asyncio.Future[Loaded]") -> None:
    if not loading.cancelled() and loading.exception() is None:
        os.close(loading.result().memory)
