"""inotify(7) by descriptor: told when something in a folder changes. Used by the mirror of an attendee's files.

Folders are named by open descriptors, never by paths that somebody else could swap. It reads no file.
"""

import ctypes
import errno
import os
import struct
from dataclasses import dataclass

# include/uapi/linux/inotify.h
IN_CLOSE_WRITE = 0x00000008
IN_MOVED_FROM = 0x00000040
IN_MOVED_TO = 0x00000080
IN_CREATE = 0x00000100
IN_DELETE = 0x00000200
IN_Q_OVERFLOW = 0x00004000
IN_IGNORED = 0x00008000
IN_ONLYDIR = 0x01000000
IN_ISDIR = 0x40000000

_EVENT = struct.Struct("iIII")
READ_BYTES = 64 * 1024

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Change:
    """What happened in the folder with this watch to the entry `name`."""

    watch: int
    mask: int
    name: bytes

    @property
    def is_folder(self) -> bool:
        return bool(self.mask & IN_ISDIR)

    @property
    def overflowed(self) -> bool:
        return bool(self.mask & IN_Q_OVERFLOW)

    @property
    def watch_ended(self) -> bool:
        return bool(self.mask & IN_IGNORED)


class Inotify:
    def __init__(self) -> None:
        self.descriptor: int = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.descriptor < 0:
            raise _error("inotify_init1")

    def watch_folder(self, folder: int) -> int:
        """Watch the folder behind an open descriptor; the watch outlives the descriptor. Returns the watch's number."""
        mask = IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ONLYDIR
        watch: int = _libc.inotify_add_watch(self.descriptor, f"/proc/self/fd/{folder}".encode(), mask)
        if watch < 0:
            raise _error("inotify_add_watch")
        return watch

    def read(self) -> list[Change]:
        """What has happened since the last call, at most READ_BYTES of it; empty when nothing has."""
        try:
            data = os.read(self.descriptor, READ_BYTES)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                return []
            raise
        changes, at = [], 0
        while at < len(data):
            watch, mask, _, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size
            changes.append(Change(watch, mask, data[at : at + length].rstrip(b"\0")))
            at += length
        return changes

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def _error(call: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{call}: {os.strerror(number)}")
