"""The API's bodies and answers. Runs have the shape of netlab.runs.presenters, errors that of netlab.domain.errors."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from netlab.domain.ids import CommandId, InterfaceName, NodeName, StepId
from netlab.domain.lab import Isolation, RuntimeName
from netlab.runs.presenters import RunShape
from netlab.wire.commands import FILE_BYTES_MAX


class Body(BaseModel):
    """What browsers send: an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid")


class Me(BaseModel):
    id: int
    name: str
    role: Literal["attendee", "instructor", "operator"]


class Accepted(BaseModel):
    """The host was asked; events with this command's id tell how it went."""

    command: CommandId


class ResetBody(Body):
    keep_files: bool = True


class StepBody(Body):
    step: StepId


class FileBody(Body):
    content: str = Field(max_length=FILE_BYTES_MAX * 2)
    """Bounded here, measured in bytes by the action."""
    base_version: int = Field(ge=0)


class FileVersion(BaseModel):
    path: str
    version: int


class FileContent(BaseModel):
    path: str
    version: int
    content: str


class TerminalBody(Body):
    node: NodeName


class BuildBody(Body):
    mode: Literal["native", "generic"] | None = None
    load: bool = True


class DetachBody(Body):
    node: NodeName
    interface: InterfaceName
    hook: Literal["xdp", "tc-ingress", "tc-egress"] = "xdp"


class WorkshopOfLab(BaseModel):
    id: str
    title: str
    closes_at: datetime | None


class PositionOfNode(BaseModel):
    x: int
    y: int


class InterfaceOfNode(BaseModel):
    name: str
    mac: str
    addresses: list[str]


class NodeOfLab(BaseModel):
    name: str
    title: str
    position: PositionOfNode | None
    interfaces: list[InterfaceOfNode]


class LinkOfLab(BaseModel):
    kind: str
    ends: tuple[str, str]
    """Written node:interface."""


class AttachOfProgram(BaseModel):
    node: str
    interface: str
    hook: Literal["xdp", "tc-ingress", "tc-egress"]
    mode: Literal["native", "generic"]


class ProgramOfLab(BaseModel):
    name: str
    source: str
    function: str
    attach: AttachOfProgram


class CheckOfStep(BaseModel):
    id: str
    title: str
    hint: str


class StepOfLab(BaseModel):
    id: str
    title: str
    html: str
    checks: list[CheckOfStep]


class LabOfPage(BaseModel):
    id: str
    title: str
    summary: str
    topic: str
    minutes: int
    level: Literal["beginner", "intermediate", "advanced"]
    nodes: list[NodeOfLab]
    links: list[LinkOfLab]
    programs: list[ProgramOfLab]
    steps: list[StepOfLab]


class CanRunHere(BaseModel):
    ok: bool
    why: str
    fix: str


class LabPage(BaseModel):
    workshop: WorkshopOfLab
    lab: LabOfPage
    can_run: CanRunHere
    runtime: RuntimeName
    isolation: Isolation
    run: RunShape | None

