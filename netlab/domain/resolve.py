"""LabSpec -> ResolvedLab: every reference checked, every name, index and MAC address allotted. Pure and deterministic.

Called by the catalogue (to refuse a bad lab early) and by the engine (to build it). The same lab has the same MAC
addresses and interface indexes for everybody, so that a screenshot in the handout matches what they see.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface

from netlab.domain.device_problems import device_problems, makers
from netlab.domain.devices import Device, ImpairmentSpec, QdiscSpec
from netlab.domain.lab import InterfaceSpec, LabSpec, NodeSpec
from netlab.domain.problem import Problem

__all__ = ["Problem", "ResolvedInterface", "ResolvedLab", "ResolvedNode", "has_interface", "problems", "resolve"]

KERNEL_NUMBERED = frozenset({"netdevsim", "conduit", "user_port"})
"""No message makes them that could say an interface index."""
PROBES_OF_LAB_INTERFACES = frozenset({"xdp", "tc", "filter", "tagger", "stat"})
"""Other interfaces may be the attendee's own."""
NO_MAC = frozenset({"loopback", "wireguard", "vlan"})
"""Without an address of the link layer, or with their parent's."""
FIRST_IFINDEX = 10
"""Below it a namespace may have devices that the kernel made itself (lo, tunl0, sit0, ...)."""


@dataclass(frozen=True)
class ResolvedInterface:
    node: str
    name: str
    ifindex: int
    """0: the kernel's choice."""
    mac: str
    """'' for an interface without one of its own."""
    mtu: int | None
    up: bool
    addresses: tuple[IPv4Interface | IPv6Interface, ...]
    peer: tuple[str, str] | None
    """(node, interface) of the other end, None for an interface without a link."""
    kind: str = "veth"
    """Who makes it: veth, netdevsim (a link's end), conduit, user_port, plugged (a switch's), or its device's kind."""
    device: Device | None = None
    qdisc: QdiscSpec | None = None
    impairment: ImpairmentSpec | None = None


@dataclass(frozen=True)
class ResolvedNode:
    name: str
    index: int
    spec: NodeSpec
    interfaces: tuple[ResolvedInterface, ...]

    def interface(self, name: str) -> ResolvedInterface:
        return next(i for i in self.interfaces if i.name == name)


@dataclass(frozen=True)
class ResolvedLab:
    spec: LabSpec
    nodes: tuple[ResolvedNode, ...]
    links: tuple[tuple[ResolvedInterface, ResolvedInterface], ...] = field(default=())

    def node(self, name: str) -> ResolvedNode:
        return next(n for n in self.nodes if n.name == name)


def mac_address(node_index: int, interface_index: int) -> str:
    """Locally administered and unicast (IEEE 802-2014, 8.4): 02:4e:4c ('NL'), node from 1, interface from 0."""
    return f"02:4e:4c:{(node_index + 1) >> 8:02x}:{(node_index + 1) & 0xFF:02x}:{interface_index:02x}"


def resolve(spec: LabSpec) -> ResolvedLab:
    """The lab ready to be built. Raises nothing for a lab for which `problems(spec)` is empty."""
    origins = _origins(spec)
    nodes = []
    by_end: dict[tuple[str, str], ResolvedInterface] = {}
    for index, node in enumerate(spec.nodes):
        interfaces = tuple(
            _interface(node.name, index, position, one, origins) for position, one in enumerate(_interfaces_of(spec, node))
        )
        by_end.update({(node.name, i.name): i for i in interfaces})
        nodes.append(ResolvedNode(name=node.name, index=index, spec=node, interfaces=interfaces))

    links = tuple(
        (by_end[a.node, a.interface], by_end[b.node, b.interface]) for a, b in (link.ends for link in spec.links)
    )
    return ResolvedLab(spec=spec, nodes=tuple(nodes), links=links)


@dataclass(frozen=True)
class _Origin:
    """Who makes an interface that is no device of its own."""

    kind: str
    peer: tuple[str, str] | None = None
    impairment: ImpairmentSpec | None = None


def _origins(spec: LabSpec) -> dict[tuple[str, str], _Origin]:
    found: dict[tuple[str, str], _Origin] = {}
    for link in spec.links:
        a, b = ((end.node, end.interface) for end in link.ends)
        found[a], found[b] = _Origin(link.kind, b, link.impairment), _Origin(link.kind, a, link.impairment)
    for switch in spec.switches:
        found[switch.node, switch.conduit] = _Origin("conduit")
        for port in switch.ports:
            user, outer = (switch.node, port.name), (port.to.node, port.to.interface)
            found[user], found[outer] = _Origin("user_port", outer), _Origin("plugged", user)
    return found


def _interface(
    node: str, index: int, position: int, spec: InterfaceSpec, origins: dict[tuple[str, str], _Origin]
) -> ResolvedInterface:
    kind = spec.device.kind if spec.device else "loopback" if spec.name == "lo" else "veth"
    origin = origins.get((node, spec.name), _Origin(kind))
    return ResolvedInterface(
        node=node, name=spec.name, mac="" if origin.kind in NO_MAC else mac_address(index, position),
        ifindex=0 if origin.kind in KERNEL_NUMBERED else FIRST_IFINDEX + position,
        mtu=spec.mtu, up=spec.up, addresses=tuple(spec.addresses), peer=origin.peer, kind=origin.kind,
        device=spec.device, qdisc=spec.qdisc, impairment=origin.impairment,
    )


