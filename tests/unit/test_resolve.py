"""Resolving a lab: the same names, indexes and MAC addresses for everybody, and every bad reference found."""

import itertools
from typing import Any

import pytest
from pydantic import ValidationError

from netlab.domain.lab import LabSpec
from netlab.domain.resolve import FIRST_IFINDEX, problems, resolve


def _node(name: str, address: str) -> dict[str, Any]:
    return {"name": name, "interfaces": [{"name": "eth0", "addresses": [address]}]}


def spec(**changes: Any) -> LabSpec:
    base: dict[str, Any] = {
        "id": "two-nodes", "title": "Two nodes", "summary": "Two nodes and a wire.", "topic": "basics", "minutes": 5,
        "nodes": [
            _node("client", "10.0.0.1/24"),
            _node("server", "10.0.0.2/24"),
        ],
        "links": [{"ends": ["client:eth0", "server:eth0"]}],
        "steps": [{"id": "look", "title": "Look around", "text": "steps/01-look.md"}],
    }
    return LabSpec.model_validate({**base, **changes})


def test_two_nodes_and_a_wire() -> None:
    lab = resolve(spec())
    client, server = lab.node("client").interfaces[0], lab.node("server").interfaces[0]
    assert (client.ifindex, client.mac, client.peer) == (FIRST_IFINDEX, "02:4e:4c:00:01:00", ("server", "eth0"))
    assert (server.ifindex, server.mac, server.peer) == (FIRST_IFINDEX, "02:4e:4c:00:02:00", ("client", "eth0"))
    assert lab.links == ((client, server),)
    assert problems(lab.spec) == []
    assert resolve(spec()) == lab


def test_an_interface_that_only_a_link_names_exists() -> None:
    lab = resolve(spec(nodes=[{"name": "client"}, {"name": "server"}]))
    assert [i.name for i in lab.node("client").interfaces] == ["eth0"]


def test_macs_and_indexes_differ_within_a_lab() -> None:
    names = [f"n{i}" for i in range(32)]
    lab = resolve(spec(
        nodes=[{"name": n} for n in names],
        links=[{"ends": [f"{a}:right", f"{b}:left"]} for a, b in itertools.pairwise(names)],
    ))
    macs = [i.mac for n in lab.nodes for i in n.interfaces]
    assert len(set(macs)) == len(macs) == 62
    assert all(len({i.ifindex for i in n.interfaces}) == len(n.interfaces) for n in lab.nodes)


@pytest.mark.parametrize(
    ("changes", "at", "says"),
    [
        ({"links": [{"ends": ["client:eth0", "sever:eth0"]}]}, ("links", 0, "ends", 1), "no node named sever"),
        (
            {"links": [{"ends": ["client:eth0", "server:eth0"]}, {"ends": ["client:eth0", "server:eth1"]}]},
            ("links", 1, "ends", 0), "another link",
        ),
        ({"terminals": [{"node": "nobody"}]}, ("terminals", 0, "node"), "nobody"),
        ({"nodes": [{"name": "client"}, {"name": "client"}], "links": []}, ("nodes", 1), "2 times"),
        (
            {"nodes": [_node("client", "fd00::1/64"), {"name": "server"}]},
            ("nodes", 0, "interfaces", 0, "addresses", 0), "IPv6 off",
        ),
        (
            {"nodes": [_node("client", "10.0.0.1/24"), _node("server", "10.0.0.1/24")]},
            ("nodes", 1, "interfaces", 0, "addresses", 0), "also on client:eth0",
        ),
        (
            {"programs": [
                {"name": "xdp", "source": "xdp.c", "function": "f", "attach": {"node": "server", "interface": "eth7"}},
            ]},
            ("programs", 0, "attach"), "server:eth7",
        ),
    ],
)
def test_what_the_types_alone_cannot_say(changes: dict[str, Any], at: tuple[str | int, ...], says: str) -> None:
    found = problems(spec(**changes))
    assert at in [p.loc for p in found]
    assert says in next(p for p in found if p.loc == at).what


def test_an_unknown_key_is_an_error() -> None:
    with pytest.raises(ValidationError):
        spec(nods=[])


def test_a_mac_like_string_stays_a_string_in_an_end() -> None:
    with pytest.raises(ValidationError, match="node:interface"):
        spec(links=[{"ends": ["client", "server:eth0"]}])
