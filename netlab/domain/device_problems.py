"""What is wrong with a lab's devices, qdiscs and switches that their types alone cannot say. Called by `resolve.problems`."""

from collections.abc import Iterator, Mapping

from netlab.domain.devices import BridgeDevice, Device, SwitchSpec, WireguardDevice
from netlab.domain.lab import LabSpec, NodeSpec
from netlab.domain.problem import Problem

Loc = tuple[str | int, ...]


def device_problems(spec: LabSpec, names: Mapping[str, set[str]]) -> Iterator[Problem]:
    """`names`: the interfaces that there are in each node."""
    for at, node in enumerate(spec.nodes):
        yield from _of_node(spec, node, ("nodes", at, "interfaces"), names)
    for at, switch in enumerate(spec.switches):
        yield from _of_switch(spec, switch, ("switches", at), names)
    yield from _impairments(spec)


def parents_of(device: Device) -> list[str]:
    """The interfaces of its node that must be there before it."""
    parent = getattr(device, "parent", None)
    return [*getattr(device, "ports", []), *([parent] if parent else [])]


def makers(spec: LabSpec) -> Iterator[tuple[Loc, str, str, str]]:
    """(where, node, interface, in words) of everything that makes an interface."""
    for at, link in enumerate(spec.links):
        for which, end in enumerate(link.ends):
            yield ("links", at, "ends", which), end.node, end.interface, "an end of another link"
    for at, switch in enumerate(spec.switches):
        words = f"of the switch {switch.name}"
        yield ("switches", at, "conduit"), switch.node, switch.conduit, f"the conduit {words}"
        for which, port in enumerate(switch.ports):
            yield ("switches", at, "ports", which, "name"), switch.node, port.name, f"a user port {words}"
            yield ("switches", at, "ports", which, "to"), port.to.node, port.to.interface, f"plugged into {port.name} {words}"
    for at, node in enumerate(spec.nodes):
        for position, interface in enumerate(node.interfaces):
            if interface.device:
                loc = ("nodes", at, "interfaces", position, "device")
                yield loc, node.name, interface.name, f"a {interface.device.kind} device"


def _of_node(spec: LabSpec, node: NodeSpec, loc: Loc, names: Mapping[str, set[str]]) -> Iterator[Problem]:
    masters: dict[str, str] = {}
    devices = {i.name: i.device for i in node.interfaces if i.device}
    for position, interface in enumerate(node.interfaces):
        here = (*loc, position)
        if interface.qdisc and interface.qdisc.kind in ("clsact", "ingress"):
            yield Problem((*here, "qdisc"), f"{interface.qdisc.kind} is no root qdisc", "leave it to the attendee's tc")
        device = interface.device
        if device is None:
            continue
        for other in parents_of(device):
            if other not in names[node.name]:
                what = f"{node.name} has no interface {other}"
                yield Problem((*here, "device"), what, f"interfaces: {', '.join(sorted(names[node.name]))}")
        for port in getattr(device, "ports", []):
            master = masters.setdefault(port, interface.name)
            if master != interface.name:
                yield Problem((*here, "device", "ports"), f"{port} is a port of {master} already", "a port has one master")
        if _is_below(interface.name, interface.name, devices):
            yield Problem((*here, "device"), f"{interface.name} is in the end made of itself", "")
        if isinstance(device, BridgeDevice):
            yield from _of_bridge(interface.name, device, here)
        if isinstance(device, WireguardDevice):
            yield from _of_tunnel(spec, node.name, interface.name, device, here)


def _is_below(name: str, wanted: str, devices: Mapping[str, Device]) -> bool:
    """Whether `wanted` is among what `name` is made of."""
    seen: set[str] = set()
    todo = parents_of(devices[name]) if name in devices else []
    while todo:
        one = todo.pop()
        if one == wanted:
            return True
        if one in devices and one not in seen:
            seen.add(one)
            todo += parents_of(devices[one])
    return False


def _of_bridge(name: str, device: BridgeDevice, here: Loc) -> Iterator[Problem]:
    for which, vlan in enumerate(device.vlans):
        if vlan.interface not in (name, *device.ports):
            what = f"{vlan.interface} is neither a port of {name} nor {name} itself"
            yield Problem((*here, "device", "vlans", which), what, f"ports: {', '.join(device.ports) or 'none'}")
    if device.vlans and not device.vlan_filtering:
        yield Problem((*here, "device", "vlans"), f"{name} does not look at VLANs", "add vlan_filtering: true")


def _of_tunnel(spec: LabSpec, node: str, name: str, device: WireguardDevice, here: Loc) -> Iterator[Problem]:
    for which, peer in enumerate(device.peers):
        other = spec.node(peer.node)
        found = next((i.device for i in other.interfaces if i.name == peer.interface), None) if other else None
        if not isinstance(found, WireguardDevice) or (peer.node, peer.interface) == (node, name):
            what = f"{peer.node}:{peer.interface} is no other WireGuard interface"
            yield Problem((*here, "device", "peers", which), what, "a peer names a node and its interface of kind wireguard")


def _of_switch(spec: LabSpec, switch: SwitchSpec, loc: Loc, names: Mapping[str, set[str]]) -> Iterator[Problem]:
    nodes = "nodes: " + ", ".join(names)
    if switch.node not in names:
        yield Problem((*loc, "node"), f"there is no node named {switch.node}", nodes)
    for which, port in enumerate(switch.ports):
        if port.to.node not in names:
            yield Problem((*loc, "ports", which, "to"), f"there is no node named {port.to.node}", nodes)


def _impairments(spec: LabSpec) -> Iterator[Problem]:
    shaped = {(n.name, i.name) for n in spec.nodes for i in n.interfaces if i.qdisc}
    for at, link in enumerate(spec.links):
        for end in link.ends:
            if link.impairment and (end.node, end.interface) in shaped:
                what = f"{end} has a qdisc of its own"
                yield Problem(("links", at, "impairment"), what, "an impairment is a root qdisc too: leave out one of them")
