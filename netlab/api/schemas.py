"""The API's bodies and answers. Runs have the shape of netlab.runs.presenters, errors that of netlab.domain.errors."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from netlab.domain.ids import CommandId, InterfaceName, NodeName, StepId
from netlab.domain.lab import Chart, Isolation, RuntimeName
from netlab.runs.presenters import RunShape
from netlab.wire.commands import FILE_BYTES_MAX
from netlab.wire.packets import SNAP_BYTES, SNAP_BYTES_MAX, SNAP_BYTES_MIN
from netlab.wire.traces import (
    CALLS_DEFAULT,
    CALLS_MAX,
    DEPTH_DEFAULT,
    DEPTH_MAX,
    FUNCTION_DEFAULT,
    PACKETS_DEFAULT,
    PACKETS_MAX,
    FunctionName,
    FunctionSearch,
    TraceMode,
    TraceProtocol,
)


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


class FormatBody(Body):
    path: str
    content: str


class Formatted(BaseModel):
    content: str


class OriginalFile(BaseModel):
    path: str
    content: str


class ActionOfSolution(BaseModel):
    """One thing that a solution does. `text`: the file, the program, the interface, or the command as one types it."""

    do: Literal["write", "load", "detach", "run"]
    node: str = ""
    text: str
    background: bool = False


class Originals(BaseModel):
    """What an attendee's files can be compared with: the lab's own, and those after a step's solution."""

    starter: list[OriginalFile]
    may_see_solution: bool
    solution: list[OriginalFile]
    """Empty when it may not be seen, and for a step whose solution leaves no file."""
    actions: list[ActionOfSolution]
    """What the step's own solution does, in order."""


class TerminalBody(Body):
    node: NodeName


class BuildBody(Body):
    mode: Literal["native", "generic"] | None = None
    load: bool = True


class DetachBody(Body):
    node: NodeName
    interface: InterfaceName
    hook: Literal["xdp", "tc-ingress", "tc-egress"] = "xdp"


class CaptureBody(Body):
    node: NodeName
    interface: InterfaceName
    snap_bytes: int = Field(default=SNAP_BYTES, ge=SNAP_BYTES_MIN, le=SNAP_BYTES_MAX)


class TraceBody(Body):
    """`way`: the next `packets` of `protocol` that are first seen at `node` are followed, without one at any node.
    `functions`, where the run has a kernel of its own: the next `calls` of `function`, with what they call down to `depth`."""

    mode: TraceMode
    node: NodeName | None = None
    protocol: TraceProtocol = "any"
    packets: int = Field(default=PACKETS_DEFAULT, ge=1, le=PACKETS_MAX)
    function: FunctionName = FUNCTION_DEFAULT
    depth: int = Field(default=DEPTH_DEFAULT, ge=1, le=DEPTH_MAX)
    calls: int = Field(default=CALLS_DEFAULT, ge=1, le=CALLS_MAX)


class FunctionsBody(Body):
    """Words that are in the names."""

    search: FunctionSearch


class ImpairBody(Body):
    """What one end of a link does to the packets that it sends; all zero: nothing any more."""

    node: NodeName
    interface: InterfaceName
    delay_ms: float = Field(default=0, ge=0, le=10_000)
    jitter_ms: float = Field(default=0, ge=0, le=10_000)
    loss_percent: float = Field(default=0, ge=0, le=100)
    rate_kbit: int = Field(default=0, ge=0, le=100_000_000)


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


class PortOfSwitch(BaseModel):
    name: str
    to: str
    """What is plugged into it, written node:interface."""


class SwitchOfLab(BaseModel):
    """Its conduit and user ports are interfaces of `node`; the first port has number 1 in tags."""

    name: str
    node: str
    conduit: str
    tagger: str
    ports: list[PortOfSwitch]


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
    charts: list[Chart]
    nodes: list[NodeOfLab]
    links: list[LinkOfLab]
    switches: list[SwitchOfLab]
    programs: list[ProgramOfLab]
    steps: list[StepOfLab]


class CanRunHere(BaseModel):
    """Before Start. `ok` false: `why` follows 'This lab cannot run here:', or 'VM labs:' where `waits` says that it changes by
    itself; ask again after `retry_s` then."""

    ok: bool
    why: str
    fix: str
    note: str
    """What is different here, one sentence; may be empty."""
    why_here: str
    """Why it runs in a kernel of its own, one sentence; empty where it does not."""
    kernel: str
    """Release of the kernel that it gets."""
    waits: bool
    retry_s: int | None


class LabPage(BaseModel):
    workshop: WorkshopOfLab
    lab: LabOfPage
    can_run: CanRunHere
    runtime: RuntimeName
    isolation: Isolation
    run: RunShape | None

