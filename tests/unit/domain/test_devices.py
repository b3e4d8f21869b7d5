"""Devices, switches and impaired links of a lab: resolved the same for everybody, and every mistake found with a way out."""

from typing import Any

import pytest
from pydantic import ValidationError

from netlab.domain.device_needs import device_needs, modules_of
from netlab.domain.lab import Ability, LabSpec
from netlab.domain.resolve import problems, resolve


def spec(nodes: list[dict[str, Any]], **more: Any) -> LabSpec:
    base: dict[str, Any] = {
        "id": "devices", "title": "Devices", "summary": "Devices of all kinds.", "topic": "basics", "minutes": 5,
        "nodes": nodes, "steps": [{"id": "look", "title": "Look around", "text": "steps/01-look.md"}],
    }
    return LabSpec.model_validate({**base, **more})


def with_devices(**devices: dict[str, Any]) -> LabSpec:
    """A node whose dummies d0 and d1 other devices are made of."""
    dummies = [{"name": n, "device": {"kind": "dummy"}} for n in ("d0", "d1")]
    return spec([{"name": "a", "interfaces": [*dummies, *({"name": n, "device": d} for n, d in devices.items())]}])


SWITCH = {
    "name": "sw0", "node": "router", "conduit": "eth0",
    "ports": [{"name": "lan1", "to": "h1:eth0"}, {"name": "lan2", "to": "h2:eth0"}],
}


def test_a_switch_makes_interfaces_in_three_nodes() -> None:
    lab = resolve(spec([{"name": "router"}, {"name": "h1"}, {"name": "h2"}], switches=[SWITCH]))
    router = {i.name: i for i in lab.node("router").interfaces}
    assert {name: i.kind for name, i in router.items()} == {"eth0": "conduit", "lan1": "user_port", "lan2": "user_port"}
    assert router["lan2"].peer == ("h2", "eth0") and router["eth0"].peer is None
    assert (router["eth0"].ifindex, router["lan1"].ifindex, router["lan1"].mac) == (0, 0, "02:4e:4c:00:01:01")
    [plugged] = lab.node("h2").interfaces
    assert (plugged.kind, plugged.peer, plugged.mac) == ("plugged", ("router", "lan2"), "02:4e:4c:00:03:00")
    assert problems(lab.spec) == []


def test_a_device_keeps_its_place_among_the_interfaces() -> None:
    lab = resolve(with_devices(br0={"kind": "bridge", "ports": ["d0", "d1"]}))
    bridge = lab.node("a").interfaces[2]
    assert (bridge.kind, bridge.ifindex, bridge.mac) == ("bridge", 12, "02:4e:4c:00:01:02")
    assert problems(lab.spec) == []


@pytest.mark.parametrize(
    ("lab", "at", "says"),
    [
        (with_devices(v={"kind": "vlan", "parent": "eth9", "id": 5}), (2, "device"), "no interface eth9"),
        (with_devices(b={"kind": "bridge", "ports": ["b"]}), (2, "device"), "made of itself"),
        (
            with_devices(b={"kind": "bridge", "ports": ["d0"]}, c={"kind": "bond", "ports": ["d0"]}),
            (3, "device", "ports"), "d0 is a port of b already",
        ),
        (
            with_devices(b={"kind": "bridge", "ports": ["v"]}, v={"kind": "vlan", "parent": "b", "id": 5}),
            (2, "device"), "made of itself",
        ),
        (
            with_devices(b={"kind": "bridge", "ports": ["d0"], "vlans": [{"interface": "d0", "id": 5}]}),
            (2, "device", "vlans"), "does not look at VLANs",
        ),
        (
            with_devices(b={"kind": "bridge", "vlan_filtering": True, "vlans": [{"interface": "d1", "id": 5}]}),
            (2, "device", "vlans", 0), "d1 is neither a port",
        ),
        (
            with_devices(w={"kind": "wireguard", "peers": [{"node": "a", "interface": "d0", "allowed_ips": ["10.0.0.0/24"]}]}),
            (2, "device", "peers", 0), "no other WireGuard interface",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_device_refers_to_must_be_there(lab: LabSpec, at: tuple[Any, ...], says: str) -> None:
    found = {p.loc: p.what for p in problems(lab)}
    assert says in found["nodes", 0, "interfaces", *at]


def test_an_interface_is_made_once() -> None:
    nodes: list[dict[str, Any]] = [{"name": "router"}, {"name": "h1"}, {"name": "h2"}]
    lab = spec(nodes, switches=[SWITCH], links=[{"ends": ["router:lan1", "h2:eth1"]}])
    [problem] = problems(lab)
    assert problem.loc == ("switches", 0, "ports", 0, "name")
    assert problem.what == "router:lan1 is already an end of another link"
    lab = spec(nodes, switches=[SWITCH, {**SWITCH, "name": "sw1"}])
    assert "router:eth0 is already the conduit of the switch sw0" in [p.what for p in problems(lab)]


def test_a_switch_names_nodes_that_are_there() -> None:
    lab = spec([{"name": "h1"}, {"name": "h2"}], switches=[SWITCH])
    assert [p.loc for p in problems(lab)] == [("switches", 0, "node")]


def test_an_impaired_link_has_no_qdisc_of_its_own() -> None:
    shaped = {"name": "eth0", "qdisc": {"kind": "tbf", "options": ["rate", "1mbit", "burst", 1600, "latency", "50ms"]}}
    lab = spec(
        [{"name": "a", "interfaces": [shaped]}, {"name": "b"}],
        links=[{"ends": ["a:eth0", "b:eth0"], "impairment": {"delay_ms": 5}}],
    )
    assert [p.loc for p in problems(lab)] == [("links", 0, "impairment")]
    qdisc = resolve(lab).node("a").interfaces[0].qdisc
    assert qdisc is not None and qdisc.words() == ["tbf", "rate", "1mbit", "burst", "1600", "latency", "50ms"]
    clsact = spec([{"name": "a", "interfaces": [{"name": "d", "device": {"kind": "dummy"}, "qdisc": {"kind": "clsact"}}]}])
    assert [p.what for p in problems(clsact)] == ["clsact is no root qdisc"]


def test_jitter_needs_a_delay() -> None:
    with pytest.raises(ValidationError, match="jitter_ms is more than delay_ms"):
        spec([{"name": "a"}, {"name": "b"}], links=[{"ends": ["a:eth0", "b:eth0"], "impairment": {"jitter_ms": 5}}])


def test_what_a_lab_needs_of_a_kernel_and_why() -> None:
    nodes: list[dict[str, Any]] = [
        {"name": "router", "interfaces": [
            {"name": "lan1", "qdisc": {"kind": "taprio"}}, {"name": "v5", "device": {"kind": "vlan", "parent": "lan1", "id": 5}},
        ]},
        {"name": "h1"}, {"name": "h2"},
    ]
    lab = spec(nodes, switches=[SWITCH], links=[{"ends": ["h1:x", "h2:x"], "impairment": {"delay_ms": 5}}])
    assert problems(lab) == []
    needs = device_needs(lab)
    assert set(needs) == {Ability.VETH, Ability.NETEM, Ability.VM, Ability.VLAN, Ability.NETDEVSIM, Ability.DSA}
    assert needs[Ability.VM] == "router:lan1 has qdisc taprio"
    assert modules_of(lab) == ["netdevsim", "dsa_core", "tag_dsa", "tag_trailer", "dsa_netlab"]
    assert device_needs(spec([{"name": "a"}])) == {} and modules_of(spec([{"name": "a"}], modules=["pktgen"])) == ["pktgen"]
