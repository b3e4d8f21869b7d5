"""What nodes have beside veth pairs: devices on top of others, simulated cards, switches, tunnels' keys. Ops of the fork server.

Called by `topology`, with plain data made by `nodes.wires`. Cards and switches belong to the whole machine and outlive a
namespace, so their numbers are written into the run's folder before they are made; whoever removes the run reads them there.
"""

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from netlab.host.kernel import netlink, netlink_devices, simulated, syscalls, wireguard
from netlab.host.kernel.netem import Netem, new_netem
from netlab.host.kernel.syscalls import CLONE_NEWNET
from netlab.host.nsworker.places import RunDir

Namespaces = Mapping[str, int]
"""Node -> descriptor of its network namespace; '' is the worker's own."""
HOME = ""


def index_of(reference: int | str) -> int:
    """An interface is told by its index, or by its name when the kernel chose the index."""
    return reference if isinstance(reference, int) else socket.if_nametoindex(reference)


# devices on top of others, in the node's namespace -------------------------------------------------------------------------


def stack(node: dict[str, Any]) -> None:
    """Bridges, VLANs, tunnels, ...: made in the order in which they come, then their ports join."""
    lenient = node.get("keep_sysctls", False)  # a neighbour, whose attendee may have taken away what should be joined again
    with netlink.route_socket() as sock:
        for device in node["devices"]:
            _send(sock, lenient, lambda d=device: [netlink_devices.new_device(d, index_of(d["made_of"]) if d["made_of"] else 0)])
        for port, master in node["ports"]:
            _send(sock, lenient, lambda p=port, m=master: [netlink_devices.enslave(index_of(p), index_of(m))])
        for vlans in node["vlans"]:
            _send(sock, lenient, lambda v=vlans: _vlan_messages(v))


def _send(sock: socket.socket, lenient: bool, messages: Any) -> None:
    try:
        netlink.send_all(sock, messages())
    except OSError:
        if not lenient:
            raise


def _vlan_messages(of: dict[str, Any]) -> list[bytes]:
    """These VLANs in place of the one that the bridge gave it."""
    index, itself = index_of(of["interface"]), of["itself"]
    messages = [netlink_devices.bridge_vlan(index, 1, add=False, itself=itself)]
    for vlan in of["vlans"]:
        messages.append(netlink_devices.bridge_vlan(
            index, vlan["id"], add=True, pvid=vlan["pvid"], untagged=vlan["untagged"], itself=itself,
        ))
    return messages


def netem_messages(node: dict[str, Any]) -> list[bytes]:
    return [new_netem(index_of(reference), Netem(**impairment)) for reference, impairment in node["impaired"]]


# the machine's own: cards and switches ----------------------------------------------------------------------------------------


class Machine:
    """Numbers of a run's cards and switches, on disk before they are used."""

    def __init__(self, run: RunDir) -> None:
        self._path = run.path / "machine.json"
        self.cards: dict[str, int] = {}
        self.switches: dict[str, int] = {}
        with suppress(FileNotFoundError):
            said = json.loads(self._path.read_text())
            self.cards, self.switches = said["cards"], said["switches"]

    def number(self, cards: list[str], switches: list[str]) -> None:
        """Those that have a number keep it, also over a reset."""
        new = [card for card in cards if card not in self.cards]
        first = simulated.free_netdevsims(len(new)) if new else 0
        self.cards |= {card: first + position for position, card in enumerate(new)}
        for switch in switches:
            if switch not in self.switches:
                self.switches[switch] = simulated.free_switch(set(self.switches.values()))
        new_file = self._path.with_suffix(".new")
        new_file.write_text(json.dumps({"cards": self.cards, "switches": self.switches}))
        new_file.replace(self._path)


def make_machine(run: RunDir, machine: dict[str, Any], namespaces: Namespaces) -> None:
    """Cards, their wires, switches, and what is plugged into switches. Leaves the caller in any of the namespaces."""
    record = Machine(run)
    switches = [s["name"] for s in machine["switches"]]
    cards = [_key(c) for c in machine["cards"]]
    record.number([*cards, *map(_wire_key, switches)], switches)
    for card in machine["cards"]:
        _make_card(record.cards[_key(card)], card, namespaces)
    for a, b in machine["wires"]:
        simulated.link_netdevsims(_place(a, namespaces), _place(b, namespaces))
    for switch in machine["switches"]:
        _make_switch(record, switch, namespaces)
    for plug in machine["plugs"]:
        _plug_in(record, plug, namespaces)


def _key(card: Mapping[str, Any]) -> str:
    return f"{card['node']}:{card['name']}"


def _wire_key(switch: str) -> str:
    """No node is called so."""
    return f".wire:{switch}"


def _make_card(number: int, card: dict[str, Any], namespaces: Namespaces) -> int:
    """A card is born in the namespace one is in, under a name of the kernel's."""
    syscalls.setns(namespaces[card["node"]], CLONE_NEWNET)
    before = {index for index, _ in socket.if_nameindex()}
    simulated.delete_netdevsim(number)  # of the node that was reset
    simulated.new_netdevsim(number, card["queues"])
    [index] = [index for index, _ in socket.if_nameindex() if index not in before]
    with netlink.route_socket() as sock:
        netlink.send_all(sock, [netlink_devices.set_device(index, card["name"], card["mac"], card["mtu"])])
    return index


