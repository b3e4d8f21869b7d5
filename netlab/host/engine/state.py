"""What a run should be, on disk: one JSON file a run under `<state_dir>/runs`. Written by actors, read at the start.

A command is accepted when it is in its run's file; it leaves the file when it has been carried out. Ended runs keep a
short file for a day, so that a late command for them is refused and not carried out. Nothing here looks at the kernel.
"""

import asyncio
import logging
import os
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from netlab.domain.errors import ErrorBody
from netlab.domain.ids import RunId, StepId, TerminalId
from netlab.domain.lab import Isolation, LabSpec
from netlab.domain.lifecycle import ACTIVE, RunState
from netlab.host.programs.map_layouts import MapLayouts
from netlab.wire.commands import Command
from netlab.wire.events import Impairment

log = logging.getLogger(__name__)

REMEMBERED_COMMANDS = 64
"""Ids of accepted commands that are kept, to know a doubled one again."""
ENDED_KEPT_S = 24 * 3600


class FileState(BaseModel):
    """A file of /lab as the engine knows it. `version` is the database's; a change made in a shell gets the next one,
    `guessed` until the database has confirmed it (or has sent what it holds instead)."""

    version: int = 0
    content: str
    guessed: bool = False


class TerminalState(BaseModel):
    """A terminal that should be there. `declared`: the lab wants it, so a reset gives it a new shell."""

    id: TerminalId
    node: str
    title: str
    declared: bool
    open: bool = False
    rows: int = 24
    cols: int = 80


class RunRecord(BaseModel):
    """Everything that the engine must know of a run after it was killed."""

    model_config = ConfigDict(validate_assignment=False)

    run: RunId
    generation: int
    state: RunState
    changed_at: float = Field(default_factory=time.time)
    lab: LabSpec | None = None
    """None only for a run that was stopped before this host heard of its start."""
    lab_digest: str = ""
    isolation: Isolation = Isolation.STRANGERS
    files: dict[str, FileState] = {}
    open_step: StepId | None = None
    terminals: list[TerminalState] = []
    impairments: dict[str, Impairment] = {}
    """node:interface -> what was last wished for it, 'nothing' too."""
    outcomes: dict[str, str] = {}
    """program -> how its last build ended"""
    map_layouts: dict[str, MapLayouts] = {}
    """program -> what the maps of the object that was attached last hold"""
    pending: list[Command] = []
    tries: int = 0
    """How often the present start was begun; a start that kills the agent is not tried for ever."""
    commands: list[str] = []
    error: ErrorBody | None = None

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    def remember(self, command_id: str) -> None:
        self.commands = [*self.commands, command_id][-REMEMBERED_COMMANDS:]

    def terminal(self, terminal: str) -> TerminalState | None:
        return next((t for t in self.terminals if t.id == terminal), None)

    def forget_content(self) -> None:
        """What an ended run keeps: enough to refuse late commands."""
        self.files, self.terminals, self.outcomes, self.pending, self.lab = {}, [], {}, [], None
        self.impairments, self.map_layouts = {}, {}


class RunStore:
    """The folder of run files. Writes are atomic; with `durable` they have also reached the disk on return."""

    record_type: type[RunRecord] = RunRecord
    """What a file holds; a runtime that has to know more of its runs says so in a subclass."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locks: dict[str, asyncio.Lock] = {}
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def load_all(self) -> list[RunRecord]:
        """Every readable record; files of ended runs older than a day are deleted, unreadable ones set aside."""
        records = []
        for path in sorted(self._folder.glob("r*.json")):
            record = self._load(path)
            if record is None:
                continue
            if not record.active and time.time() - record.changed_at > ENDED_KEPT_S:
                path.unlink(missing_ok=True)
            else:
                records.append(record)
        return records

    def _load(self, path: Path) -> RunRecord | None:
        try:
            return self.record_type.model_validate_json(path.read_bytes())
        except ValidationError:
            log.exception("run file %s is not readable, set aside", path)
            path.rename(path.with_suffix(".unreadable"))
            return None

    async def save(self, record: RunRecord, *, durable: bool = True) -> None:
        """Write the record as it is when its turn comes: saves of one run never overtake each other."""
        async with self._locks.setdefault(record.run, asyncio.Lock()):
            data = record.model_dump_json().encode()
            if durable:
                await asyncio.to_thread(self._write, record.run, data, True)
            else:
                self._write(record.run, data, False)

    def _write(self, run: str, data: bytes, durable: bool) -> None:
        path = self._folder / f"{run}.json"
        new = path.with_suffix(".new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_all(descriptor, data)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(new, path)
        if durable:
            _sync_folder(self._folder)

    def delete(self, run: str) -> None:
        self._locks.pop(run, None)
        (self._folder / f"{run}.json").unlink(missing_ok=True)


class NoStore(RunStore):
    """Where a run does not outlive its engine: in a guest, whose host remembers."""

    def __init__(self) -> None:
        pass

    def load_all(self) -> list[RunRecord]:
        return []

    async def save(self, record: RunRecord, *, durable: bool = True) -> None:
        pass

    def delete(self, run: str) -> None:
        pass


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view):]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
