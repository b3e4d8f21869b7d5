"""LabSpec -> ResolvedLab: every reference checked, every name, index and MAC address allotted. Pure and deterministic.

Called by the catalogue (to refuse a bad lab early) and by the engine (to build it). The same lab has the same MAC
addresses and interface indexes for everybody, so that a screenshot in the handout matches what they see.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface

from netlab.domain.lab import LabSpec, NodeSpec

FIRST_IFINDEX = 10
"""Below it a namespace may have devices that the kernel made itself (lo, tunl0, sit0, ...)."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with a lab, and where: `loc` is the path into the YAML, as pydantic gives it."""

    loc: tuple[str | int, ...]
    what: str
    fix: str = ""


@dataclass(frozen=True)
class ResolvedInterface:
    node: str
    name: str
    ifindex: int
    mac: str
    mtu: int | None
    up: bool
    addresses: tuple[IPv4Interface | IPv6Interface, ...]
    peer: tuple[str, str] | None
    """(node, interface) of the other end, None for an interface without a link."""


@dataclass(frozen=True)
class ResolvedNode:
    name: str
    index: int
    spec: NodeSpec
    interfaces: tuple[ResolvedInterface, ...]


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
    peers: dict[tuple[str, str], tuple[str, str]] = {}
    for link in spec.links:
        a, b = ((end.node, end.interface) for end in link.ends)
        peers[a], peers[b] = b, a

    nodes = []
    by_end: dict[tuple[str, str], ResolvedInterface] = {}
    for index, node in enumerate(spec.nodes):
        interfaces = []
        for position, (name, mtu, up, addresses) in enumerate(_interfaces_of(spec, node)):
            interface = ResolvedInterface(
                node=node.name, name=name, ifindex=FIRST_IFINDEX + position, mac=mac_address(index, position),
                mtu=mtu, up=up, addresses=addresses, peer=peers.get((node.name, name)),
            )
            by_end[node.name, name] = interface
            interfaces.append(interface)
        nodes.append(ResolvedNode(name=node.name, index=index, spec=node, interfaces=tuple(interfaces)))

    links = tuple(
        (by_end[a.node, a.interface], by_end[b.node, b.interface]) for a, b in (link.ends for link in spec.links)
    )
    return ResolvedLab(spec=spec, nodes=tuple(nodes), links=links)


def _interfaces_of(
    spec: LabSpec, node: NodeSpec
) -> Iterator[tuple[str, int | None, bool, tuple[IPv4Interface | IPv6Interface, ...]]]:
    """Those the node lists, then those that only links name, each as (name, mtu, up, addresses)."""
    listed = {i.name for i in node.interfaces}
    for i in node.interfaces:
        yield i.name, i.mtu, i.up, tuple(i.addresses)
    for link in spec.links:
        for end in link.ends:
            if end.node == node.name and end.interface not in listed:
                listed.add(end.interface)
                yield end.interface, None, True, ()


def problems(spec: LabSpec) -> list[Problem]:
    """Everything that the types alone cannot say; empty for a lab that can be built."""
    return [
        *_duplicates(spec), *_bad_ends(spec), *_bad_references(spec), *_bad_addresses(spec), *_bad_checks(spec),
    ]


def _duplicates(spec: LabSpec) -> Iterator[Problem]:
    groups: list[tuple[str, list[str]]] = [
        ("nodes", [n.name for n in spec.nodes]), ("steps", [s.id for s in spec.steps]),
        ("programs", [p.name for p in spec.programs]),
    ]
    for key, names in groups:
        for name, count in Counter(names).items():
            if count > 1:
                at = len(names) - 1 - names[::-1].index(name)
                yield Problem((key, at), f"{name} is there {count} times", f"names in {key} must differ")


def _bad_ends(spec: LabSpec) -> Iterator[Problem]:
    used: Counter[str] = Counter()
    for at, link in enumerate(spec.links):
        for which, end in enumerate(link.ends):
            loc = ("links", at, "ends", which)
            if spec.node(end.node) is None:
                yield Problem(loc, f"there is no node named {end.node}", _nodes_are(spec))
            used[str(end)] += 1
            if used[str(end)] == 2:
                yield Problem(loc, f"{end} is already an end of another link", "an interface has one peer")
    for at, node in enumerate(spec.nodes):
        for position, interface in enumerate(node.interfaces):
            if f"{node.name}:{interface.name}" not in used and interface.name != "lo":
                loc = ("nodes", at, "interfaces", position)
                yield Problem(loc, f"{node.name}:{interface.name} has no link", "add it to links")


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
            elif check.probe.kind in ("xdp", "tc") and not has_interface(spec, str(node), str(interface)):
                yield Problem((*loc, "probe", "interface"), f"there is no interface {node}:{interface}", "")
            if check.probe.kind == "program" and program is not None and spec.program(program) is None:
                known = ", ".join(p.name for p in spec.programs) or "none"
                yield Problem((*loc, "probe", "program"), f"there is no program named {program}", f"programs: {known}")


def has_interface(spec: LabSpec, node_name: str, interface: str) -> bool:
    node = spec.node(node_name)
    return node is not None and (interface == "lo" or any(name == interface for name, *_ in _interfaces_of(spec, node)))


def _nodes_are(spec: LabSpec) -> str:
    return "nodes: " + ", ".join(n.name for n in spec.nodes)
