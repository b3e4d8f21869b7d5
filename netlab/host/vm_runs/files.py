"""The attendee's files as the host knows them while their guest mirrors them: what a reset puts into the next one.

Called by a run's `Conversation` when a guest has told of a change or has carried out one, in the guest's own order. The
rules are those of the engine's mirror; no file is read or written here.
"""

from netlab.host.engine.state import FileState, RunRecord
from netlab.wire.commands import FILES_MAX, ApplySolution, Command, DeleteFile, LabFile, WriteFile
from netlab.wire.events import FileChanged


def shell_changed(record: RunRecord, event: FileChanged) -> FileChanged | None:
    """A shell has changed a file. Returns what is told: the base is never newer than what the host knew. None: nothing is."""
    known = record.files.get(event.path)
    base = min(event.base_version, known.version if known else 0)
    if event.problem:
        return event.model_copy(update={"base_version": base})
    if event.content is None:
        if record.files.pop(event.path, None) is None:
            return None
    elif known is None and len(record.files) >= FILES_MAX:
        return None
    else:
        record.files[event.path] = FileState(version=base + 1, content=event.content, guessed=True)
    return event.model_copy(update={"base_version": base})


def carried_out(record: RunRecord, command: Command) -> None:
    """The guest has written or deleted what it was told to."""
    if isinstance(command, WriteFile):
        _write(record, command.file)
    elif isinstance(command, DeleteFile):
        record.files.pop(command.path, None)
    elif isinstance(command, ApplySolution):
        written = {action.file for action in command.actions if action.do == "write"}
        for file in command.files:
            if file.path in written:
                _write(record, file, always=True)


def _write(record: RunRecord, file: LabFile, *, always: bool = False) -> None:
    known = record.files.get(file.path)
    newer = known is None or file.version > known.version or (known.guessed and file.version == known.version)
    if newer or always:
        version = max(file.version, known.version if known else 0)
        record.files[file.path] = FileState(version=version, content=file.content)
