"""The lab of bench/scale.py: four nodes, five veth ends each, one step without checks. It writes the folder and knows addresses.

A ring with two wires to each neighbour and a wire across: eth0 and eth1 lead to the next node's eth2 and eth3, eth4 to the node
opposite. Traffic goes through eth0; eth4 is silent, so that a packet there is a mark.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ID = "basics-90-scale"
NODES, ENDS_OF_A_NODE = 4, 5
PORT = 9
"""Discard (RFC 863)."""
MARKED = ("n2", "eth4", "rx_packets")
"""The counter that a mark raises; n0 sends it."""
LAB = """id: {id}
title: Scale
summary: Four nodes and ten wires, many times over.
topic: basics
minutes: 10
nodes:
{nodes}
links:
{links}
steps:
  - {{id: look, title: Look on, text: steps/01-look.md}}
"""
NODE = """  - name: n{at}
    memory_mb: 32
    cpu_percent: 10
    interfaces:
{interfaces}
"""


class Wire(NamedTuple):
    node: int
    interface: str
    address: str
    peer: int
    peer_interface: str
    peer_address: str


def wires() -> Iterator[Wire]:
    for at in range(NODES):
        following = (at + 1) % NODES
        for k in (0, 1):
            yield Wire(at, f"eth{k}", f"10.{at}.{k}.1", following, f"eth{k + 2}", f"10.{at}.{k}.2")
    for at in range(NODES // 2):
        yield Wire(at, "eth4", f"10.{at}.4.1", at + NODES // 2, "eth4", f"10.{at}.4.2")


def next_address(node: int) -> str:
    """Where traffic of a node goes to."""
    return f"10.{node}.0.2"


MARK_ADDRESS = "10.0.4.2"


def write_lab(labs: Path) -> None:
    """Into a folder of labs that the web server may read."""
    folder = labs / ID
    (folder / "steps").mkdir(parents=True)
    (folder / "steps" / "01-look.md").write_text("Look on.\n")
    (folder / "lab.yaml").write_text(_text())


def _text() -> str:
    ends: dict[int, list[str]] = {at: [] for at in range(NODES)}
    links = []
    for wire in wires():
        ends[wire.node].append(f"      - {{name: {wire.interface}, addresses: [{wire.address}/24]}}")
        ends[wire.peer].append(f"      - {{name: {wire.peer_interface}, addresses: [{wire.peer_address}/24]}}")
        links.append(f"  - ends: [n{wire.node}:{wire.interface}, n{wire.peer}:{wire.peer_interface}]")
    nodes = [NODE.format(at=at, interfaces="\n".join(lines)).rstrip() for at, lines in ends.items()]
    return LAB.format(id=ID, nodes="\n".join(nodes), links="\n".join(links))
