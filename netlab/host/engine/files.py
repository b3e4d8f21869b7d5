"""The mirror of an attendee's files: the database's versions go to /lab, changes made in a shell are told upwards.

One `FileMirror` a run. The database decides: what it sends is written, whatever is there. What a shell has changed is
told with its content, so neither side's work is lost. It compares contents and never times, so its own writes and an
editor's detours over temporary files tell nothing.
"""

import asyncio
import errno
import logging
import re
from collections.abc import Callable
from pathlib import Path

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.host.engine.lab_folder import LabFolder
from netlab.host.engine.parts import Teller
from netlab.host.engine.state import FileState
from netlab.host.kernel.inotify import Inotify
from netlab.wire.commands import FILE_BYTES_MAX, FILES_MAX, LabFile
from netlab.wire.events import FileChanged

log = logging.getLogger(__name__)

SETTLE_S = 0.2
"""Between the first sign of a change and the look at it: editors write in several steps, floods cost one look."""
TOLD_BYTES_PER_S = 256 * 1024
EVENT_COST_BYTES = 16 * 1024
LOOK_SHARE = 0.05
"""What one attendee may cost for ever: so much is told upwards, this share of the agent's one thread is looking. Whoever
changes more, or lays more out to be looked at, is looked at later, never less."""
BURST_S = 15.0
"""So long an attendee may be ahead of that: a checkout of all their files at once is told at once."""
MIRRORED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
"""FilePath of netlab.domain.ids: everything else in /lab stays the attendee's own."""
PATH_CHARS_MAX = 120
TEMPORARY = re.compile(r"(.*~|.*\.(o|ko|a|so|swp|swo|swx|tmp|pyc|orig|rej|pcap|pcapng)|4913|core(\.\d+)?)$")
"""Objects, captures and what editors leave while they work (4913: vim looks whether it may create files)."""
ELF_MAGIC = b"\x7fELF"


