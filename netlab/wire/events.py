"""Events: engine -> agent -> stream -> projector (rows) and browsers (pages). What happened, with enough to show it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from netlab.domain.errors import ErrorBody
from netlab.domain.lifecycle import RunState
from netlab.wire.maps import MAPS_MAX, SeenMap
from netlab.wire.packets import BATCH_MAX, CAPTURES_KEPT, CaptureSeen, Packet
from netlab.wire.traces import FOUND_MAX, FunctionName, FunctionSearch, TraceSeen

VERIFIER_LOG_BYTES_MAX = 256 * 1024


class EventBase(BaseModel):
    """`at` is Unix time in seconds; `command` the command that caused it, when one did."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    v: Literal[1] = 1
    run: str
    generation: int = 0
    at: float
    command: str | None = None


class RunStateChanged(EventBase):
    kind: Literal["run_state"] = "run_state"
    state: RunState
    error: ErrorBody | None = None
    runtime: str = ""


class HostStepStarted(EventBase):
    """One visible piece of the host's work, like 'Create namespaces'. `key` pairs it with its end."""

    kind: Literal["host_step_started"] = "host_step_started"
    key: str
    title: str


class HostStepFinished(EventBase):
    kind: Literal["host_step_finished"] = "host_step_finished"
    key: str
    title: str
    ok: bool
    ms: float
    detail: str = ""


class CommandFailed(EventBase):
    """A command that could not be carried out: what the person is told. Nothing was half done."""

    kind: Literal["command_failed"] = "command_failed"
    error: ErrorBody


class CommandDone(EventBase):
    """A command without a more telling event (reset of a node, write of a file, ...) was carried out."""

    kind: Literal["command_done"] = "command_done"
    what: str


class CheckVerdict(BaseModel):
    """`observed` and `expected` are sentences' ends: 'no XDP program', 'an XDP program in native mode'."""

    check: str
    passed: bool
    observed: str
    expected: str


class CheckResult(EventBase):
    """Verdicts of one step: those that changed, or all after `RunCheck`."""

    kind: Literal["check_result"] = "check_result"
    step: str
    verdicts: list[CheckVerdict]


class FileChanged(EventBase):
    """A file under /lab was changed in a shell. `base_version` is the newest version that the engine knew before.

    Read by the projector, who gives it a version and tells browsers with `FileSaved`. `content` None: deleted.
    """

    kind: Literal["file_changed"] = "file_changed"
    path: str
    content: str | None
    base_version: int
    problem: str = ""
    """Not empty: the file is there but cannot be kept (binary, too large): why."""


class FileSaved(EventBase):
    """Made by the web side: the database has a new version of a file."""

    kind: Literal["file_saved"] = "file_saved"
    path: str
    version: int
    origin: Literal["editor", "shell", "solution", "reset"]
    deleted: bool = False


class Diagnostic(BaseModel):
    """One message on one line (from 1; column from 1, 0 when unknown) of a file under /lab."""

    path: str
    line: int
    column: int = 0
    severity: Literal["error", "warning", "note"]
    message: str
    hint: str = ""
    source: Literal["clang", "verifier", "sandbox"] = "clang"


class VerifierLine(BaseModel):
    """A stretch of the verifier's log that belongs to one source line (line 0: to none)."""

    line: int
    text: str


class ProgramResult(EventBase):
    """How *Build & load* ended. `outcome` is the worst that happened; `log` is the verifier's, folded onto lines."""

    kind: Literal["program_result"] = "program_result"
    program: str
    outcome: Literal["built", "build_failed", "refused", "attach_failed", "attached"]
    diagnostics: list[Diagnostic] = []
    log: list[VerifierLine] = []
    summary: str
    """One sentence for the status line."""
    build_ms: float = 0
    load_ms: float = 0
    instructions: int = 0


class Attachment(BaseModel):
    """A BPF program on an interface, whoever put it there."""

    node: str
    interface: str
    hook: Literal["xdp", "tc-ingress", "tc-egress"]
    mode: Literal["native", "generic", "offload", "tcx", ""] = ""
    """Of classifiers at one hook, tcx's come first; each kind in the order in which the kernel asks them."""
    program_id: int
    name: str


class ProgramsChanged(EventBase):
    """All programs that are attached anywhere in the lab, after any change, also one made in a shell."""

    kind: Literal["programs"] = "programs"
    attachments: list[Attachment]


class TerminalOpened(EventBase):
    kind: Literal["terminal_opened"] = "terminal_opened"
    terminal: str
    node: str
    title: str = ""


class TerminalClosed(EventBase):
    """`reason` in words: 'the shell ended', 'the node was reset', ..."""

    kind: Literal["terminal_closed"] = "terminal_closed"
    terminal: str
    reason: str


