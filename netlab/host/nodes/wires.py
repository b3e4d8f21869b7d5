"""A resolved lab as the plain data that the fork server's topology ops take. Pure; called by `plain` and `sandboxed`."""

from collections.abc import Collection
from typing import Any

from netlab.domain.device_problems import parents_of
from netlab.domain.devices import BridgeDevice, NetdevsimDevice, SwitchSpec, VxlanDevice, WireguardDevice
from netlab.domain.resolve import ResolvedInterface, ResolvedLab, ResolvedNode

Topology = dict[str, Any]
CARDS = frozenset({"netdevsim", "conduit"})
"""Kinds of interfaces that are simulated network cards."""
MADE_ELSEWHERE = frozenset({"loopback", "veth", "netdevsim", "conduit", "user_port", "plugged"})
"""All others are devices on top of them, or beside them."""


def topology(lab: ResolvedLab) -> Topology:
    """All of the lab's links, devices, addresses, routes and sysctls."""
    return {
        "ipv6": lab.spec.ipv6,
        "links": [[_end(a), _end(b)] for a, b in lab.links if a.kind == "veth"],
        "nodes": [_node(node) for node in lab.nodes],
        **_machine_if_any(lab, [n.name for n in lab.nodes]), **_tunnels_if_any(lab, ""),
    }


def topology_around(lab: ResolvedLab, name: str) -> Topology:
    """What a node that was made anew needs: its own part, and its neighbours' ends of the links between them."""
    links = [(a, b) for a, b in lab.links if name in (a.node, b.node) and a.kind == "veth"]
    lost = lost_with(lab, name)
    return {
        "ipv6": lab.spec.ipv6,
        "links": [[_end(a), _end(b)] for a, b in links],
        "nodes": [
            _node(lab.node(name)),
            *(_neighbour(lab.node(node), {i for n, i in lost if n == node}) for node in sorted({n for n, _ in lost} - {name})),
        ],
        **_machine_if_any(lab, [name]), **_tunnels_if_any(lab, name),
    }


def lost_with(lab: ResolvedLab, name: str) -> set[tuple[str, str]]:
    """The interfaces, as (node, name), that go when a node goes, and what stands on them; those of other nodes too."""
    own = lab.node(name).interfaces
    lost = {(name, i.name) for i in own}
    lost |= {i.peer for i in own if i.peer and i.kind in ("veth", "user_port")}  # a card's other end stays where it is
    for node in lab.nodes:
        for interface in _stacked(node):
            parent = getattr(interface.device, "parent", None)
            if parent and (node.name, parent) in lost:
                lost.add((node.name, interface.name))
    return lost


def links_of(lab: ResolvedLab, name: str) -> tuple[list[str], list[tuple[str, str]]]:
    """A node's own ends of veth pairs, and the other ends as (node, interface)."""
    own = [i for i in lab.node(name).interfaces if i.kind == "veth" and i.peer]
    return [i.name for i in own], [i.peer for i in own if i.peer and i.peer[0] != name]


def machine(lab: ResolvedLab, nodes: Collection[str]) -> dict[str, Any]:
    """The simulated cards and switches of these nodes, with every wire and cable that ends in one of them."""
    cards = [i for n in lab.nodes if n.name in nodes for i in n.interfaces if i.kind in CARDS]
    switches = [s for s in lab.spec.switches if s.node in nodes]
    plugs = [
        (switch, number, lab.node(port.to.node).interface(port.to.interface))
        for switch in lab.spec.switches for number, port in enumerate(switch.ports, start=1)
        if switch in switches or port.to.node in nodes
    ]
    return {
        "cards": [_card(i) for i in cards],
        "wires": [
            [[a.node, a.name], [b.node, b.name]] for a, b in lab.links
            if a.kind == "netdevsim" and (a.node in nodes or b.node in nodes)
        ],
        "switches": [_switch(lab, switch) for switch in switches],
        "plugs": [{"switch": switch.name, "port": number, **_end(outer)} for switch, number, outer in plugs],
    }


def tunnels(lab: ResolvedLab) -> list[dict[str, Any]]:
    """All WireGuard interfaces."""
    found = [(i, i.device) for n in lab.nodes for i in n.interfaces if isinstance(i.device, WireguardDevice)]
    ports = {(i.node, i.name): device.listen_port for i, device in found}
    return [
        {
            "node": i.node, "name": i.name, "listen_port": device.listen_port,
            "peers": [
                {
                    "node": peer.node, "name": peer.interface, "allowed_ips": [str(n) for n in peer.allowed_ips],
                    "endpoint": [str(peer.endpoint), ports[peer.node, peer.interface]] if peer.endpoint else None,
                }
                for peer in device.peers
            ],
        }
        for i, device in found
    ]


def _machine_if_any(lab: ResolvedLab, nodes: Collection[str]) -> dict[str, Any]:
    found = machine(lab, nodes)
    return {"machine": found} if any(found.values()) else {}


def _tunnels_if_any(lab: ResolvedLab, only: str) -> dict[str, Any]:
    found = tunnels(lab)
    return {"tunnels": found, "only": only} if any(not only or t["node"] == only for t in found) else {}


