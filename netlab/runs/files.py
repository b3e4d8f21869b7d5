"""The attendee's files: the only writer of RunFile. Every version is kept for a while, and no side loses its work.

The editor writes with the version it began from; a shell's change comes as an event with the version that the host
knew. Two changes of the same version: the editor's stays, the shell's is put beside it as `NAME.shell`.
"""

from datetime import datetime

from django.db import transaction
from django.db.models.functions import Length
from django.utils import timezone
from pydantic import TypeAdapter, ValidationError

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import FilePath
from netlab.runs.choices import MIRRORED, FileOrigin
from netlab.runs.models import Run, RunFile, RunFileVersion
from netlab.runs.telling import about, nudge, tell_browsers, wish
from netlab.wire.commands import FILE_BYTES_MAX, FILES_MAX, DeleteFile, LabFile, WriteFile
from netlab.wire.events import Announcement, FileChanged, FileSaved

VERSIONS_KEPT = 50
HISTORY_CHARS_MAX = 512 * 1024
"""Of one file: a loop in a shell writes many versions of large files."""
RUNS_WITH_FILES = 3
"""Of one attendee and lab: the newest run carries all files on; those of older ones are forgotten when another begins."""
SHELL_SUFFIX = ".shell"
MINE_SUFFIX = ".mine"
_path_adapter: TypeAdapter[str] = TypeAdapter(FilePath)


def check_path(path: str) -> str:
    """Raises BAD_INPUT for what cannot be a file under /lab."""
    try:
        return _path_adapter.validate_python(path)
    except ValidationError as error:
        fix = "Use letters, digits, '.', '_', '-' and '/', at most 120 of them; no part begins with a dot."
        raise NetlabError(ErrorCode.BAD_INPUT, what=f"{path[:120]!r} cannot be a file's path.", fix=fix) from error


