"""Commands: web -> worker -> agent -> engine (and agent -> guest). Made by `do_*` actions, carried out by the engine.

A command says what should be true, never how. It carries the run's generation: a doubled or late one changes nothing.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import CommandId, FilePath, InterfaceName, NodeName, RunId, StepId, TerminalId
from netlab.domain.lab import Isolation, LabSpec, RuntimeName, SolutionAction
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

FILE_BYTES_MAX = 64 * 1024
FILES_MAX = 64
COMMAND_BYTES_MAX = 6 * 1024 * 1024
BLOB_BYTES_MAX = 8 * 1024 * 1024
ROWS_MAX = 300
COLS_MAX = 500


class LabFile(BaseModel):
    """One file of /lab with the version that the database gave it (from 1)."""

    path: FilePath
    content: str = Field(max_length=FILE_BYTES_MAX)
    version: int = Field(ge=1)


class CommandBase(BaseModel):
    """`id` correlates the events that a command causes; `generation` grows with each wish about the whole run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    v: Literal[1] = 1
    id: CommandId
    run: RunId
    generation: int = Field(ge=1)


class StartRun(CommandBase):
    """Bring the run into being. Repeated for a run that is there: answered with its state, nothing changes."""

    kind: Literal["start_run"] = "start_run"
    lab: LabSpec
    lab_digest: str
    files: list[LabFile] = Field(max_length=FILES_MAX)
    runtime: RuntimeName
    isolation: Isolation
    open_step: StepId | None = None
    terminals: list[TerminalId] = Field(default=[], max_length=6)
    """Ids for the terminals that the lab declares, in their order, so that browsers can connect before they exist."""


class StopRun(CommandBase):
    """Take the run down and forget it. For an unknown run: only its leftovers, if any, are removed."""

    kind: Literal["stop_run"] = "stop_run"


class ResetRun(CommandBase):
    """All nodes as new; files kept unless `files` gives the starter's; the declared terminals get new shells."""

    kind: Literal["reset_run"] = "reset_run"
    files: list[LabFile] | None = Field(default=None, max_length=FILES_MAX)


class ResetNode(CommandBase):
    """One node as new: processes, disk, addresses, programs. Its links keep their other ends' configuration."""

    kind: Literal["reset_node"] = "reset_node"
    node: NodeName


class OpenStep(CommandBase):
    """The attendee looks at this step: its checks are evaluated until another is opened."""

    kind: Literal["open_step"] = "open_step"
    step: StepId


class RunCheck(CommandBase):
    """Evaluate a step's checks now and report all of them, changed or not."""

    kind: Literal["run_check"] = "run_check"
    step: StepId


class ApplySolution(CommandBase):
    """Carry out solution actions in order; `files` holds what `write` actions refer to."""

    kind: Literal["apply_solution"] = "apply_solution"
    step: StepId
    actions: list[SolutionAction]
    files: list[LabFile] = Field(default=[], max_length=FILES_MAX)


class WriteFile(CommandBase):
    """The database has this version of the file: mirror it to /lab."""

    kind: Literal["write_file"] = "write_file"
    file: LabFile


class DeleteFile(CommandBase):
    kind: Literal["delete_file"] = "delete_file"
    path: FilePath


class OpenTerminal(CommandBase):
    kind: Literal["open_terminal"] = "open_terminal"
    terminal: TerminalId
    node: NodeName
    rows: int = Field(default=24, ge=2, le=ROWS_MAX)
    cols: int = Field(default=80, ge=10, le=COLS_MAX)


class CloseTerminal(CommandBase):
    kind: Literal["close_terminal"] = "close_terminal"
    terminal: TerminalId


class BuildProgram(CommandBase):
    """Compile a program of the lab and, unless `load` is false, load and attach it. Answered by `ProgramResult`."""

    kind: Literal["build_program"] = "build_program"
    program: str
    load: bool = True
    mode: Literal["native", "generic"] | None = None
    """None: as the lab says."""


class FormatFile(CommandBase):
    """Lay out C as the kernel does. Nothing is written: a FormatReply comes as a blob under this command's id."""

    kind: Literal["format_file"] = "format_file"
    path: FilePath
    content: str = Field(max_length=FILE_BYTES_MAX)


