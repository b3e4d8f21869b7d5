"""The folder /lab of a run as the host sees it: an attendee's root can put anything there, at any moment.

Used by the mirror of files. Every step of a path is opened relative to the one before and never through a symbolic
link, so nothing outside the folder is reached whatever is swapped in between. It decides nothing about versions.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

FOLDERS_MAX = 64
ENTRIES_MAX = 4000
"""Looked at in one walk; an attendee may make more, they are not mirrored."""
DEPTH_MAX = 8

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


@dataclass(frozen=True)
class Content:
    """What was found under a path. `data` is None when it is not a regular file or larger than was asked for."""

    data: bytes | None
    size: int
    regular: bool


class LabFolder:
    """`uid`: the host uid of the nodes' root, who owns what is written here."""

    def __init__(self, path: Path, uid: int) -> None:
        self._uid = uid
        self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    @property
    def size_mib(self) -> int:
        found = os.fstatvfs(self._root)
        return found.f_blocks * found.f_frsize >> 20

    def read(self, path: str, limit: int) -> Content | None:
        """None when there is nothing under this path, or only through a symbolic link."""
        try:
            with self._parent(path) as (folder, name):
                # O_NONBLOCK: a fifo put here must not hold up the engine
                descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        except OSError as error:
            if error.errno in _NOT_THERE:
                return None
            if error.errno == errno.ENXIO:  # a socket
                return Content(None, 0, False)
            raise
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                return Content(None, 0, False)
            data = _read_up_to(descriptor, limit + 1)
            return Content(data if len(data) <= limit else None, max(found.st_size, len(data)), True)
        finally:
            os.close(descriptor)

    def write(self, path: str, data: bytes) -> None:
        """Replace a file at once: nobody sees half of it. Folders on the way are made; a folder in its place stays.

        Raises OSError: ENOSPC when /lab is full, EISDIR and ENOTDIR when something else is in the way.
        """
        with self._parent(path, make=True) as (folder, name):
            new = f".{name}.netlab-new"
            with suppress(FileNotFoundError):
                os.unlink(new, dir_fd=folder)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=folder)
            try:
                os.fchown(descriptor, self._uid, self._uid)
                _write_all(descriptor, data)
                os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                with suppress(OSError):
                    os.unlink(new, dir_fd=folder)
                raise
            finally:
                os.close(descriptor)

    def delete(self, path: str) -> None:
        try:
            with self._parent(path) as (folder, name):
                os.unlink(name, dir_fd=folder)
        except OSError as error:
            if error.errno not in (*_NOT_THERE, errno.EISDIR):
                raise

    def folders(self) -> Iterator[tuple[str, int, list[str]]]:
        """(relative path or '', its descriptor while the iterator stands there, names of what is no folder)."""
        seen = entries = 0
        waiting = [""]
        while waiting and seen < FOLDERS_MAX and entries < ENTRIES_MAX:
            path = waiting.pop(0)
            try:
                descriptor = self._open_folder(path)
            except OSError as error:
                if error.errno in _NOT_THERE:
                    continue
                raise
            seen += 1
            try:
                names, inner = _entries(descriptor, ENTRIES_MAX - entries)
                entries += len(names) + len(inner)
                if path.count("/") < DEPTH_MAX:
                    waiting += [f"{path}/{name}".lstrip("/") for name in inner]
                yield path, descriptor, names
            finally:
                os.close(descriptor)

    def _open_folder(self, path: str, make: bool = False) -> int:
        folder = os.dup(self._root)
        for part in path.split("/") if path else ():
            try:
                if make:
                    self._make_folder(folder, part)
                inner = os.open(part, _FOLDER_FLAGS, dir_fd=folder)
            finally:
                os.close(folder)
            folder = inner
        return folder

    def _make_folder(self, parent: int, name: str) -> None:
        try:
            os.mkdir(name, 0o755, dir_fd=parent)
        except FileExistsError:
            return
        os.chown(name, self._uid, self._uid, dir_fd=parent, follow_symlinks=False)

    @contextmanager
    def _parent(self, path: str, make: bool = False) -> Iterator[tuple[int, str]]:
        above, _, name = path.rpartition("/")
        folder = self._open_folder(above, make)
        try:
            yield folder, name
        finally:
            os.close(folder)


def _entries(folder: int, limit: int) -> tuple[list[str], list[str]]:
    """(names of files and the like, names of folders), symbolic links left out, at most `limit`."""
    names: list[str] = []
    inner: list[str] = []
    with os.scandir(folder) as found:
        for entry in found:
            if len(names) + len(inner) >= limit:
                break
            if entry.is_dir(follow_symlinks=False):
                inner.append(entry.name)
            elif not entry.is_symlink():
                names.append(entry.name)
    return sorted(names), sorted(inner)


def _read_up_to(descriptor: int, limit: int) -> bytes:
    data = bytearray()
    while len(data) < limit and (piece := os.read(descriptor, limit - len(data))):
        data += piece
    return bytes(data)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view):]
