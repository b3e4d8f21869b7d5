"""What a VM's run should be, on disk: the engine's record, and what only the host knows of a guest.

One JSON file a run under `<state_dir>/vms`, written by the run's actor. A paused run's memory lies beside it, in a folder of
the run's name. Nothing here looks at a machine.
"""

import shutil
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from netlab.domain.errors import ErrorBody
from netlab.host.engine.state import RunRecord, RunStore
from netlab.host.vm.api import Shape, Template
from netlab.host.vm.machine import STATE_NAME


class TemplateNote(BaseModel):
    """The template that a run was cloned from: a paused run is resumed as a clone of the same."""

    key: str
    folder: Path
    memory_mb: int
    cpus: int

    @classmethod
    def of(cls, template: Template) -> "TemplateNote":
        return cls(key=template.key, folder=template.folder, memory_mb=template.shape.memory_mb, cpus=template.shape.cpus)

    def template(self) -> Template:
        return Template(self.key, self.folder, Shape(self.memory_mb, self.cpus))


class VmRecord(RunRecord):
    bases: dict[str, int] = Field(default_factory=dict)
    """terminal -> what is added to the guest's offsets of it, which begin at 0 with every clone."""
    guest_life: str = ""
    """Which process in the guest we speak with; another one knows nothing of the run."""
    template: TemplateNote | None = None


class VmStore(RunStore):
    record_type = VmRecord

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._path = folder

    def load_vms(self) -> list[VmRecord]:
        return [record for record in self.load_all() if isinstance(record, VmRecord)]

    def memory_folder(self, run: str) -> Path:
        """Where the memory of a paused run is: for root alone, it may hold whatever its attendee has typed."""
        return self._path / run

    def has_memory(self, run: str) -> bool:
        """All of it; what a killed agent was writing has another name."""
        return (self.memory_folder(run) / STATE_NAME).exists()

    def free_mb(self) -> int:
        """Of the disk that memories lie on."""
        return shutil.disk_usage(self._path).free >> 20

    def drop_memory(self, run: str) -> None:
        shutil.rmtree(self.memory_folder(run), ignore_errors=True)

    def memories(self) -> set[str]:
        """Runs of which there is a folder with memory."""
        return {path.name for path in self._path.iterdir() if path.is_dir()}


def read_error(data: object) -> ErrorBody | None:
    """What a guest sent as an error: nil, or JSON that may be anything. Raises ValueError for what is none."""
    if data is None:
        return None
    if not isinstance(data, str | bytes):
        raise ValueError("an error is JSON")
    try:
        body = ErrorBody.model_validate_json(data)
    except ValidationError as error:
        raise ValueError("no error body") from error
    return body.to_error().body()
