"""What browsers are shown of a trace, and what one may take. Used in the event `trace`."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from netlab.domain.ids import CommandId

TRACE_S_MAX = 600
TRACES_AT_ONCE = 4
"""Of a host: each is a process with a compiler in it. One of a run."""
PACKETS_DEFAULT, PACKETS_MAX = 5, 8
STEPS_MAX = 64
"""Of one packet's way; longer ones are in a loop."""
BUCKETS_MAX = 36
CELLS_MAX = 640

CALLS_DEFAULT, CALLS_MAX = 20, 50
DEPTH_DEFAULT, DEPTH_MAX = 16, 32
FRAMES_OF_A_CALL_MAX, FRAMES_MAX = 500, 5000
"""Functions that are kept of one call, and of all calls of a trace."""
FRAME_NUMBERS = 4
FUNCTIONS_S_MAX = 120
"""Every function of the network stack is patched meanwhile."""
FUNCTION_NAMES_MAX = 1500
FUNCTION_DEFAULT = "__netif_receive_skb"
FOUND_MAX = 60
OWN_KERNEL_ONLY = {
    "why": "its functions are the kernel's that other labs run on, too",
    "fix": "A workshop with a private kernel (VM) can; here, follow a packet's way.",
}

TraceMode = Literal["latency", "way", "functions"]
TraceProtocol = Literal["any", "icmp", "tcp", "udp", "arp"]
Stage = Literal["queue", "wire", "stack", "forward", "whole"]
Point = Literal[
    "queued", "qdisc_in", "qdisc_out", "sent", "handed_over", "received", "copied", "consumed", "dropped",
    "xdp_copied", "xdp_taken",
]
"""Where the kernel told of a packet."""
End = Literal["", "copied", "consumed", "dropped", "taken"]
Name = Annotated[str, Field(max_length=200)]
FunctionName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.]{1,128}$")]
"""As in the kernel's list of functions, or as it is in the source: the compiler may have put `.constprop.0` behind it."""
FunctionSearch = Annotated[str, Field(pattern=r"^[A-Za-z0-9_. ]{0,64}$")]


class LatencyCell(BaseModel):
    """How many packets took how long for one stage at one node."""

    model_config = ConfigDict(frozen=True)

    node: Name
    stage: Stage
    first: int = Field(ge=0, lt=BUCKETS_MAX)
    """`counts[0]` took from 2^(first-1) ns to below 2^first."""
    counts: list[Annotated[int, Field(ge=0)]] = Field(max_length=BUCKETS_MAX)


class TraceStep(BaseModel):
    model_config = ConfigDict(frozen=True)

    after_ns: int = Field(ge=0)
    """After the packet's first step."""
    point: Point
    node: Name
    device: Name
    bytes: int
    reason: Name = ""
    """Of a drop: as the counters call it."""
    words: Name = ""
    """What the reason means."""
    place: Name = ""
    """Of a drop, and of what is used up: the kernel's function."""


class TracedPacket(BaseModel):
    number: int
    what: Name
    """'ICMP', 'TCP', 'ARP'..."""
    bytes: int
    steps: list[TraceStep] = Field(max_length=STEPS_MAX)
    end: End
    """How its way has ended as far as it was seen; '': it goes on, or nothing tells of it any more."""


class TracedCall(BaseModel):
    """One call of the function that a trace starts from, and what it has called."""

    number: int = Field(ge=1)
    after_ns: int = Field(ge=0)
    """After the first one began."""
    took_ns: int = Field(ge=0)
    cpu: int = Field(ge=0)
    task: Name
    """Who ran on the processor; a softirq and an interrupt run on anybody's back."""
    frames: list[Annotated[int, Field(ge=0)]] = Field(min_length=FRAME_NUMBERS, max_length=FRAMES_OF_A_CALL_MAX * FRAME_NUMBERS)
    """FRAME_NUMBERS of each function, in the order in which they were called: how deep, which of `TraceSeen.functions`, ns,
    and in what it ran: 0 a process, 1 a softirq, 2 an interrupt. ns 0: its return was not seen."""
    left_out: int = Field(ge=0)
    """Functions that are deeper, or more, than are kept."""

    @model_validator(mode="after")
    def _is_a_tree(self) -> Self:
        depths, contexts = self.frames[::FRAME_NUMBERS], self.frames[3::FRAME_NUMBERS]
        if len(self.frames) % FRAME_NUMBERS or depths[0] or max(contexts) > 2 or max(depths) >= DEPTH_MAX:
            raise ValueError("no call graph")
        if any(not 1 <= depth <= before + 1 for before, depth in pairwise(depths)):
            raise ValueError("a call without a caller")
        return self


class TraceSeen(BaseModel):
    """A run's trace, at work or over."""

    id: CommandId
    mode: TraceMode
    node: Name
    """Whose packets; '': any node's."""
    protocol: TraceProtocol
    packets_wanted: int
    started_at: float
    ready: bool
    """Attached; before, it is being compiled."""
    running: bool
    ended: Name = ""
    """Why it is over, as a sentence's end: 'you stopped it'."""
    problem: str = Field(default="", max_length=2000)
    """What the compiler or the kernel said."""
    missing: list[Name] = Field(default=[], max_length=16)
    """Tracepoints that this kernel does not have."""
    cells: list[LatencyCell] = Field(default=[], max_length=CELLS_MAX)
    packets: list[TracedPacket] = Field(default=[], max_length=PACKETS_MAX)
    function: FunctionName | Literal[""] = ""
    """Where a trace of functions starts."""
    depth: int = Field(default=0, ge=0, le=DEPTH_MAX)
    calls_wanted: int = Field(default=0, ge=0, le=CALLS_MAX)
    calls: list[TracedCall] = Field(default=[], max_length=CALLS_MAX)
    functions: list[FunctionName] = Field(default=[], max_length=FUNCTION_NAMES_MAX)
    """Names of all functions in `calls`."""
    emulated: bool = False
    """Its processor is a program's: durations are true on it, and longer than on a real one."""
    lost: int = Field(default=0, ge=0)
    """How often more came than could be kept: calls of that moment are missing, none is shown in part."""

    @model_validator(mode="after")
    def _has_names(self) -> Self:
        if sum(len(call.frames) for call in self.calls) > (FRAMES_MAX + FRAMES_OF_A_CALL_MAX) * FRAME_NUMBERS:
            raise ValueError("more functions than a trace keeps")
        if any(max(call.frames[1::FRAME_NUMBERS]) >= len(self.functions) for call in self.calls):
            raise ValueError("a function without a name")
        return self