def _card(card: ResolvedInterface) -> dict[str, Any]:
    queues = card.device.queues if isinstance(card.device, NetdevsimDevice) else 1
    return {"node": card.node, "name": card.name, "mac": card.mac, "mtu": card.mtu, "queues": queues}


def _switch(lab: ResolvedLab, switch: SwitchSpec) -> dict[str, Any]:
    ports = [lab.node(switch.node).interface(port.name) for port in switch.ports]
    return {
        "name": switch.name, "node": switch.node, "conduit": switch.conduit, "tagger": switch.tagger,
        "ports": [{"name": p.name, "mac": p.mac, "mtu": p.mtu} for p in ports],
    }


def _end(end: ResolvedInterface) -> dict[str, Any]:
    return {"node": end.node, "name": end.name, "ifindex": end.ifindex, "mac": end.mac, "mtu": end.mtu}


def _node(node: ResolvedNode) -> dict[str, Any]:
    return {
        "name": node.name,
        "up": [_reference(i) for i in _in_order(node) if i.up and i.kind != "loopback"],
        "addresses": [[_reference(i), str(address)] for i in node.interfaces for address in i.addresses],
        "routes": [[str(route.to), str(route.via)] for route in node.spec.routes],
        "sysctls": {name: str(value) for name, value in node.spec.sysctls.items()},
        **_stack_if_any(node, {i.name for i in node.interfaces}),
    }


def _neighbour(node: ResolvedNode, interfaces: set[str]) -> dict[str, Any]:
    """Only what hangs on these interfaces: devices, addresses, routes through them, sysctls that name them."""
    kept = [i for i in _in_order(node) if i.name in interfaces]
    reachable = [address.network for i in kept for address in i.addresses]
    return {
        "name": node.name, "keep_sysctls": True,
        "up": [_reference(i) for i in kept if i.up],
        "addresses": [[_reference(i), str(address)] for i in kept for address in i.addresses],
        "routes": [[str(r.to), str(r.via)] for r in node.spec.routes if any(r.via in network for network in reachable)],
        "sysctls": {
            name: str(value) for name, value in node.spec.sysctls.items()
            if any(f".{interface}." in name for interface in interfaces)
        },
        **_stack_if_any(node, interfaces),
    }


def _stack_if_any(node: ResolvedNode, interfaces: set[str]) -> dict[str, Any]:
    """The devices among these interfaces, and what these join; nothing for a node of plain links."""
    stacked = _stacked(node)
    impaired = [[_reference(i), i.impairment.model_dump()] for i in node.interfaces if i.impairment and i.name in interfaces]
    if not stacked and not impaired:
        return {}
    ports = [(port, i) for i in stacked for port in getattr(i.device, "ports", ()) if {port, i.name} & interfaces]
    return {
        "devices": [_device(node, i) for i in stacked if i.name in interfaces],
        "ports": [[_reference(node.interface(port)), _reference(i)] for port, i in ports],
        "vlans": [one for i in stacked if isinstance(i.device, BridgeDevice) for one in _vlans(node, i, i.device, interfaces)],
        "impaired": impaired,
    }


def _device(node: ResolvedNode, interface: ResolvedInterface) -> dict[str, Any]:
    device = interface.device
    assert device is not None
    parent = getattr(device, "parent", None)
    said = device.model_dump(mode="json", exclude={"ports", "vlans", "peers"})
    return {**_end(interface), **said, "made_of": _reference(node.interface(parent)) if parent else None} | (
        {"remote": str(device.remote) if device.remote else None} if isinstance(device, VxlanDevice) else {}
    )


def _vlans(
    node: ResolvedNode, bridge: ResolvedInterface, device: BridgeDevice, interfaces: set[str]
) -> list[dict[str, Any]]:
    """For each interface that the lab gives VLANs, in place of the bridge's own choice."""
    named = dict.fromkeys(v.interface for v in device.vlans if v.interface in interfaces or bridge.name in interfaces)
    return [
        {
            "interface": _reference(node.interface(name)), "itself": name == bridge.name,
            "vlans": [v.model_dump(exclude={"interface"}) for v in device.vlans if v.interface == name],
        }
        for name in named
    ]


def _stacked(node: ResolvedNode) -> list[ResolvedInterface]:
    """Devices that are no cards, each after what it is made of."""
    rest = [i for i in node.interfaces if i.kind not in MADE_ELSEWHERE]
    ordered: list[ResolvedInterface] = []
    while rest:
        waiting = {i.name for i in rest}
        ready = [i for i in rest if i.device and not waiting & set(parents_of(i.device))]
        ordered += ready
        rest = [i for i in rest if i not in ready]
    return ordered


def _in_order(node: ResolvedNode) -> list[ResolvedInterface]:
    """A VLAN can only be set up when its parent is."""
    if not any(i.device for i in node.interfaces):
        return list(node.interfaces)
    return [*(i for i in node.interfaces if i.kind in MADE_ELSEWHERE), *_stacked(node)]


def _reference(interface: ResolvedInterface) -> int | str:
    """By its name where the kernel chose the index."""
    return 1 if interface.kind == "loopback" else interface.ifindex or interface.name