class NodeReset(EventBase):
    kind: Literal["node_reset"] = "node_reset"
    node: str


class NodeStopped(EventBase):
    """A node's first process has ended, and all of the node's others with it. A reset brings the node back."""

    kind: Literal["node_stopped"] = "node_stopped"
    node: str


class StormStopped(EventBase):
    """The storm guard set a link down: it carried `pps` packets a second, `limit_pps` are allowed."""

    kind: Literal["storm_stopped"] = "storm_stopped"
    node: str
    interface: str
    pps: int
    limit_pps: int


class Impairment(BaseModel):
    """What one end of a link does to the packets that it sends; all zero: nothing."""

    node: str
    interface: str
    delay_ms: float = 0
    jitter_ms: float = 0
    loss_percent: float = 0
    rate_kbit: int = 0


class LinkImpaired(EventBase):
    kind: Literal["link_impaired"] = "link_impaired"
    impairment: Impairment


class TaggedFrame(BaseModel):
    """One frame on the wire between a conduit and its switch. `fields` are the tag's own, in words, in wire order."""

    at: float
    direction: Literal["to_cpu", "from_cpu"]
    tagger: str
    """dsa, edsa, trailer, or none."""
    port: int
    """-1 when the tag names none."""
    port_name: str
    fields: list[tuple[str, str]]
    tag: str
    """The tag's bytes in hex."""
    source: str
    destination: str
    protocol: str
    """What is in it, in words: 'ARP who-has 10.0.0.2', 'ICMP echo request'."""
    bytes: int


class TaggedFrames(EventBase):
    """What was just seen on a switch's wire, newest last, while somebody looks; not kept anywhere."""

    kind: Literal["tagged_frames"] = "tagged_frames"
    node: str
    switch: str
    frames: list[TaggedFrame] = Field(max_length=50)
    skipped: int = 0
    """More came than could be shown."""


class MapsSeen(EventBase):
    """All maps of the run's attached and pinned programs as they just were, while somebody looks; not kept anywhere."""

    kind: Literal["maps"] = "maps"
    maps: list[SeenMap] = Field(max_length=MAPS_MAX)
    more: int = 0
    """Maps that are there and not shown."""


class PacketsSeen(EventBase):
    """What a capture has just taken, oldest first, while somebody looks; the file has them all."""

    kind: Literal["packets"] = "packets"
    capture: str
    node: str
    packets: list[Packet] = Field(max_length=BATCH_MAX)
    more: int = 0
    """More came than are shown, or than could be taken."""


class CapturesSeen(EventBase):
    """A run's captures as they are now, oldest first: once a second while somebody looks, and when one begins or ends."""

    kind: Literal["captures"] = "captures"
    captures: list[CaptureSeen] = Field(max_length=CAPTURES_KEPT)


class TraceTold(EventBase):
    """A run's trace as it is now: once a second while somebody looks, and when it changes. None: there is none."""

    kind: Literal["trace"] = "trace"
    trace: TraceSeen | None


class FunctionsFound(EventBase):
    """Functions of the run's own kernel in whose names each word of `search` is."""

    kind: Literal["functions_found"] = "functions_found"
    search: FunctionSearch
    functions: list[FunctionName] = Field(max_length=FOUND_MAX)
    more: int = Field(ge=0)


class QueueMoved(EventBase):
    """Made by the web side for a run that waits for a place: 1 is next."""

    kind: Literal["queue_moved"] = "queue_moved"
    position: int


class TimeChanged(EventBase):
    """Made by the web side: the run now ends at `deadline` (Unix seconds)."""

    kind: Literal["time_changed"] = "time_changed"
    deadline: float


class Announcement(EventBase):
    """Made by the web side: a message of the instructor, or of netlab ('ends in 5 minutes')."""

    kind: Literal["announcement"] = "announcement"
    text: str


Event = Annotated[
    RunStateChanged | HostStepStarted | HostStepFinished | CommandFailed | CommandDone | CheckResult | FileChanged
    | FileSaved | ProgramResult | ProgramsChanged | TerminalOpened | TerminalClosed | NodeReset | NodeStopped | StormStopped
    | LinkImpaired | TaggedFrames | MapsSeen | PacketsSeen | CapturesSeen | TraceTold | FunctionsFound
    | QueueMoved | TimeChanged | Announcement,
    Field(discriminator="kind"),
]

HIDDEN_FROM_BROWSERS = frozenset({"file_changed"})
"""Only the projector reads them."""

LIVE_ONLY = frozenset({"tagged_frames", "maps", "packets", "captures", "trace", "functions_found"})
"""Shown while they happen, by whoever looks: no rows are made of them, nothing resumes from them."""

_adapter: TypeAdapter[Event] = TypeAdapter(Event)


def parse_event(data: bytes | str) -> Event:
    return _adapter.validate_json(data)
