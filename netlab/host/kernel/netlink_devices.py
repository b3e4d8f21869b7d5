"""rtnetlink messages that make and set bridges, bonds, VLANs, tunnels and the like. Packed by hand, as in `netlink`.

Called by the fork server with names and numbers that come with the lab; it never looks anything up.
"""

import socket
import struct
from collections.abc import Callable
from typing import Any

from netlab.host.kernel.netlink import (
    IFLA_ADDRESS,
    IFLA_IFNAME,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_LINKINFO,
    IFLA_MTU,
    IFLA_NET_NS_FD,
    NLM_F_CREATE,
    NLM_F_EXCL,
    RTM_DELLINK,
    RTM_NEWLINK,
    RTM_SETLINK,
    attribute,
    message,
    pack_address,
)

# include/uapi/linux/{if_link,if_bridge}.h
IFLA_LINK, IFLA_MASTER, IFLA_AF_SPEC, IFLA_NEW_IFINDEX = 5, 10, 26, 49
IFLA_BR_STP_STATE, IFLA_BR_VLAN_FILTERING = 5, 7
IFLA_BRIDGE_FLAGS, IFLA_BRIDGE_VLAN_INFO, BRIDGE_FLAGS_SELF = 0, 2, 2
BRIDGE_VLAN_INFO_PVID, BRIDGE_VLAN_INFO_UNTAGGED = 2, 4
IFLA_BOND_MODE, IFLA_BOND_MIIMON = 1, 3
IFLA_VLAN_ID, IFLA_MACVLAN_MODE, IFLA_VRF_TABLE = 1, 1, 1
IFLA_VXLAN_ID, IFLA_VXLAN_GROUP, IFLA_VXLAN_LINK, IFLA_VXLAN_PORT, IFLA_VXLAN_GROUP6 = 1, 2, 3, 15, 16
BOND_MODES = ("balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb")
MACVLAN_MODES = {"private": 1, "vepa": 2, "bridge": 4}
MIIMON_MS = 100
"""How often a bond looks whether its ports have a carrier."""

_IFINFO = struct.Struct("=BxHiII")


def _number(kind: int, value: int, form: str = "=I") -> bytes:
    return attribute(kind, struct.pack(form, value))


def _mac(mac: str) -> bytes:
    return attribute(IFLA_ADDRESS, bytes.fromhex(mac.replace(":", ""))) if mac else b""


def _name(name: str) -> bytes:
    return attribute(IFLA_IFNAME, name.encode() + b"\0")


def new_device(device: dict[str, Any], parent: int) -> bytes:
    """`device`: a lab's device as JSON with `name`, `ifindex`, `mac`, `mtu`; `parent`: the index of what it is made of, or 0."""
    kind = device["kind"]
    data = _DATA[kind](device, parent) if kind in _DATA else b""
    info = attribute(IFLA_INFO_KIND, kind.encode() + b"\0") + (attribute(IFLA_INFO_DATA, data) if data else b"")
    body = _IFINFO.pack(0, 0, device["ifindex"], 0, 0) + _name(device["name"]) + _mac(device["mac"])
    body += _number(IFLA_MTU, device["mtu"]) if device["mtu"] else b""
    body += _number(IFLA_LINK, parent) if parent and kind != "vxlan" else b""
    return message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body + attribute(IFLA_LINKINFO, info))


def _bridge(device: dict[str, Any], _: int) -> bytes:
    """A kernel without VLAN filtering refuses even to be told that it is not wanted."""
    stp = _number(IFLA_BR_STP_STATE, 1) if device["stp"] else b""
    return stp + (_number(IFLA_BR_VLAN_FILTERING, 1, "=B") if device["vlan_filtering"] else b"")


def _bond(device: dict[str, Any], _: int) -> bytes:
    return _number(IFLA_BOND_MODE, BOND_MODES.index(device["mode"]), "=B") + _number(IFLA_BOND_MIIMON, MIIMON_MS)


def _vxlan(device: dict[str, Any], parent: int) -> bytes:
    data = _number(IFLA_VXLAN_ID, device["id"]) + _number(IFLA_VXLAN_PORT, device["port"], ">H")
    data += _number(IFLA_VXLAN_LINK, parent) if parent else b""
    if device["remote"]:
        family, packed = pack_address(device["remote"])
        data += attribute(IFLA_VXLAN_GROUP if family == socket.AF_INET else IFLA_VXLAN_GROUP6, packed)
    return data


_DATA: dict[str, Callable[[dict[str, Any], int], bytes]] = {
    "bridge": _bridge, "bond": _bond, "vxlan": _vxlan,
    "vlan": lambda device, _: _number(IFLA_VLAN_ID, device["id"], "=H"),
    "macvlan": lambda device, _: _number(IFLA_MACVLAN_MODE, MACVLAN_MODES[device["mode"]]),
    "vrf": lambda device, _: _number(IFLA_VRF_TABLE, device["table"]),
}


def enslave(port: int, master: int) -> bytes:
    return message(RTM_SETLINK, 0, _IFINFO.pack(0, 0, port, 0, 0) + _number(IFLA_MASTER, master))


def delete_index(ifindex: int) -> bytes:
    return message(RTM_DELLINK, 0, _IFINFO.pack(0, 0, ifindex, 0, 0))


def set_device(ifindex: int, name: str, mac: str, mtu: int | None, netns_fd: int = -1, new_ifindex: int = 0) -> bytes:
    """Its name and addresses; with `netns_fd` it moves there first and, from Linux 5.13 on, gets that index."""
    body = _IFINFO.pack(0, 0, ifindex, 0, 0)
    if netns_fd >= 0:
        body += attribute(IFLA_NET_NS_FD, struct.pack("=i", netns_fd))
        body += _number(IFLA_NEW_IFINDEX, new_ifindex) if new_ifindex else b""
    body += _name(name) + _mac(mac) + (_number(IFLA_MTU, mtu) if mtu else b"")
    return message(RTM_SETLINK, 0, body)


def bridge_vlan(ifindex: int, vlan: int, *, add: bool, pvid: bool = False, untagged: bool = False, itself: bool = False) -> bytes:
    """A VLAN on a port of a bridge; `itself`: `ifindex` is the bridge's."""
    flags = (BRIDGE_VLAN_INFO_PVID if pvid else 0) | (BRIDGE_VLAN_INFO_UNTAGGED if untagged else 0)
    spec = _number(IFLA_BRIDGE_FLAGS, BRIDGE_FLAGS_SELF, "=H") if itself else b""
    spec += attribute(IFLA_BRIDGE_VLAN_INFO, struct.pack("=HH", flags, vlan))
    body = _IFINFO.pack(socket.AF_BRIDGE, 0, ifindex, 0, 0) + attribute(IFLA_AF_SPEC, spec)
    return message(RTM_SETLINK if add else RTM_DELLINK, 0, body)
