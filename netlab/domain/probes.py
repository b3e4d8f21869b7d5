"""Probes: what a check of a lab may look at. Declared in lab.yaml, evaluated by the host engine, shown by the page.

A probe is a question about kernel state with an expected answer, never code that runs on the host. The one kind that
runs anything (`command`) runs it inside the attendee's own node.
"""

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyAddress,
    IPvAnyInterface,
    IPvAnyNetwork,
    StringConstraints,
    model_validator,
)

from netlab.domain.ids import FilePath, InterfaceName, NodeName

MacAddress = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$")]
VlanId = Annotated[int, Field(ge=1, le=4094)]


class Strict(BaseModel):
    """Base of everything that an author writes: an unknown key is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Numbers(Strict):
    """Bounds on a number, inclusive. At least one must be given; `equals` excludes the others."""

    at_least: float | None = None
    at_most: float | None = None
    equals: float | None = None

    @model_validator(mode="after")
    def _some_bound(self) -> "Numbers":
        if self.equals is not None and (self.at_least is not None or self.at_most is not None):
            raise ValueError("give either equals, or at_least and at_most")
        if self.equals is None and self.at_least is None and self.at_most is None:
            raise ValueError("give at_least, at_most or equals")
        return self

    def accepts(self, value: float) -> bool:
        if self.equals is not None:
            return value == self.equals
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def words(self) -> str:
        """'exactly 3', 'at least 1', 'from 1 to 5'."""
        if self.equals is not None:
            return f"exactly {self.equals:g}"
        if self.at_least is not None and self.at_most is not None:
            return f"from {self.at_least:g} to {self.at_most:g}"
        return f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"


class InterfaceProbe(Strict):
    """An interface exists (or not), is up or down, has an MTU, a kind (as `ip -d link` calls it), or is a port of another."""

    kind: Literal["interface"]
    node: NodeName
    interface: InterfaceName
    exists: bool = True
    state: Literal["up", "down"] | None = None
    mtu: int | None = Field(default=None, ge=68, le=65535)
    type: str | None = None
    master: InterfaceName | None = None


class AddressProbe(Strict):
    """An interface has (or has not) an address, written with its prefix length."""

    kind: Literal["address"]
    node: NodeName
    interface: InterfaceName
    address: IPvAnyInterface
    present: bool = True


class RouteProbe(Strict):
    """The main table has (or has not) a route; `to` is a prefix or `default`."""

    kind: Literal["route"]
    node: NodeName
    to: IPvAnyNetwork | Literal["default"]
    via: IPvAnyAddress | None = None
    interface: InterfaceName | None = None
    present: bool = True


class NeighbourProbe(Strict):
    """The neighbour table knows an address, in one of the states of `ip neigh` (any valid one when not given)."""

    kind: Literal["neighbour"]
    node: NodeName
    address: IPvAnyAddress
    state: Literal["reachable", "stale", "permanent", "failed"] | None = None
    present: bool = True


class XdpProbe(Strict):
    """An XDP program is (or is not) attached to an interface, in a mode, with a name (first 15 letters count)."""

    kind: Literal["xdp"]
    node: NodeName
    interface: InterfaceName
    attached: bool = True
    mode: Literal["native", "generic", "offload"] | None = None
    program: str | None = None


class TcProbe(Strict):
    """A BPF classifier is (or is not) attached to an interface, by cls_bpf or by tcx. `before`: one that is asked after it."""

    kind: Literal["tc"]
    node: NodeName
    interface: InterfaceName
    direction: Literal["ingress", "egress"]
    attached: bool = True
    program: str | None = None
    by: Literal["clsact", "tcx"] | None = None
    before: str | None = None


class MapProbe(Strict):
    """A value in a BPF map of a loaded program; without `key`, the sum over all entries (and CPUs).

    `key` is the key as a number, for maps with 1, 2, 4 or 8 byte keys. `entries` bounds how many entries there are.
    """

    kind: Literal["map"]
    node: NodeName
    map: str = Field(max_length=63)
    type: str | None = Field(default=None, pattern=r"^[a-z_]{1,40}$")
    """As bpftool calls it: hash, percpu_array, ..."""
    key: int | None = None
    value: Numbers | None = None
    entries: Numbers | None = None

    @model_validator(mode="after")
    def _asks_something(self) -> "MapProbe":
        if self.value is None and self.entries is None and self.type is None:
            raise ValueError("give value, entries or type")
        return self


class CounterProbe(Strict):
    """A live counter of the lab: its rate over the last two seconds, or its total since the lab was started.

    `object` and `counter` are the names that the counters pane shows: an interface and rx_packets, xdp_drop, ...
    """

    kind: Literal["counter"]
    node: NodeName
    object: str
    counter: str
    per_second: Numbers | None = None
    total: Numbers | None = None

    @model_validator(mode="after")
    def _asks_something(self) -> "CounterProbe":
        if (self.per_second is None) == (self.total is None):
            raise ValueError("give either per_second or total")
        return self


class QdiscProbe(Strict):
    """A queueing discipline of this type is (or is not) on an interface; `shows` is what `tc qdisc` prints of it."""

    kind: Literal["qdisc"]
    node: NodeName
    interface: InterfaceName
    type: str
    shows: str | None = Field(default=None, max_length=120)
    present: bool = True


class BridgeVlanProbe(Strict):
    """A port of a bridge, or a bridge itself, has (or has not) a VLAN, as its PVID, untagged."""

    kind: Literal["bridge_vlan"]
    node: NodeName
    interface: InterfaceName
    id: VlanId
    pvid: bool | None = None
    untagged: bool | None = None
    present: bool = True


class FdbProbe(Strict):
    """A forwarding entry: a MAC address is (or is not) known behind an interface, in a VLAN, also by the hardware."""

    kind: Literal["fdb"]
    node: NodeName
    interface: InterfaceName
    mac: MacAddress
    vlan: VlanId | None = None
    offloaded: bool | None = None
    """Whether a switch chip has it: learned by it, or given to it."""
    present: bool = True


class FilterProbe(Strict):
    """A tc filter of clsact or ingress is (or is not) there: its classifier, what it does, whether hardware does it, its hits."""

    kind: Literal["filter"]
    node: NodeName
    interface: InterfaceName
    direction: Literal["ingress", "egress"] = "ingress"
    classifier: Literal["flower", "matchall", "u32", "bpf"] | None = None
    action: Literal["drop", "pass", "trap", "redirect", "mirror", "police"] | None = None
    in_hw: bool | None = None
    packets: Numbers | None = None
    """Hits in software and hardware together."""
    hw_packets: Numbers | None = None
    present: bool = True


class WireguardPeerProbe(Strict):
    """A WireGuard interface has (or has not) a peer that fits: its allowed addresses, its last handshake, its bytes."""

    kind: Literal["wireguard_peer"]
    node: NodeName
    interface: InterfaceName
    allows: IPvAnyNetwork | None = None
    handshake_within_s: int | None = Field(default=None, ge=1, le=86_400)
    rx_bytes: Numbers | None = None
    tx_bytes: Numbers | None = None
    present: bool = True


class TaggerProbe(Strict):
    """The conduit of a DSA switch uses this tagger."""

    kind: Literal["tagger"]
    node: NodeName
    interface: InterfaceName
    tagger: str = Field(min_length=1, max_length=20)


class StatProbe(Strict):
    """A statistic of `ethtool -S`: its total, or how much it grows in a second."""

    kind: Literal["stat"]
    node: NodeName
    interface: InterfaceName
    name: str = Field(min_length=1, max_length=32)
    total: Numbers | None = None
    per_second: Numbers | None = None

    @model_validator(mode="after")
    def _asks_something(self) -> "StatProbe":
        if (self.per_second is None) == (self.total is None):
            raise ValueError("give either per_second or total")
        return self


class PingProbe(Strict):
    """ICMP echo from a node to an address: it is answered, or it is not. Sends three packets within a second."""

    kind: Literal["ping"]
    node: NodeName
    to: IPvAnyAddress
    answered: bool = True


class TcpProbe(Strict):
    """A TCP connection from a node to an address and port: opened, refused, or no answer within a second."""

    kind: Literal["tcp"]
    node: NodeName
    to: IPvAnyAddress
    port: int = Field(ge=1, le=65535)
    expect: Literal["open", "refused", "no answer"] = "open"


class UdpProbe(Strict):
    """A UDP datagram from a node to an address and port: answered by a datagram, refused by ICMP, or no answer."""

    kind: Literal["udp"]
    node: NodeName
    to: IPvAnyAddress
    port: int = Field(ge=1, le=65535)
    send: str = "netlab"
    expect: Literal["answer", "refused", "no answer"] = "answer"


class FileProbe(Strict):
    """A file of the attendee (under /lab) exists and its text contains, or does not contain, something."""

    kind: Literal["file"]
    path: FilePath
    exists: bool = True
    contains: str | None = None
    lacks: str | None = None


class ProgramProbe(Strict):
    """How the last *Build & load* of a program ended: the compiler refused it, the verifier did, or it is loaded."""

    kind: Literal["program"]
    program: str
    outcome: Literal["built", "build_failed", "refused", "attached"]


class CommandProbe(Strict):
    """A command run in the attendee's own node (argument list, no shell): its exit code and what it prints."""

    kind: Literal["command"]
    node: NodeName
    run: list[str] = Field(min_length=1, max_length=32)
    exit_code: int = 0
    prints: str | None = None
    lacks: str | None = None
    timeout_s: float = Field(default=3, gt=0, le=10)


Probe = Annotated[
    InterfaceProbe | AddressProbe | RouteProbe | NeighbourProbe | XdpProbe | TcProbe | MapProbe | CounterProbe
    | QdiscProbe | BridgeVlanProbe | FdbProbe | FilterProbe | WireguardPeerProbe | TaggerProbe | StatProbe
    | PingProbe | TcpProbe | UdpProbe | FileProbe | ProgramProbe | CommandProbe,
    Field(discriminator="kind"),
]