def _place(end: list[str], namespaces: Namespaces) -> tuple[int, int]:
    node, name = end
    syscalls.setns(namespaces[node], CLONE_NEWNET)
    return namespaces[node], socket.if_nametoindex(name)


def _make_switch(record: Machine, switch: dict[str, Any], namespaces: Namespaces) -> None:
    """Its conduit is there. The wire's other end stays in the worker's namespace, where no attendee looks."""
    number, wire_card = record.switches[switch["name"]], record.cards[_wire_key(switch["name"])]
    simulated.delete_switch(number)
    wire = f"nlwire{number}"
    _make_card(wire_card, {"node": HOME, "name": wire, "mac": "", "mtu": None, "queues": 1}, namespaces)
    with suppress(FileNotFoundError):  # nothing of ours is to be heard on the wire
        Path(f"/proc/sys/net/ipv6/conf/{wire}/disable_ipv6").write_text("1")
    conduit = [switch["node"], switch["conduit"]]
    simulated.link_netdevsims(_place(conduit, namespaces), _place([HOME, wire], namespaces))
    syscalls.setns(namespaces[HOME], CLONE_NEWNET)
    prefix, ports = f"nl{number}p", switch["ports"]
    simulated.new_switch(
        number, (namespaces[switch["node"]], switch["conduit"]), wire, len(ports), switch["tagger"], prefix,
    )
    syscalls.setns(namespaces[switch["node"]], CLONE_NEWNET)
    with netlink.route_socket() as sock:
        for position, port in enumerate(ports, start=1):
            index = socket.if_nametoindex(f"{prefix}{position}")
            netlink.send_all(sock, [netlink_devices.set_device(index, port["name"], port["mac"], port["mtu"])])


def _plug_in(record: Machine, plug: dict[str, Any], namespaces: Namespaces) -> None:
    syscalls.setns(namespaces[HOME], CLONE_NEWNET)
    index = socket.if_nametoindex(simulated.outer_side(record.switches[plug["switch"]], plug["port"]))
    move = netlink_devices.set_device(
        index, plug["name"], plug["mac"], plug["mtu"], namespaces[plug["node"]], plug["ifindex"]
    )
    with netlink.route_socket() as sock:
        netlink.send_all(sock, [move])


def unplug(run: RunDir, node: str, machine: dict[str, Any], home_fd: int) -> None:
    """Before a node is made anew: what of the machine is in it goes; cables of switches elsewhere are pulled out of it."""
    record = Machine(run)
    for switch in machine["switches"]:
        if switch["name"] in record.switches:
            simulated.delete_switch(record.switches[switch["name"]])
            simulated.delete_netdevsim(record.cards[_wire_key(switch["name"])])
    for card in machine["cards"]:
        if _key(card) in record.cards:
            simulated.delete_netdevsim(record.cards[_key(card)])
    here = [plug for plug in machine["plugs"] if plug["node"] == node]
    if not here:
        return
    with syscalls.inside_netns(run.node(node).netns), netlink.route_socket() as sock:
        for plug in here:
            name = simulated.outer_side(record.switches.get(plug["switch"], 0), plug["port"])
            with suppress(OSError):  # gone with its switch
                netlink.send_all(sock, [netlink_devices.set_device(plug["ifindex"], name, "", None, home_fd)])


def remove_machine(run: RunDir) -> None:
    """All cards and switches of a run; before its namespaces, which would hand them on to the worker's."""
    record = Machine(run)
    for switch in record.switches.values():
        simulated.delete_switch(switch)
    for card in record.cards.values():
        simulated.delete_netdevsim(card)


# tunnels ----------------------------------------------------------------------------------------------------------------------


def key_tunnels(
    run: RunDir, tunnels: list[dict[str, Any]], namespaces: Namespaces, *, only: str = "", fresh: bool = False
) -> None:
    """Keys and peers of the WireGuard interfaces of all nodes, or of one that was made anew (it gets its old keys again).

    Keys are kept in the run's folder, where only the host's root reads. `fresh`: new ones for everybody.
    """
    path = run.path / "keys.json"
    keys: dict[str, dict[str, str]] = {}
    if not fresh:
        with suppress(FileNotFoundError):
            keys = json.loads(path.read_text())
    mine = [t for t in tunnels if not only or t["node"] == only]
    for tunnel in mine:
        private = keys.get(_key(tunnel), {}).get("private") or wireguard.new_private_key().hex()
        syscalls.setns(namespaces[tunnel["node"]], CLONE_NEWNET)
        sock, family = wireguard.open_socket()
        with sock:
            public = wireguard.set_key(sock, family, tunnel["name"], bytes.fromhex(private), tunnel["listen_port"])
        keys[_key(tunnel)] = {"private": private, "public": public.hex()}
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        json.dump(keys, file)
    for tunnel in mine:
        syscalls.setns(namespaces[tunnel["node"]], CLONE_NEWNET)
        sock, family = wireguard.open_socket()
        with sock:
            peers = [{**peer, "public_key": bytes.fromhex(keys[_key(peer)]["public"])} for peer in tunnel["peers"]]
            wireguard.set_peers(sock, family, tunnel["name"], peers)
