"""LabSpec: what an author may say about a lab. The catalogue reads it, the engine builds from it, pages show it.

It mirrors lab.yaml exactly and knows nothing of files (`lab_file`), of allotted names and addresses (`resolve`) or of
kernels. `docs/lab-format.md` is its manual; `labs/_schema/lab.schema.json` is generated from it.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, IPvAnyAddress, IPvAnyInterface, IPvAnyNetwork, StringConstraints

from netlab.domain.devices import Device, KernelModule, LinkSpec, QdiscSpec, SwitchSpec, VmSpec
from netlab.domain.ids import CheckId, FilePath, InterfaceName, LabId, NodeName, StepId
from netlab.domain.probes import Probe, Strict

NODES_MAX = 32
LINKS_MAX = 64
SWITCHES_MAX = 4
STEPS_MAX = 30
NODE_MEMORY_MB = 256
NODE_CPU_PERCENT = 50
NODE_DISK_MB = 64


class Topic(StrEnum):
    XDP = "xdp"
    TC = "tc"
    DSA = "dsa"
    SWITCHDEV = "switchdev"
    WIREGUARD = "wireguard"
    TIMESTAMPING = "timestamping"
    QUIC = "quic"
    MEMORY = "memory"
    POLLING = "polling"
    BASICS = "basics"


class Chart(StrEnum):
    """The charts of the lab page."""

    XDP = "xdp"
    PACKETS = "packets"
    BITS = "bits"
    LOSSES = "losses"
    EVENTS = "events"
    PAGES = "pages"
    BACKLOG = "backlog"
    TUNNELS = "tunnels"
    RTT = "rtt"
    CWND = "cwnd"
    PROGRAMS = "programs"


class Isolation(StrEnum):
    """Whose kernel an attendee gets, chosen by the workshop (docs/decisions, THREAT_MODEL.md)."""

    PRIVATE = "private"  # a kernel of their own in a VM
    TRUSTED = "trusted"  # shared kernel, people who trust each other
    STRANGERS = "strangers"  # shared kernel, least privileges


class RuntimeName(StrEnum):
    NAMESPACES = "namespaces"
    VM = "vm"


class Ability(StrEnum):
    """What a host's kernel may be able to do; found by the probe by trying it, demanded by labs in `needs`."""

    USER_NAMESPACES = "user_namespaces"
    VETH = "veth"
    XDP_NATIVE = "xdp_native"
    XDP_GENERIC = "xdp_generic"
    BPF_TOKEN = "bpf_token"
    CLS_BPF = "cls_bpf"
    TCX = "tcx"
    BTF = "btf"
    AF_XDP = "af_xdp"
    HTB = "htb"
    TBF = "tbf"
    NETEM = "netem"
    FQ_CODEL = "fq_codel"
    CAKE = "cake"
    FLOWER = "flower"
    BRIDGE = "bridge"
    VLAN = "vlan"
    VXLAN = "vxlan"
    BOND = "bond"
    MACVLAN = "macvlan"
    DUMMY = "dummy"
    IFB = "ifb"
    VRF = "vrf"
    NFTABLES = "nftables"
    WIREGUARD = "wireguard"
    NETDEVSIM = "netdevsim"
    DSA = "dsa"
    KPROBES = "kprobes"
    FENTRY = "fentry"
    PAGE_POOL_STATS = "page_pool_stats"
    LAB_EVENTS = "lab_events"
    BCC = "bcc"
    OVERLAY_IN_USERNS = "overlay_in_userns"
    IDMAPPED_MOUNTS = "idmapped_mounts"
    CGROUP_LIMITS = "cgroup_limits"
    KVM = "kvm"
    VM = "vm"


class Position(Strict):
    """Where the topology pane draws a node: units of its 1000 x 600 canvas, from the upper left corner."""

    x: int = Field(ge=0, le=1000)
    y: int = Field(ge=0, le=600)


class InterfaceSpec(Strict):
    name: InterfaceName
    addresses: list[IPvAnyInterface] = Field(default=[], max_length=8)
    mtu: int | None = Field(default=None, ge=68, le=65535)
    up: bool = True
    device: Device | None = None
    """What it is when neither a link nor a switch makes it."""
    qdisc: QdiscSpec | None = None


class RouteSpec(Strict):
    to: IPvAnyNetwork | Literal["default"]
    via: IPvAnyAddress


SysctlName = Annotated[str, StringConstraints(pattern=r"^net\.[a-zA-Z0-9_.-]+$", max_length=120)]


class NodeSpec(Strict):
    """A namespace with its interfaces, addresses and routes."""

    name: NodeName
    title: str = Field(default="", max_length=60)
    interfaces: list[InterfaceSpec] = Field(default=[], max_length=16)
    routes: list[RouteSpec] = Field(default=[], max_length=32)
    sysctls: dict[SysctlName, str | int] = {}
    position: Position | None = None
    memory_mb: int = Field(default=NODE_MEMORY_MB, ge=32, le=1024)
    cpu_percent: int = Field(default=NODE_CPU_PERCENT, ge=5, le=100)


