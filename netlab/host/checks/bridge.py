"""Probes of bridges: VLANs of ports, forwarding entries. Answered by rtnetlink, called by `evaluate`."""

from typing import Any

from pyroute2 import IPRoute

from netlab.domain.probes import BridgeVlanProbe, FdbProbe
from netlab.host.checks.context import CheckContext, Verdict, ask_netlink

# include/uapi/linux/{if_bridge,neighbour}.h
BRIDGE_VLAN_INFO_PVID, BRIDGE_VLAN_INFO_UNTAGGED, BRIDGE_VLAN_INFO_RANGE_BEGIN, BRIDGE_VLAN_INFO_RANGE_END = 2, 4, 8, 16
NTF_SELF, NTF_EXT_LEARNED, NTF_OFFLOADED, NUD_PERMANENT = 1 << 1, 1 << 4, 1 << 5, 0x80


async def bridge_vlan(probe: BridgeVlanProbe, context: CheckContext) -> Verdict:
    def ask(route: IPRoute) -> dict[int, int] | None:
        index = route.link_lookup(ifname=probe.interface)
        return _vlans(route.get_vlans(index=index[0])) if index else None

    found = await ask_netlink(context, probe.node, ask)
    wanted = ["" if probe.pvid is None else "as PVID" if probe.pvid else "not as PVID"]
    wanted += ["" if probe.untagged is None else "untagged" if probe.untagged else "tagged"]
    expected = f"{'' if probe.present else 'no '}VLAN {probe.id} on {probe.interface}{_words(wanted)}"
    if found is None:
        return Verdict(False, f"no interface {probe.interface}", expected)
    flags = found.get(probe.id)
    if flags is None:
        there = ", ".join(map(str, found)) or "none"
        return Verdict(not probe.present, f"no VLAN {probe.id} on {probe.interface} (VLANs: {there})", expected)
    pvid, untagged = bool(flags & BRIDGE_VLAN_INFO_PVID), bool(flags & BRIDGE_VLAN_INFO_UNTAGGED)
    fits = probe.pvid in (None, pvid) and probe.untagged in (None, untagged)
    seen = ["as PVID" if pvid else "not as PVID", "untagged" if untagged else "tagged"]
    return Verdict(fits == probe.present, f"VLAN {probe.id} on {probe.interface}{_words(seen)}", expected)


async def fdb(probe: FdbProbe, context: CheckContext) -> Verdict:
    def ask(route: IPRoute) -> list[tuple[int, bool]] | None:
        link = next((one for one in route.get_links() if one.get("ifname") == probe.interface), None)
        if link is None:
            return None
        info = link.get("linkinfo")
        is_user_port = info is not None and info.get("kind") == "dsa"
        return [
            (int(entry.get("vlan") or 0), _in_hardware(entry, is_user_port)) for entry in route.fdb("dump")
            if entry["ifindex"] == link["index"] and entry.get("lladdr") == probe.mac
        ]

    found = await ask_netlink(context, probe.node, ask)
    what = f"{probe.mac} behind {probe.interface}" + (f" in VLAN {probe.vlan}" if probe.vlan else "")
    offloaded = "" if probe.offloaded is None else " in hardware" if probe.offloaded else " in software alone"
    expected = f"{'' if probe.present else 'no '}{what}{offloaded}"
    if found is None:
        return Verdict(False, f"no interface {probe.interface}", expected)
    same = [entry for entry in found if probe.vlan in (None, entry[0])]
    fits = [entry for entry in same if probe.offloaded in (None, entry[1])]
    observed = f"{what}{' in hardware' if any(hw for _, hw in same) else ' in software alone'}" if same else f"no {what}"
    return Verdict(bool(fits) == probe.present, observed, expected)


def _in_hardware(entry: Any, is_user_port: bool) -> bool:
    """What a switch of DSA has learned is listed as the port's own (net/dsa/user.c), beside what the bridge knows."""
    of_chip = is_user_port and entry["flags"] & NTF_SELF and not entry["state"] & NUD_PERMANENT
    return bool(of_chip or entry["flags"] & (NTF_OFFLOADED | NTF_EXT_LEARNED))


def _vlans(links: Any) -> dict[int, int]:
    """VLAN -> flags. Ranges come as their first and last."""
    found: dict[int, int] = {}
    begin = 0
    for link in links:
        for kind, info in (link.get("af_spec") or {"attrs": []})["attrs"]:
            if kind != "IFLA_BRIDGE_VLAN_INFO":
                continue
            first = begin if info["flags"] & BRIDGE_VLAN_INFO_RANGE_END else info["vid"]
            begin = info["vid"] if info["flags"] & BRIDGE_VLAN_INFO_RANGE_BEGIN else 0
            found |= dict.fromkeys(range(first, info["vid"] + 1), info["flags"])
    return found


def _words(words: list[str]) -> str:
    said = [word for word in words if word]
    return f", {', '.join(said)}" if said else ""