class FileMirror:
    def __init__(self, teller: Teller, changed: Callable[[], None]) -> None:
        self._teller = teller
        self._changed = changed
        """Called when the record's files have changed by themselves, so that they are saved."""
        self._folder: LabFolder | None = None
        self._inotify: Inotify | None = None
        self._watches: dict[int, str] = {}
        self._suspects: set[str] = set()
        self._look_everywhere = False
        self._timer: asyncio.TimerHandle | None = None
        self._held = False
        self._paid_until = float("-inf")
        self._told_bytes = 0
        self._told_problems: dict[str, str] = {}
        self._loop = asyncio.get_running_loop()

    @property
    def _files(self) -> dict[str, FileState]:
        return self._teller.record.files

    # --- life

    def open(self, lab_dir: Path, uid: int, *, write: bool) -> None:
        """Begin to mirror. `write`: put the record's files there (a new /lab); otherwise look what has changed."""
        self._folder = LabFolder(lab_dir, uid)
        if write:
            for path, file in self._files.items():
                self._folder.write(path, file.content.encode())
        self._inotify = Inotify()
        self._watch_folders()
        self._loop.add_reader(self._inotify.descriptor, self._stirred)
        if not write:
            self._look_everywhere = True
            self._look_soon()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._inotify is not None:
            self._loop.remove_reader(self._inotify.descriptor)
            self._inotify.close()
            self._inotify = None
        if self._folder is not None:
            self._folder.close()
            self._folder = None
        self._watches.clear()
        self._suspects.clear()

    # --- the database's side

    def write(self, file: LabFile, *, always: bool = False) -> None:
        """Mirror a version. An older one than known changes nothing, unless `always`. Raises FILES_FULL, FILE_CONFLICT."""
        known = self._files.get(file.path)
        if known is not None and not always and not _is_news(known, file.version):
            return
        self.place(file.path, file.content)
        version = max(file.version, known.version if known else 0)
        self._files[file.path] = FileState(version=version, content=file.content)
        self._told_problems.pop(file.path, None)

    def place(self, path: str, content: str) -> None:
        """Put it there; what is known of its version is the caller's business. Raises FILES_FULL, FILE_CONFLICT."""
        if self._folder is not None:
            try:
                self._folder.write(path, content.encode())
            except OSError as error:
                raise _as_mistake(error, path, self._folder.size_mib) from error

    def delete(self, path: str) -> None:
        if self._folder is not None:
            self._folder.delete(path)
        self._files.pop(path, None)
        self._told_problems.pop(path, None)

    def read(self, path: str) -> str | None:
        """A file's text as it is now, None when there is no such text file."""
        if self._folder is None:
            return None
        try:
            found = self._folder.read(path, FILE_BYTES_MAX)
        except BlockingIOError:
            return None
        if found is None or found.data is None:
            return None
        return found.data.decode(errors="replace")

    def sync(self) -> None:
        """Look at everything now: before a build, and before /lab goes away."""
        if self._folder is not None:
            self._take_changes()
            self._look_everywhere = True
            self._look()

    def hold(self, held: bool) -> None:
        """Do not look (or look again): nobody can take what would be told now. Contents are compared, so nothing is lost."""
        self._held = held

    # --- the shells' side

    def _stirred(self) -> None:
        """Something has changed: stop listening, so that a flood costs nothing, and look in a moment."""
        assert self._inotify is not None
        self._loop.remove_reader(self._inotify.descriptor)
        self._look_soon()

    def _look_soon(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(max(SETTLE_S, self._paid_until - self._loop.time()), self._settled)

    def _settled(self) -> None:
        self._timer = None
        if self._inotify is None:
            return
        if self._held:
            self._look_soon()
            return
        began = self._loop.time()
        try:
            self._take_changes()
            self._look()
        except OSError:
            log.exception("looking at the files of %s", self._teller.record.run)
        self._pay(began)
        self._loop.add_reader(self._inotify.descriptor, self._stirred)

    def _pay(self, began: float) -> None:
        now = self._loop.time()
        price_s = (now - began) / LOOK_SHARE + self._told_bytes / TOLD_BYTES_PER_S
        self._told_bytes = 0
        self._paid_until = max(self._paid_until, now - BURST_S) + price_s

    def _tell(self, path: str, content: str | None, base: int, problem: str = "") -> None:
        self._told_bytes += EVENT_COST_BYTES + len(content or "")
        self._teller.tell(FileChanged, path=path, content=content, base_version=base, problem=problem)

    def _take_changes(self) -> None:
        assert self._inotify is not None
        for change in self._inotify.read():
            folder = self._watches.get(change.watch)
            if change.watch_ended:
                self._watches.pop(change.watch, None)
            elif change.overflowed or folder is None or change.is_folder:
                self._look_everywhere = True
            else:
                self._suspects.add(f"{folder}/{change.name.decode(errors='replace')}".lstrip("/"))

    def _watch_folders(self) -> None:
        assert self._folder is not None and self._inotify is not None
        for path, descriptor, _ in self._folder.folders():
            self._watches[self._inotify.watch_folder(descriptor)] = path

    def _look(self) -> None:
        assert self._folder is not None
        suspects, self._suspects = self._suspects, set()
        if self._look_everywhere:
            self._look_everywhere = False
            self._watch_folders()
            present = {f"{path}/{name}".lstrip("/") for path, _, names in self._folder.folders() for name in names}
            suspects |= present | set(self._files)
        changed = [self._compare(path) for path in sorted(suspects) if _is_mirrored(path)]
        if any(changed):
            self._changed()

    def _compare(self, path: str) -> bool:
        """Tell of one file if it is not what the record says. True when the record has changed."""
        assert self._folder is not None
        known = self._files.get(path)
        try:
            found = self._folder.read(path, FILE_BYTES_MAX)
        except BlockingIOError:  # a lease (fcntl(2), F_SETLEASE): it must not keep the others from being looked at
            self._tell_problem(path, "a program in the lab has locked it", known)
            return False
        if found is None or not found.regular:
            return known is not None and self._tell_deleted(path, known)
        text, problem = _as_text(found.data)
        if known is None and not problem and len(self._files) >= FILES_MAX:
            text, problem = None, f"a lab keeps at most {FILES_MAX} files"
        if text is None:
            self._tell_problem(path, problem, known)
            return False
        self._told_problems.pop(path, None)
        if known is not None and known.content == text:
            return False
        base = known.version if known else 0
        self._files[path] = FileState(version=base + 1, content=text, guessed=True)
        self._tell(path, text, base)
        return True

    def _tell_deleted(self, path: str, known: FileState) -> bool:
        del self._files[path]
        self._tell(path, None, known.version)
        return True

    def _tell_problem(self, path: str, problem: str, known: FileState | None) -> None:
        if problem and self._told_problems.get(path) != problem and len(self._told_problems) < FILES_MAX:
            self._told_problems[path] = problem
            self._tell(path, None, known.version if known else 0, problem)


def _is_news(known: FileState, version: int) -> bool:
    """A guessed version is confirmed, or put right, by the same number from the database."""
    return version > known.version or (known.guessed and version == known.version)


def _is_mirrored(path: str) -> bool:
    name = path.rpartition("/")[2]
    return len(path) <= PATH_CHARS_MAX and MIRRORED.fullmatch(path) is not None and TEMPORARY.fullmatch(name) is None


def _as_text(data: bytes | None) -> tuple[str | None, str]:
    """(text, '') or (None, why not); no reason for what nobody expects to be kept (objects)."""
    if data is None:
        return None, f"it is larger than {FILE_BYTES_MAX // 1024} KiB"
    if data.startswith(ELF_MAGIC):
        return None, ""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None, "it is not text"
    return (None, "it is not text") if "\0" in text else (text, "")


def _as_mistake(error: OSError, path: str, size_mib: int) -> NetlabError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NetlabError(ErrorCode.FILES_FULL, limit_mib=size_mib)
    if error.errno in (errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.EEXIST):
        return NetlabError(ErrorCode.FILE_CONFLICT, path=path)
    raise error
