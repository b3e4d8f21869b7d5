"""Devices of nodes that are no link's end: bridges, bonds, VLANs, tunnels, simulated devices; qdiscs; DSA switches.

Part of LabSpec (`lab`), with the kernel's own names (`ip link add type KIND`). `device_problems` says what their types
alone cannot; `needs` says what kernel they want. Pure.
"""

from typing import Annotated, Literal

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    IPvAnyAddress,
    IPvAnyNetwork,
    StringConstraints,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from netlab.domain.ids import InterfaceName, NodeName
from netlab.domain.probes import Strict

PORTS_MAX = 16
SWITCH_PORTS_MAX = 11
VlanId = Annotated[int, Field(ge=1, le=4094)]
Port = Annotated[int, Field(ge=1, le=65535)]


class EndSpec(Strict):
    """One end of a link, written `node:interface` in lab.yaml."""

    node: NodeName
    interface: InterfaceName

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if isinstance(value, str):
            node, colon, interface = value.partition(":")
            if not colon:
                raise ValueError("an end is written node:interface, like client:eth0")
            return {"node": node, "interface": interface}
        return value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Authors write the text, the wire carries the object; editors that know the schema accept both."""
        text = {"type": "string", "pattern": "^[a-z][a-z0-9-]*:[a-z][a-z0-9._-]*$", "examples": ["client:eth0"]}
        return {"anyOf": [text, handler(core)]}

    def __str__(self) -> str:
        return f"{self.node}:{self.interface}"


class BridgeVlan(Strict):
    """A VLAN on a port of a bridge, or on the bridge itself."""

    interface: InterfaceName
    id: VlanId
    pvid: bool = False
    """What arrives without a tag belongs to this VLAN."""
    untagged: bool = False
    """Frames of this VLAN leave without their tag."""


class BridgeDevice(Strict):
    """A bridge and its ports."""

    kind: Literal["bridge"]
    ports: list[InterfaceName] = Field(default=[], max_length=PORTS_MAX)
    vlan_filtering: bool = False
    stp: bool = False
    vlans: list[BridgeVlan] = Field(default=[], max_length=64)


class BondDevice(Strict):
    """Several interfaces as one."""

    kind: Literal["bond"]
    ports: list[InterfaceName] = Field(min_length=1, max_length=PORTS_MAX)
    mode: Literal[
        "balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"
    ] = "active-backup"


class VlanDevice(Strict):
    """One VLAN of its parent interface."""

    kind: Literal["vlan"]
    parent: InterfaceName
    id: VlanId


class VxlanDevice(Strict):
    """An Ethernet tunnel over UDP. Without `remote`, forwarding entries say where frames go."""

    kind: Literal["vxlan"]
    id: int = Field(ge=1, le=16_777_215)
    remote: IPvAnyAddress | None = None
    parent: InterfaceName | None = None
    port: Port = 4789


class WireguardPeer(Strict):
    """Another node's WireGuard interface; its public key is filled in when the run starts."""

    node: NodeName
    interface: InterfaceName
    allowed_ips: list[IPvAnyNetwork] = Field(min_length=1, max_length=16)
    endpoint: IPvAnyAddress | None = None
    """Where its datagrams are sent to; its port is the peer's `listen_port`. Not given: it has to speak first."""


class WireguardDevice(Strict):
    """A WireGuard tunnel. Its key pair is made when the run starts: no two runs share one."""

    kind: Literal["wireguard"]
    listen_port: Port = 51820
    peers: list[WireguardPeer] = Field(default=[], max_length=16)


class DummyDevice(Strict):
    """An interface that swallows what it is given."""

    kind: Literal["dummy"]


class IfbDevice(Strict):
    """An intermediate functional block: received packets are redirected to it, so that they can be queued and shaped."""

    kind: Literal["ifb"]


class MacvlanDevice(Strict):
    """A second MAC address on its parent."""

    kind: Literal["macvlan"]
    parent: InterfaceName
    mode: Literal["bridge", "private", "vepa"] = "bridge"


class VrfDevice(Strict):
    """A routing domain of its own: its ports use its table."""

    kind: Literal["vrf"]
    ports: list[InterfaceName] = Field(default=[], max_length=PORTS_MAX)
    table: int = Field(ge=1, le=4_294_967_295)


class NetdevsimDevice(Strict):
    """A simulated network card without a wire, with devlink, ethtool and offloads. Its interface index is the kernel's."""

    kind: Literal["netdevsim"]
    queues: int = Field(default=1, ge=1, le=8)


Device = Annotated[
    BridgeDevice | BondDevice | VlanDevice | VxlanDevice | WireguardDevice | DummyDevice | IfbDevice | MacvlanDevice
    | VrfDevice | NetdevsimDevice,
    Field(discriminator="kind"),
]


class QdiscSpec(Strict):
    """A root qdisc, as `tc qdisc add dev X root KIND OPTIONS` takes it."""

    kind: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=15)]
    options: list[str | int | float] = Field(default=[], max_length=64)
    """tc's words in their order."""

    def words(self) -> list[str]:
        return [self.kind, *map(str, self.options)]


class ImpairmentSpec(Strict):
    """What an end of a link does to the packets that it sends (netem)."""

    delay_ms: float = Field(default=0, ge=0, le=10_000)
    jitter_ms: float = Field(default=0, ge=0, le=10_000)
    loss_percent: float = Field(default=0, ge=0, le=100)
    rate_kbit: int = Field(default=0, ge=0, le=100_000_000)

    @model_validator(mode="after")
    def _jitter_has_a_delay(self) -> "ImpairmentSpec":
        if self.jitter_ms > self.delay_ms:
            raise ValueError("jitter_ms is more than delay_ms: a packet cannot leave before it came")
        return self


class LinkSpec(Strict):
    """A wire between two nodes (or two ends of one): a veth pair, or two simulated devices joined."""

    kind: Literal["veth", "netdevsim"] = "veth"
    ends: tuple[EndSpec, EndSpec]
    impairment: ImpairmentSpec | None = None
    """From the start, at both ends."""


class SwitchPort(Strict):
    """A user port of a switch and the interface that is plugged into it."""

    name: InterfaceName
    to: EndSpec


class SwitchSpec(Strict):
    """A DSA switch: its conduit and user ports are interfaces of `node`, each port's wire ends in the node of `to`."""

    name: NodeName
    node: NodeName
    conduit: InterfaceName
    ports: list[SwitchPort] = Field(min_length=1, max_length=SWITCH_PORTS_MAX)
    tagger: Literal["dsa", "edsa", "trailer"] = "dsa"


class VmSpec(Strict):
    """The machine that a VM run gets."""

    memory_mb: int = Field(default=256, ge=128, le=1024)
    cpus: int = Field(default=1, ge=1, le=2)


KernelModule = Literal[
    "dsa_core", "dsa_netlab", "tag_dsa", "tag_trailer", "tag_none", "tag_brcm", "tag_ocelot", "tag_qca", "tag_ksz",
    "tag_mtk", "netdevsim", "pktgen",
]
"""What a lab may have loaded into its own kernel before it is built."""
