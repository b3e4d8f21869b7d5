"""Links, addresses, routes and sysctls of nodes. Ops of the fork server; the messages are `kernel.netlink`'s.

A topology is plain data, made by `nodes.wires` from a resolved lab:

    {"ipv6": false, "links": [[end, end], ...],          end = {"node", "name", "ifindex", "mac", "mtu"}
     "nodes": [{"name", "up": [ifindex], "addresses": [[ifindex, "10.0.0.1/24"]], "routes": [["default", "10.0.0.2"]],
                "sysctls": {...}, and where it has more than links: "devices", "ports", "vlans", "impaired" (`devices`)}],
     and where there are any: "machine": {...}, "tunnels": [...], "only": "" or the node that was made anew}
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from netlab.host.kernel import netlink, syscalls
from netlab.host.kernel.netlink import VethEnd
from netlab.host.kernel.syscalls import CLONE_NEWNET
from netlab.host.nsworker import devices
from netlab.host.nsworker.devices import index_of
from netlab.host.nsworker.namespaces import OWN_NETNS
from netlab.host.nsworker.places import RunDir

IPV6_OFF = {"net/ipv6/conf/all/disable_ipv6": "1"}
QUIET_IPV6 = {
    f"net/ipv6/conf/{which}/{name}": value
    for which in ("all", "default", "lo")
    for name, value in (("accept_ra", "0"), ("router_solicitations", "0"), ("accept_dad", "0"), ("dad_transmits", "0"))
}
"""No router solicitations, no duplicate address detection. The kernel has no switch for MLD reports at link up."""


def apply(run: RunDir, topology: dict[str, Any]) -> None:
    with _opened(run, [node["name"] for node in topology["nodes"]], topology) as (home, namespaces):
        _prepare(namespaces, topology)
        syscalls.setns(home, CLONE_NEWNET)
        if "machine" in topology:
            devices.make_machine(run, topology["machine"], {**namespaces, devices.HOME: home})
        syscalls.setns(_workbench(), CLONE_NEWNET)
        with netlink.route_socket() as sock:
            netlink.send_all(sock, (netlink.new_veth(_end(a, namespaces), _end(b, namespaces)) for a, b in topology["links"]))
        for node in topology["nodes"]:
            syscalls.setns(namespaces[node["name"]], CLONE_NEWNET)
            _configure(node)
        if "tunnels" in topology:
            devices.key_tunnels(run, topology["tunnels"], namespaces, only=topology["only"])


@cache
def _workbench() -> int:
    """An empty namespace of this process, in which links are made: the index that a link asks for must be free where the
    message is sent, too (rtnl_newlink), and a machine may have devices of any index."""
    home = os.open(OWN_NETNS, os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.unshare(CLONE_NEWNET)
        return os.open(OWN_NETNS, os.O_RDONLY | os.O_CLOEXEC)
    finally:
        syscalls.setns(home, CLONE_NEWNET)
        os.close(home)


@contextmanager
def _opened(run: RunDir, names: list[str], topology: dict[str, Any]) -> Iterator[tuple[int, dict[str, int]]]:
    """Our own namespace and those of nodes (and of those at the far ends of wires), open; we are in our own again after it."""
    ends = [end[0] for wire in topology.get("machine", {}).get("wires", ()) for end in wire]
    home = os.open(OWN_NETNS, os.O_RDONLY | os.O_CLOEXEC)
    namespaces: dict[str, int] = {}
    try:
        for name in dict.fromkeys([*names, *ends]):
            namespaces[name] = os.open(run.node(name).netns, os.O_RDONLY | os.O_CLOEXEC)
        yield home, namespaces
    finally:
        syscalls.setns(home, CLONE_NEWNET)
        os.close(home)
        for fd in namespaces.values():
            os.close(fd)


def fresh_keys(run: RunDir, tunnels: list[dict[str, Any]]) -> None:
    """New key pairs for all tunnels of a run, and every peer told."""
    with _opened(run, [tunnel["node"] for tunnel in tunnels], {}) as (_, namespaces):
        devices.key_tunnels(run, tunnels, namespaces, fresh=True)


def rejoin(run: RunDir, topology: dict[str, Any], removed: list[tuple[str, str]]) -> None:
    """After a node was made anew: what is left of its links' other ends goes, then the part topology is applied."""
    for node, interface in removed:
        with syscalls.inside_netns(run.node(node).netns), netlink.route_socket() as sock:
            _ignoring(errno.ENODEV, sock, netlink.delete_link(interface))
    apply(run, topology)


def cut(run: RunDir, node: str, interfaces: list[str], machine: dict[str, Any] | None) -> None:
    """Delete a node's links now rather than when the kernel gets round to freeing its namespace."""
    if machine:
        home = os.open(OWN_NETNS, os.O_RDONLY | os.O_CLOEXEC)
        try:
            devices.unplug(run, node, machine, home)
        finally:
            os.close(home)
    with syscalls.inside_netns(run.node(node).netns), netlink.route_socket() as sock:
        for interface in interfaces:
            _ignoring(errno.ENODEV, sock, netlink.delete_link(interface))


def set_link(run: RunDir, node: str, interface: str, up: bool) -> None:
    with syscalls.inside_netns(run.node(node).netns), netlink.route_socket() as sock:
        netlink.send_all(sock, [netlink.set_state(interface, up)])


def _prepare(namespaces: dict[str, int], topology: dict[str, Any]) -> None:
    """Before the first device is there: it is then born quiet."""
    wanted = QUIET_IPV6 if topology["ipv6"] else IPV6_OFF
    for node in topology["nodes"]:
        if node.get("keep_sysctls"):
            continue
        syscalls.setns(namespaces[node["name"]], CLONE_NEWNET)
        with suppress(FileNotFoundError):  # a kernel without IPv6 is as quiet as it gets
            for path, value in wanted.items():
                _write_sysctl(path, value)


def _configure(node: dict[str, Any]) -> None:
    """In the node's namespace. Routes come last: they need their interfaces up."""
    if "devices" in node:
        devices.stack(node)
    messages = [netlink.set_up(netlink.LOOPBACK_IFINDEX)]
    messages += [netlink.set_up(index_of(reference)) for reference in node["up"]]
    messages += [netlink.add_address(index_of(reference), address) for reference, address in node["addresses"]]
    if "impaired" in node:
        messages += devices.netem_messages(node)
    messages += [netlink.add_route(to, via) for to, via in node["routes"]]
    for name, value in node["sysctls"].items():
        _write_sysctl(name.replace(".", "/"), str(value))
    with netlink.route_socket() as sock:
        netlink.send_all(sock, messages)


def _write_sysctl(path: str, value: str) -> None:
    fd = os.open(f"/proc/sys/{path}", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def _end(end: dict[str, Any], namespaces: dict[str, int]) -> VethEnd:
    return VethEnd(namespaces[end["node"]], end["name"], end["ifindex"], end["mac"], end["mtu"])


def _ignoring(number: int, sock: Any, message: bytes) -> None:
    try:
        netlink.send_all(sock, [message])
    except OSError as refused:
        if refused.errno != number:
            raise