class AttachPoint(Strict):
    """Where *Build & load* puts a program."""

    node: NodeName
    interface: InterfaceName
    hook: Literal["xdp", "tc-ingress", "tc-egress"] = "xdp"
    mode: Literal["native", "generic"] = "native"
    priority: int = Field(default=1, ge=1, le=1000)
    """Of tc filters at one hook, who is asked first: the smallest."""


class ProgramSpec(Strict):
    """A BPF program that attendees edit: its source under /lab and where it is attached."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$", max_length=32)]
    source: FilePath
    function: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=63)]
    attach: AttachPoint


class CheckSpec(Strict):
    id: CheckId
    title: str = Field(min_length=3, max_length=120)
    probe: Probe
    hint: str = Field(default="", max_length=400)


class StepSpec(Strict):
    id: StepId
    title: str = Field(min_length=3, max_length=80)
    text: FilePath
    checks: list[CheckSpec] = Field(default=[], max_length=12)


class TerminalSpec(Strict):
    """A terminal that is open when the lab is."""

    node: NodeName
    title: str = Field(default="", max_length=40)


class LabSpec(Strict):
    """One lab: what it teaches, what it is made of, what an attendee does in it."""

    id: LabId
    title: str = Field(min_length=3, max_length=80)
    summary: str = Field(min_length=10, max_length=300)
    topic: Topic
    tags: list[str] = Field(default=[], max_length=10)
    minutes: int = Field(ge=1, le=480)
    level: Literal["beginner", "intermediate", "advanced"] = "beginner"
    order: int = Field(default=100, ge=0)
    charts: list[Chart] = []
    """Shown when the lab is opened for the first time, these on top, in this order. Empty: the usual ones."""

    runtimes: list[RuntimeName] = Field(default=[RuntimeName.NAMESPACES, RuntimeName.VM], min_length=1)
    isolations: list[Isolation] = Field(default=list(Isolation), min_length=1)
    needs: list[Ability] = []
    max_pps: int | None = Field(default=None, ge=1000, le=10_000_000)
    """Packets per second an interface may see; above it the storm guard acts. The host's own limit when not given."""
    ipv6: bool = False
    """False: IPv6 is off in all nodes, so that wires are quiet."""

    nodes: list[NodeSpec] = Field(min_length=1, max_length=NODES_MAX)
    links: list[LinkSpec] = Field(default=[], max_length=LINKS_MAX)
    switches: list[SwitchSpec] = Field(default=[], max_length=SWITCHES_MAX)
    modules: list[KernelModule] = []
    """Loaded into a guest's kernel before the lab is built; what switches and devices need is loaded unasked."""
    vm: VmSpec = VmSpec()
    """The machine where the lab runs in one."""
    terminals: list[TerminalSpec] = Field(default=[], max_length=6)
    programs: list[ProgramSpec] = Field(default=[], max_length=8)
    steps: list[StepSpec] = Field(min_length=1, max_length=STEPS_MAX)

    def node(self, name: str) -> NodeSpec | None:
        return next((n for n in self.nodes if n.name == name), None)

    def step(self, step_id: str) -> StepSpec | None:
        return next((s for s in self.steps if s.id == step_id), None)

    def program(self, name: str) -> ProgramSpec | None:
        return next((p for p in self.programs if p.name == name), None)

    @property
    def memory_mb(self) -> int:
        return sum(n.memory_mb for n in self.nodes)

    @property
    def cpu_percent(self) -> int:
        return sum(n.cpu_percent for n in self.nodes)


class WriteAction(Strict):
    """Put a file of the solution's folder into /lab."""

    do: Literal["write"]
    file: FilePath


class LoadAction(Strict):
    """What the button *Build & load* does."""

    do: Literal["load"]
    program: str
    mode: Literal["native", "generic"] | None = None
    expect: Literal["attached", "refused", "build_failed"] = "attached"


class DetachAction(Strict):
    do: Literal["detach"]
    node: NodeName
    interface: InterfaceName
    hook: Literal["xdp", "tc-ingress", "tc-egress"] = "xdp"


class RunAction(Strict):
    """A command in a node, as an attendee would type it (argument list, no shell)."""

    do: Literal["run"]
    node: NodeName
    run: list[str] = Field(min_length=1, max_length=32)
    background: bool = False
    """True: it keeps running (at most until the node is reset) while the checks look."""
    timeout_s: float = Field(default=10, gt=0, le=60)


SolutionAction = Annotated[WriteAction | LoadAction | DetachAction | RunAction, Field(discriminator="do")]


class SolutionSpec(Strict):
    """solution/NN/solution.yaml: what step NN adds. Applied 01 to NN in order, a fresh lab is at the end of step NN."""

    actions: list[SolutionAction] = Field(min_length=1, max_length=40)