def check_content(path: str, content: str) -> None:
    if len(content.encode(errors="surrogatepass")) > FILE_BYTES_MAX:
        raise NetlabError(ErrorCode.FILE_TOO_LARGE, path=path, limit_kib=FILE_BYTES_MAX // 1024)
    if "\0" in content:
        raise NetlabError(ErrorCode.BAD_INPUT, what=f"{path} holds a zero byte.", fix="Only text can be edited here.")


def lab_files(run: Run) -> list[LabFile]:
    """What /lab should hold."""
    return [LabFile(path=f.path, content=f.content, version=f.version) for f in run.files.filter(deleted=False)]


def do_seed_files(run: Run, starter: dict[str, str], last: Run | None) -> None:
    """A new run's files: those of the attendee's last run of this lab, else the starter's. Versions go on counting."""
    rows = []
    if last is not None:
        for old in last.files.all():
            rows.append(RunFile(
                run=run, path=old.path, version=old.version, browser_version=old.version, content=old.content, size=old.size,
                origin=old.origin, deleted=old.deleted, changed_at=old.changed_at,
            ))
    known = {row.path for row in rows}
    for path, content in starter.items():
        if path not in known:
            rows.append(RunFile(
                run=run, path=path, version=1, browser_version=1, content=content, size=len(content.encode()),
                origin=FileOrigin.STARTER,
            ))
    files = RunFile.objects.bulk_create(rows)
    RunFileVersion.objects.bulk_create([
        RunFileVersion(file=f, version=f.version, content=f.content, origin=f.origin, deleted=f.deleted, at=f.changed_at)
        for f in files
    ])


def do_write_file(run: Run, path: str, content: str, base_version: int, origin: FileOrigin = FileOrigin.EDITOR) -> RunFile:
    """Save what the editor holds; `base_version` 0 for a new file. Raises FILE_CONFLICT with what is there now.

    Also for a run that has ended: the files stay the attendee's, the next start takes them along.
    """
    check_path(path)
    check_content(path, content)
    with transaction.atomic():
        file = RunFile.objects.select_for_update().filter(run=run, path=path).first()
        if file is not None and not file.deleted and file.content == content and file.version >= base_version:
            return file  # said twice, or both sides made the same change
        if _differs_from_base(file, base_version):
            assert file is not None
            raise NetlabError(ErrorCode.FILE_CONFLICT, path=path, version=file.version, content=file.content)
        _check_room(run, file, path)
        file = _store(run, file, path, content, origin)
        _tell_host(run, file)
    return file


def _differs_from_base(file: RunFile | None, base_version: int) -> bool:
    if file is None or file.deleted:
        return False  # somebody deleted it meanwhile: what was typed is worth more than that it was gone
    return file.version != base_version


def _check_room(run: Run, file: RunFile | None, path: str) -> None:
    """For a file that is not there yet: one more must fit, and a file is no folder."""
    if file is not None and not file.deleted:
        return
    present = set(run.files.filter(deleted=False).values_list("path", flat=True))
    if len(present) >= FILES_MAX:
        fix = f"Delete one of the {FILES_MAX} files first."
        raise NetlabError(ErrorCode.BAD_INPUT, what=f"{path} is one file too many.", fix=fix)
    in_the_way = next((p for p in sorted(present) if p.startswith(f"{path}/") or path.startswith(f"{p}/")), None)
    if in_the_way is not None:
        raise NetlabError(ErrorCode.BAD_INPUT, what=f"{path} cannot be beside {in_the_way}.", fix="Choose another name.")


def do_delete_file(run: Run, path: str, origin: FileOrigin = FileOrigin.EDITOR) -> None:
    with transaction.atomic():
        file = RunFile.objects.select_for_update().filter(run=run, path=path, deleted=False).first()
        if file is None:
            raise NetlabError(ErrorCode.FILE_UNKNOWN, path=path, paths=", ".join(f.path for f in lab_files(run)))
        _store(run, file, path, "", origin, deleted=True)
        if run.run_state in MIRRORED:
            nudge(run.host, DeleteFile(path=path, **wish(run)))


def do_shell_change(run: Run, event: FileChanged) -> None:
    """A file was changed in a shell. Called by the projection, in its transaction."""
    if event.problem:
        tell_browsers(Announcement(text=f"{event.path} is not kept: {event.problem}.", **about(run)))
        return
    file = RunFile.objects.select_for_update().filter(run=run, path=event.path).first()
    present = file is not None and not file.deleted
    if event.content is None:
        if file is not None and present and not _browser_was_faster(file, event):
            _store(run, file, event.path, "", FileOrigin.SHELL, deleted=True)
        elif file is not None and present:
            _tell_host(run, file)
        return
    if file is not None and present and file.content == event.content:
        return
    if file is not None and present and _browser_was_faster(file, event):
        _keep_beside(run, file, event.content)
        return
    if not present and run.files.filter(deleted=False).count() >= FILES_MAX:
        tell_browsers(Announcement(text=f"{event.path} is not kept: a lab has at most {FILES_MAX} files.", **about(run)))
        return
    _store(run, file, event.path, event.content, FileOrigin.SHELL)


def _browser_was_faster(file: RunFile, event: FileChanged) -> bool:
    """The shell's change was made without knowing a version that a browser saved.

    Versions that shells made do not count: the host counts those by itself and may be one ahead of us.
    """
    return file.browser_version > event.base_version


def _keep_beside(run: Run, file: RunFile, content: str) -> None:
    """The shell's work becomes a file of its own; the editor's stays, and goes to /lab again."""
    path = file.path[: 120 - len(SHELL_SUFFIX)].rstrip("/") + SHELL_SUFFIX
    beside = RunFile.objects.select_for_update().filter(run=run, path=path).first()
    if beside is None or beside.deleted or beside.content != content:
        beside = _store(run, beside, path, content, FileOrigin.SHELL, by_browser=True)
        _tell_host(run, beside)
        text = f"{file.path} was changed in a shell and in the editor at the same time. The shell's version is in {path}."
        tell_browsers(Announcement(text=text, **about(run)))
    _tell_host(run, file)


def do_reset_files(run: Run, starter: dict[str, str]) -> list[LabFile]:
    """The starter's files again, as new versions; other files are deleted. Older versions stay in the history."""
    with transaction.atomic():
        rows = {f.path: f for f in RunFile.objects.select_for_update().filter(run=run)}
        for path, file in rows.items():
            if path not in starter and not file.deleted:
                _store(run, file, path, "", FileOrigin.RESET, deleted=True)
        for path, content in starter.items():
            known = rows.get(path)
            if known is None or known.deleted or known.content != content:
                _store(run, known, path, content, FileOrigin.RESET)
    return lab_files(run)


def do_begin_files(run: Run, starter: dict[str, str], written: set[str]) -> list[LabFile]:
    """The lab's files as they were at its beginning: the starter's, and none that only a solution writes (`written`).

    What the attendee has made of one of them is kept beside it as `NAME.mine`; files of their own stay.
    """
    with transaction.atomic():
        rows = {f.path: f for f in RunFile.objects.select_for_update().filter(run=run)}
        for path in sorted(starter.keys() | written):
            file, content = rows.get(path), starter.get(path)
            if file is not None and not file.deleted and file.content != content:
                _keep_mine(run, rows, file)
            if content is None and file is not None and not file.deleted:
                _store(run, file, path, "", FileOrigin.RESET, deleted=True)
            elif content is not None and (file is None or file.deleted or file.content != content):
                rows[path] = _store(run, file, path, content, FileOrigin.RESET)
    return lab_files(run)


def _keep_mine(run: Run, rows: dict[str, RunFile], file: RunFile) -> None:
    """Only what a person wrote; the history keeps everything anyway."""
    path = file.path[: 120 - len(MINE_SUFFIX)].rstrip("/") + MINE_SUFFIX
    beside = rows.get(path)
    room = beside is not None or sum(not row.deleted for row in rows.values()) < FILES_MAX
    if file.origin in (FileOrigin.EDITOR, FileOrigin.SHELL) and room:
        rows[path] = _store(run, beside, path, file.content, FileOrigin.RESET)


def do_write_solution(run: Run, files: dict[str, str]) -> dict[str, int]:
    """What the host is about to write for a solution; the version of each file."""
    rows = {f.path: f for f in RunFile.objects.select_for_update().filter(run=run, path__in=files)}
    return {path: _store(run, rows.get(path), path, content, FileOrigin.SOLUTION).version for path, content in files.items()}


def _store(
    run: Run, file: RunFile | None, path: str, content: str, origin: FileOrigin, *,
    deleted: bool = False, by_browser: bool = False,
) -> RunFile:
    """The next version of a file, kept in its history and told to browsers."""
    now: datetime = timezone.now()
    if file is None:
        file = RunFile(run=run, path=path, version=0, browser_version=0)
    file.version += 1
    if origin != FileOrigin.SHELL or by_browser:
        file.browser_version = file.version
    file.content, file.size, file.origin, file.deleted, file.changed_at = content, len(content.encode()), origin, deleted, now
    file.save()
    RunFileVersion.objects.create(file=file, version=file.version, content=content, origin=origin, deleted=deleted, at=now)
    file.versions.filter(version__lt=_oldest_kept(file)).delete()
    told = origin.value if origin != FileOrigin.STARTER else "reset"
    tell_browsers(FileSaved(path=path, version=file.version, origin=told, deleted=deleted, **about(run)))
    return file


def _oldest_kept(file: RunFile) -> int:
    """The newest version is kept always."""
    room, oldest = HISTORY_CHARS_MAX, file.version
    lengths = file.versions.order_by("-version").values_list("version", Length("content"))
    for version, chars in lengths[:VERSIONS_KEPT]:
        room -= chars
        if room < 0:
            break
        oldest = min(oldest, version)
    return oldest


def do_forget_old_files(run: Run) -> None:
    """When a run begins: what the runs before its last ones hold is in none of them newer than in this one."""
    runs = Run.objects.filter(attendee=run.attendee_id, lab=run.lab).order_by("-created_at", "-id")
    RunFile.objects.filter(run__in=list(runs.values_list("pk", flat=True)[RUNS_WITH_FILES:])).delete()


def _tell_host(run: Run, file: RunFile) -> None:
    """Not while it is being built: what StartRun did not carry is sent when the run is there."""
    if run.run_state in MIRRORED:
        nudge(run.host, write_command(run, file))


def write_command(run: Run, file: RunFile) -> WriteFile:
    return WriteFile(file=LabFile(path=file.path, content=file.content, version=file.version), **wish(run))


def changed_since_start(run: Run) -> list[RunFile]:
    """What the last StartRun or ResetRun did not carry in its newest version."""
    carried = run.start_sent.get("files", {})
    return [f for f in run.files.all() if carried.get(f.path) != f.version and not (f.deleted and f.path not in carried)]