class DetachProgram(CommandBase):
    kind: Literal["detach_program"] = "detach_program"
    node: NodeName
    interface: InterfaceName
    hook: Literal["xdp", "tc-ingress", "tc-egress"] = "xdp"


class ExportHome(CommandBase):
    """Pack a node's /root as a gzipped tar and hand it up as a blob under this command's id."""

    kind: Literal["export_home"] = "export_home"
    node: NodeName


class PauseRun(CommandBase):
    """Memory to disk, nothing held (vm runtime). Refused with CANNOT_PAUSE where labs share the host's kernel."""

    kind: Literal["pause_run"] = "pause_run"


class ResumeRun(CommandBase):
    """Go on where PauseRun stopped; for a run that runs already: its state is told."""

    kind: Literal["resume_run"] = "resume_run"


class ImpairLink(CommandBase):
    """What one end of a link does to the packets that it sends (netem); all zero: nothing any more."""

    kind: Literal["impair_link"] = "impair_link"
    node: NodeName
    interface: InterfaceName
    delay_ms: float = Field(default=0, ge=0, le=10_000)
    jitter_ms: float = Field(default=0, ge=0, le=10_000)
    loss_percent: float = Field(default=0, ge=0, le=100)
    rate_kbit: int = Field(default=0, ge=0, le=100_000_000)


class StartCapture(CommandBase):
    """Capture what passes an interface, whoever made it. This command's id is the capture's."""

    kind: Literal["start_capture"] = "start_capture"
    node: NodeName
    interface: InterfaceName
    snap_bytes: int = Field(default=SNAP_BYTES, ge=SNAP_BYTES_MIN, le=SNAP_BYTES_MAX)


class StopCapture(CommandBase):
    kind: Literal["stop_capture"] = "stop_capture"
    capture: CommandId


class ExportCapture(CommandBase):
    """Hand a capture up as pcapng, as it is now, as a blob under this command's id."""

    kind: Literal["export_capture"] = "export_capture"
    capture: CommandId


class StartTrace(CommandBase):
    """Trace a run. This command's id is the trace's. `way`: `packets` of `protocol` that are first seen at `node`. `functions`:
    the next `calls` of `function`, down to `depth`, where the run has a kernel of its own."""

    kind: Literal["start_trace"] = "start_trace"
    mode: TraceMode
    node: NodeName | None = None
    protocol: TraceProtocol = "any"
    packets: int = Field(default=PACKETS_DEFAULT, ge=1, le=PACKETS_MAX)
    function: FunctionName = FUNCTION_DEFAULT
    depth: int = Field(default=DEPTH_DEFAULT, ge=1, le=DEPTH_MAX)
    calls: int = Field(default=CALLS_DEFAULT, ge=1, le=CALLS_MAX)


class StopTrace(CommandBase):
    kind: Literal["stop_trace"] = "stop_trace"
    trace: CommandId


class FindFunctions(CommandBase):
    """Which functions of the run's own kernel may be traced: event `functions_found`."""

    kind: Literal["find_functions"] = "find_functions"
    search: FunctionSearch


Command = Annotated[
    StartRun | StopRun | ResetRun | ResetNode | OpenStep | RunCheck | ApplySolution | WriteFile | DeleteFile
    | OpenTerminal | CloseTerminal | BuildProgram | FormatFile | DetachProgram | ExportHome | PauseRun | ResumeRun | ImpairLink
    | StartCapture | StopCapture | ExportCapture | StartTrace | StopTrace | FindFunctions,
    Field(discriminator="kind"),
]

URGENT_KINDS = frozenset({
    "stop_run", "open_terminal", "close_terminal", "open_step", "write_file", "delete_file",
    "start_capture", "stop_capture", "export_capture", "start_trace", "stop_trace", "find_functions",
})
"""Go through the control queue: they must not wait behind starts and builds."""

_adapter: TypeAdapter[Command] = TypeAdapter(Command)


def parse_command(data: bytes | str) -> Command:
    """JSON -> Command. Raises BAD_MESSAGE with the first thing that is wrong."""
    if len(data) > COMMAND_BYTES_MAX:
        raise NetlabError(ErrorCode.BAD_MESSAGE, what=f"{len(data)} bytes are too many.")
    try:
        return _adapter.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise NetlabError(ErrorCode.BAD_MESSAGE, what=f"{where}: {first['msg']}.") from error
