"""Templates on disk: written whole or not at all, checked when they are read, locked while they are made, dropped when there
is no room. Called by `templates` and `resident`; it starts no machine.

    <templates_dir>/                0700
        <key>/memory                sparse: zeros are holes
        <key>/state                 QEMU's devices
        <key>/manifest.json         sizes and digests of both; its folder's time of change says when it was last used
        .partial-<key>/             being written, by whoever has the lock
        .lock-<key>                 flock: one process makes the template, the others wait
"""

import asyncio
import errno
import fcntl
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from netlab.host.steps import Steps
from netlab.host.vm import memory

FORMAT = 1
LOCK_POLL_S = 0.05
FILE_MODE = 0o400


class Damaged(Exception):
    """A template that is not what was written; why."""


@dataclass(frozen=True)
class Manifest:
    format: int
    key: str
    memory_bytes: int
    memory_digest: str
    state_bytes: int
    state_digest: str


@dataclass(frozen=True)
class Loaded:
    memory: int
    """A sealed file in memory, the receiver's to close."""
    state: bytes


class Shelf:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def folder(self, key: str) -> Path:
        return self._folder / key

    def has(self, key: str) -> bool:
        return (self.folder(key) / "manifest.json").exists()

    def load(self, key: str) -> Loaded:
        """Everything is read and compared, so it takes a while: belongs into a thread. Raises FileNotFoundError when there
        is none, Damaged."""
        folder = self.folder(key)
        if not folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
        manifest = _read_manifest(folder, key)
        state = _read_state(folder / "state", manifest)
        return Loaded(_read_memory(folder / "memory", manifest), state)

    def save(self, key: str, memory_fd: int, state: bytes) -> None:
        """Belongs into a thread, and under the lock. Raises OSError (disk full): nothing is left then."""
        partial = self._folder / f".partial-{key}"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir(mode=0o700, parents=True)
            size = os.fstat(memory_fd).st_size
            with open(partial / "memory", "xb", buffering=0) as file:
                os.fchmod(file.fileno(), FILE_MODE)
                os.ftruncate(file.fileno(), size)
                digest = memory.copy(memory_fd, file.fileno())
            (partial / "state").write_bytes(state)
            manifest = Manifest(FORMAT, key, size, digest, len(state), memory.digest_of(state))
            (partial / "manifest.json").write_text(json.dumps(asdict(manifest)))
            self.discard(key)
            partial.rename(self.folder(key))
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise

    def discard(self, key: str) -> None:
        """Machines that have mapped it have it in memory: they do not mind."""
        shutil.rmtree(self.folder(key), ignore_errors=True)

    def touch(self, key: str) -> None:
        with suppress(OSError):
            os.utime(self.folder(key))

    def make_room(self, limit_bytes: int, needed_bytes: int) -> list[str]:
        """Drop those that were not used for longest until `needed_bytes` fit below the limit; which. Never one that somebody
        has locked. Parts that a killed process has left go too."""
        self._sweep()
        found = sorted((path.stat().st_mtime, path.name) for path in self._templates())
        sizes = {name: _disk_bytes(self._folder / name) for _, name in found}
        dropped = []
        for _, name in found:
            if sum(sizes.values()) + needed_bytes <= limit_bytes:
                break
            lock = self._try_lock(name)
            if lock is not None:
                self.discard(name)
                self._unlock(name, lock)
                dropped.append(name)
                del sizes[name]
        return dropped

    @asynccontextmanager
    async def lock(self, key: str, steps: Steps) -> AsyncIterator[None]:
        """While held, nobody else makes or drops this template. A wait for another who has it is a step."""
        fd = self._try_lock(key)
        if fd is None:
            async with steps.step("template", "Wait for the template, which somebody else's start is making"):
                while fd is None:
                    await asyncio.sleep(LOCK_POLL_S)
                    fd = self._try_lock(key)
        try:
            yield
        finally:
            self._unlock(key, fd)

    def _try_lock(self, key: str) -> int | None:
        """A process that dies gives its locks back. The file goes with its lock: whoever opened it before begins anew."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            fd = os.open(self._lock_file(key), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                return None
            if os.fstat(fd).st_nlink:
                return fd
            os.close(fd)

    def _unlock(self, key: str, fd: int) -> None:
        self._lock_file(key).unlink(missing_ok=True)
        os.close(fd)

    def _lock_file(self, key: str) -> Path:
        return self._folder / f".lock-{key}"

    def _templates(self) -> list[Path]:
        try:
            return [path for path in self._folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
        except FileNotFoundError:
            return []

    def _sweep(self) -> None:
        for partial in self._folder.glob(".partial-*"):
            key = partial.name.removeprefix(".partial-")
            lock = self._try_lock(key)
            if lock is not None:
                shutil.rmtree(partial, ignore_errors=True)
                self._unlock(key, lock)


def _read_manifest(folder: Path, key: str) -> Manifest:
    try:
        manifest = Manifest(**json.loads((folder / "manifest.json").read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise Damaged("its manifest cannot be read") from error
    if manifest.format != FORMAT or manifest.key != key:
        raise Damaged("its manifest is another's")
    return manifest


def _read_state(file: Path, manifest: Manifest) -> bytes:
    try:
        if file.stat().st_size != manifest.state_bytes:
            raise Damaged("its state has another size")
        state = file.read_bytes()
    except OSError as error:
        raise Damaged("its state cannot be read") from error
    if memory.digest_of(state) != manifest.state_digest:
        raise Damaged("its state was changed")
    return state


def _read_memory(file: Path, manifest: Manifest) -> int:
    try:
        source = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise Damaged("its memory cannot be read") from error
    try:
        if os.fstat(source).st_size != manifest.memory_bytes:
            raise Damaged("its memory has another size")
        fd = memory.create(manifest.key, manifest.memory_bytes)
        try:
            if memory.copy(source, fd) != manifest.memory_digest:
                raise Damaged("its memory was changed")
            memory.seal(fd)
        except BaseException:
            os.close(fd)
            raise
        return fd
    finally:
        os.close(source)


def _disk_bytes(folder: Path) -> int:
    total = 0
    for name in ("memory", "state", "manifest.json"):
        with suppress(OSError):
            total += (folder / name).stat().st_blocks * 512
    return total