def _interfaces_of(spec: LabSpec, node: NodeSpec) -> Iterator[InterfaceSpec]:
    """Those the node lists, then those that only links and switches name."""
    yield from node.interfaces
    known = {i.name for i in node.interfaces}
    for _, where, name, _ in makers(spec):
        if where == node.name and name not in known:
            known.add(name)
            yield InterfaceSpec(name=name)


def problems(spec: LabSpec) -> list[Problem]:
    """Everything that the types alone cannot say; empty for a lab that can be built."""
    names = {n.name: {i.name for i in _interfaces_of(spec, n)} for n in spec.nodes}
    return [
        *_duplicates(spec), *_bad_ends(spec), *_bad_references(spec), *_bad_addresses(spec), *_bad_checks(spec),
        *device_problems(spec, names),
    ]


def _duplicates(spec: LabSpec) -> Iterator[Problem]:
    groups: list[tuple[str, list[str]]] = [
        ("nodes", [n.name for n in spec.nodes]), ("steps", [s.id for s in spec.steps]),
        ("programs", [p.name for p in spec.programs]), ("switches", [s.name for s in spec.switches]),
    ]
    for key, names in groups:
        for name, count in Counter(names).items():
            if count > 1:
                at = len(names) - 1 - names[::-1].index(name)
                yield Problem((key, at), f"{name} is there {count} times", f"names in {key} must differ")


def _bad_ends(spec: LabSpec) -> Iterator[Problem]:
    made: dict[tuple[str, str], tuple[tuple[str | int, ...], str]] = {}
    for loc, where, name, words in makers(spec):
        if loc[0] == "links" and spec.node(where) is None:
            yield Problem(loc, f"there is no node named {where}", _nodes_are(spec))
        first = made.setdefault((where, name), (loc, words))
        if first[0] != loc:
            yield Problem(loc, f"{where}:{name} is already {first[1]}", "an interface has one peer, and is one thing")
    for at, node in enumerate(spec.nodes):
        for position, interface in enumerate(node.interfaces):
            if (node.name, interface.name) not in made and interface.name != "lo":
                loc = ("nodes", at, "interfaces", position)
                yield Problem(loc, f"{node.name}:{interface.name} has no link", "add it to links, or say what device it is")


def _bad_references(spec: LabSpec) -> Iterator[Problem]:
    for at, terminal in enumerate(spec.terminals):
        if spec.node(terminal.node) is None:
            yield Problem(("terminals", at, "node"), f"there is no node named {terminal.node}", _nodes_are(spec))
    for at, program in enumerate(spec.programs):
        at_end = program.attach
        if not has_interface(spec, at_end.node, at_end.interface):
            what = f"there is no interface {at_end.node}:{at_end.interface}"
            yield Problem(("programs", at, "attach"), what, _nodes_are(spec))


def _bad_addresses(spec: LabSpec) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for at, node in enumerate(spec.nodes):
        for position, interface in enumerate(node.interfaces):
            for which, address in enumerate(interface.addresses):
                loc = ("nodes", at, "interfaces", position, "addresses", which)
                if address.version == 6 and not spec.ipv6:
                    yield Problem(loc, f"{address} is an IPv6 address and this lab has IPv6 off", "add ipv6: true")
                here = f"{node.name}:{interface.name}"
                other = seen.setdefault(str(address.ip), here)
                if other != here:
                    yield Problem(loc, f"{address.ip} is also on {other}", "give each interface its own address")


def _bad_checks(spec: LabSpec) -> Iterator[Problem]:
    for at, step in enumerate(spec.steps):
        names = [c.id for c in step.checks]
        for which, check in enumerate(step.checks):
            loc = ("steps", at, "checks", which)
            if names.index(check.id) != which:
                yield Problem((*loc, "id"), f"check {check.id} is there twice", "ids of a step's checks must differ")
            node = getattr(check.probe, "node", None)
            interface = getattr(check.probe, "interface", None)
            program = getattr(check.probe, "program", None)
            if node is not None and spec.node(node) is None:
                yield Problem((*loc, "probe", "node"), f"there is no node named {node}", _nodes_are(spec))
            elif check.probe.kind in PROBES_OF_LAB_INTERFACES and not has_interface(spec, str(node), str(interface)):
                yield Problem((*loc, "probe", "interface"), f"there is no interface {node}:{interface}", "")
            if check.probe.kind == "program" and program is not None and spec.program(program) is None:
                known = ", ".join(p.name for p in spec.programs) or "none"
                yield Problem((*loc, "probe", "program"), f"there is no program named {program}", f"programs: {known}")


def has_interface(spec: LabSpec, node_name: str, interface: str) -> bool:
    node = spec.node(node_name)
    return node is not None and (interface == "lo" or any(i.name == interface for i in _interfaces_of(spec, node)))


def _nodes_are(spec: LabSpec) -> str:
    return "nodes: " + ", ".join(n.name for n in spec.nodes)
