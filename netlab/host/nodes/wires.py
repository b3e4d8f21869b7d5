"""A resolved lab as the plain data that the fork server's topology ops take. Pure; called by `plain` and `sandboxed`."""

from typing import Any

from netlab.domain.resolve import ResolvedInterface, ResolvedLab, ResolvedNode

Topology = dict[str, Any]


def topology(lab: ResolvedLab) -> Topology:
    """All of the lab's links, addresses, routes and sysctls."""
    return {
        "ipv6": lab.spec.ipv6,
        "links": [[_end(a), _end(b)] for a, b in lab.links],
        "nodes": [_node(node) for node in lab.nodes],
    }


def topology_around(lab: ResolvedLab, name: str) -> Topology:
    """What a node that was made anew needs: its own part, and its neighbours' ends of the links between them."""
    links = [(a, b) for a, b in lab.links if name in (a.node, b.node)]
    ends = {(end.node, end.name) for link in links for end in link}
    neighbours = {node for node, _ in ends} - {name}
    return {
        "ipv6": lab.spec.ipv6,
        "links": [[_end(a), _end(b)] for a, b in links],
        "nodes": [
            _node(lab.node(name)),
            *(_neighbour(lab.node(node), {i for n, i in ends if n == node}) for node in sorted(neighbours)),
        ],
    }


def links_of(lab: ResolvedLab, name: str) -> tuple[list[str], list[tuple[str, str]]]:
    """A node's own link interfaces, and the other ends as (node, interface)."""
    own = [i for i in lab.node(name).interfaces if i.peer]
    return [i.name for i in own], [i.peer for i in own if i.peer and i.peer[0] != name]


def _end(end: ResolvedInterface) -> dict[str, Any]:
    return {"node": end.node, "name": end.name, "ifindex": end.ifindex, "mac": end.mac, "mtu": end.mtu}


def _node(node: ResolvedNode) -> dict[str, Any]:
    return {
        "name": node.name,
        "up": [i.ifindex for i in node.interfaces if i.up and i.peer],
        "addresses": [[_ifindex(i), str(address)] for i in node.interfaces for address in i.addresses],
        "routes": [[str(route.to), str(route.via)] for route in node.spec.routes],
        "sysctls": {name: str(value) for name, value in node.spec.sysctls.items()},
    }


def _ifindex(interface: ResolvedInterface) -> int:
    return 1 if interface.name == "lo" else interface.ifindex


def _neighbour(node: ResolvedNode, interfaces: set[str]) -> dict[str, Any]:
    """Only what hangs on these interfaces: addresses, routes through them, sysctls that name them."""
    kept = [i for i in node.interfaces if i.name in interfaces]
    reachable = [address.network for i in kept for address in i.addresses]
    return {
        "name": node.name, "keep_sysctls": True,
        "up": [i.ifindex for i in kept if i.up],
        "addresses": [[i.ifindex, str(address)] for i in kept for address in i.addresses],
        "routes": [[str(r.to), str(r.via)] for r in node.spec.routes if any(r.via in network for network in reachable)],
        "sysctls": {
            name: str(value) for name, value in node.spec.sysctls.items()
            if any(f".{interface}." in name for interface in interfaces)
        },
    }
