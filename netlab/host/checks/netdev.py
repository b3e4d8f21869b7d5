"""Probes of a node's interfaces, addresses, routes, neighbours and qdiscs, answered by rtnetlink. Called by `evaluate`."""

import re
from ipaddress import ip_address
from typing import Any

from pyroute2 import IPRoute

from netlab.domain.probes import AddressProbe, InterfaceProbe, NeighbourProbe, QdiscProbe, RouteProbe
from netlab.host.checks.context import CheckContext, Verdict, ask_netlink
from netlab.host.checks.files import quoted

MAIN_TABLE = 254
NUD = {
    0x01: "incomplete", 0x02: "reachable", 0x04: "stale", 0x08: "delay", 0x10: "probe", 0x20: "failed", 0x40: "noarp",
    0x80: "permanent",
}
"""include/uapi/linux/neighbour.h."""
VALID_STATES = frozenset({"reachable", "stale", "delay", "probe", "permanent", "noarp"})
_PLACE = re.compile(r"^qdisc \S+ \S+ (root|parent \S+|dev \S+)*( refcnt \d+)?")
"""Of a line of `tc qdisc show`: all before what the qdisc is told to do."""
FAMILY = {4: 2, 6: 10}


async def interface(probe: InterfaceProbe, context: CheckContext) -> Verdict:
    link, master = await ask_netlink(context, probe.node, lambda route: _link_and_master(route, probe.interface))
    wanted = [
        probe.state or "", f"MTU {probe.mtu}" if probe.mtu else "", f"of type {probe.type}" if probe.type else "",
        f"a port of {probe.master}" if probe.master else "",
    ]
    expected = f"an interface {probe.interface}" + _with(wanted) if probe.exists else f"no interface {probe.interface}"
    if link is None:
        return Verdict(not probe.exists, f"no interface {probe.interface}", expected)
    state = "up" if link["flags"] & 1 else "down"
    mtu, kind = int(link.get("mtu")), _kind(link)
    seen = [state if probe.state else "", f"MTU {mtu}" if probe.mtu else "", f"of type {kind or 'none'}" if probe.type else ""]
    seen += [f"a port of {master}" if master else "no port of any"] if probe.master else []
    fits = probe.exists and probe.state in (None, state) and probe.mtu in (None, mtu) and probe.type in (None, kind)
    fits = fits and probe.master in (None, master)
    return Verdict(fits, f"an interface {probe.interface}" + _with(seen), expected)


async def address(probe: AddressProbe, context: CheckContext) -> Verdict:
    def ask(route: IPRoute) -> list[str] | None:
        link = _link(route, probe.interface)
        if link is None:
            return None
        return [f"{a.get('local') or a.get('address')}/{a['prefixlen']}" for a in route.get_addr(index=link["index"])]

    found = await ask_netlink(context, probe.node, ask)
    expected = f"{probe.address} on {probe.interface}" if probe.present else f"no {probe.address} on {probe.interface}"
    if found is None:
        return Verdict(False, f"no interface {probe.interface}", expected)
    there = str(probe.address) in {str(_interface(text)) for text in found}
    return Verdict(there == probe.present, f"{_list(found) or 'no address'} on {probe.interface}", expected)


async def route(probe: RouteProbe, context: CheckContext) -> Verdict:
    want_default = probe.to == "default"
    version = probe.via.version if probe.via else 4 if want_default else probe.to.version  # type: ignore[union-attr]

    def ask(route: IPRoute) -> list[tuple[str, str, str]]:
        names = {link["index"]: str(link.get("ifname")) for link in route.get_links()}
        return [
            (_destination(r), str(r.get("gateway") or ""), names.get(r.get("oif"), ""))
            for r in route.get_routes(family=FAMILY[version], table=MAIN_TABLE)
        ]

    found = await ask_netlink(context, probe.node, ask)
    to = "default" if want_default else str(probe.to)
    same = [r for r in found if r[0] == to]
    via = str(probe.via) if probe.via else None
    fits = [r for r in same if via in (None, r[1]) and probe.interface in (None, r[2])]
    route_words = _route_words(to, via or "", probe.interface or "")
    expected = f"a route {route_words}" if probe.present else f"no route {route_words}"
    observed = "; ".join(f"a route {_route_words(*r)}" for r in same) or f"no route to {to}"
    return Verdict(bool(fits) == probe.present, observed, expected)


async def neighbour(probe: NeighbourProbe, context: CheckContext) -> Verdict:
    def ask(route: IPRoute) -> list[str]:
        entries = route.get_neighbours(family=FAMILY[probe.address.version])
        return [NUD.get(e["state"], "none") for e in entries if e.get("dst") == str(probe.address)]

    states = await ask_netlink(context, probe.node, ask)
    fitting = {probe.state} if probe.state else VALID_STATES
    expected = f"{'a' if probe.present else 'no'} neighbour {probe.address}" + (f" that is {probe.state}" if probe.state else "")
    observed = f"a neighbour {probe.address} that is {states[0]}" if states else f"no neighbour {probe.address}"
    return Verdict(bool(fitting & set(states)) == probe.present, observed, expected)


async def qdisc(probe: QdiscProbe, context: CheckContext) -> Verdict:
    def ask(route: IPRoute) -> list[str] | None:
        link = _link(route, probe.interface)
        return None if link is None else [str(q.get("kind")) for q in route.get_qdiscs(index=link["index"])]

    found = await ask_netlink(context, probe.node, ask)
    expected = f"{'a' if probe.present else 'no'} qdisc {probe.type} on {probe.interface}"
    expected += f" that shows {quoted(probe.shows)}" if probe.shows else ""
    if found is None:
        return Verdict(False, f"no interface {probe.interface}", expected)
    kinds = f"{'qdisc' if len(found) == 1 else 'qdiscs'} {_list(found)}" if found else "no qdisc"
    observed = f"{kinds} on {probe.interface}"
    if probe.shows is None or probe.type not in found:
        return Verdict((probe.type in found) == probe.present, observed, expected)
    argv = ["tc", "qdisc", "show", "dev", probe.interface]
    done = await context.nodes.execute(context.run_nodes, probe.node, argv, cwd="/")
    lines = done.stdout.decode(errors="replace").splitlines()
    mine = [_PLACE.sub("", line).strip() for line in lines if line.split()[1:2] == [probe.type]]
    observed += f": {mine[0]}" if mine else ""
    return Verdict(any(probe.shows in line for line in mine) == probe.present, observed, expected)


def _link_and_master(route: IPRoute, name: str) -> tuple[Any, str]:
    links = list(route.get_links())
    link = next((one for one in links if one.get("ifname") == name), None)
    master = link.get("master") if link is not None else None
    return link, next((str(one.get("ifname")) for one in links if master and one["index"] == master), "")


def _link(route: IPRoute, name: str) -> Any:
    return next((link for link in route.get_links() if link.get("ifname") == name), None)


def _kind(link: Any) -> str | None:
    info = link.get("linkinfo")
    return info.get("kind") if info is not None else None


def _interface(text: str) -> str:
    host, _, length = text.partition("/")
    return f"{ip_address(host)}/{length}"


def _destination(route: Any) -> str:
    return f"{route.get('dst')}/{route['dst_len']}" if route.get("dst") else "default"


def _route_words(to: str, via: str, interface: str) -> str:
    return f"to {to}" + (f" via {via}" if via else "") + (f" on {interface}" if interface else "")


def _with(words: list[str]) -> str:
    said = [word for word in words if word]
    return f" that is {', '.join(said)}" if said else ""


def _list(words: list[str]) -> str:
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1] if words else ""
