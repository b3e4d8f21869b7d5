"""Devices and qdiscs of nodes, by what every kernel here has: made as the lab says, back after a reset, gone with the run."""

import errno
import json
from typing import Any

import pytest

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.resolve import ResolvedLab
from netlab.host.kernel.netem import Netem
from netlab.host.nodes.api import RunNodes
from netlab.host.steps import SilentSink, Steps
from tests.kernel.kit import Host, lab

pytestmark = pytest.mark.kernel

SHAPED = {"kind": "tbf", "options": ["rate", "8mbit", "burst", 3200, "latency", "50ms"]}


def bridged() -> ResolvedLab:
    """h1 - switch - h2: h1 has a macvlan, the bridge an address, h2 a tunnel to h1 and a shaped interface."""
    return lab(
        nodes=[
            {"name": "h1", "interfaces": [
                {"name": "eth0", "addresses": ["10.0.0.1/24"]},
                {"name": "mv0", "device": {"kind": "macvlan", "parent": "eth0"}, "addresses": ["10.0.0.11/24"]},
                {"name": "vx0", "device": {"kind": "vxlan", "id": 7, "remote": "10.0.0.2"}, "addresses": ["10.7.0.1/24"]},
            ]},
            {"name": "switch", "interfaces": [
                {"name": "br0", "device": {"kind": "bridge", "ports": ["p1", "p2"]}, "addresses": ["10.0.0.254/24"]},
            ]},
            {"name": "h2", "interfaces": [
                {"name": "eth0", "addresses": ["10.0.0.2/24"], "qdisc": SHAPED},
                {"name": "vx0", "device": {"kind": "vxlan", "id": 7, "remote": "10.0.0.1"}, "mtu": 1300,
                 "addresses": ["10.7.0.2/24"]},
                {"name": "ifb0", "device": {"kind": "ifb"}, "up": False},
            ]},
        ],
        links=[{"ends": ["h1:eth0", "switch:p1"]}, {"ends": ["h2:eth0", "switch:p2"]}],
    )


async def ask(on: Host, made: RunNodes, node: str, *argv: str) -> Any:
    done = await on.nodes.execute(made, node, list(argv), cwd="/")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout or b"[]")


async def reaches(on: Host, made: RunNodes, node: str, address: str) -> bool:
    """Asked again each second: a bridge takes a port when the kernel has noticed that its link is up."""
    done = await on.nodes.execute(made, node, ["ping", "-c1", "-w20", address], cwd="/", timeout_s=30)
    return done.exit_code == 0


async def check_all(on: Host, made: RunNodes) -> None:
    """As the lab says."""
    links = {link["ifname"]: link for link in await ask(on, made, "switch", "ip", "-d", "-j", "link")}
    assert links["p1"]["master"] == links["p2"]["master"] == "br0"
    wanted = made.lab.node("switch").interface("br0")
    assert (links["br0"]["ifindex"], links["br0"]["address"]) == (wanted.ifindex, wanted.mac)
    links = {link["ifname"]: link for link in await ask(on, made, "h2", "ip", "-d", "-j", "link")}
    assert links["vx0"]["linkinfo"]["info_data"]["port"] == 4789 and links["vx0"]["mtu"] == 1300
    assert "UP" not in links["ifb0"]["flags"] and links["ifb0"]["linkinfo"]["info_kind"] == "ifb"
    links = {link["ifname"]: link for link in await ask(on, made, "h1", "ip", "-d", "-j", "link")}
    assert links["mv0"]["linkinfo"]["info_data"]["mode"] == "bridge" and links["mv0"]["link"] == "eth0"
    [root] = [q for q in await ask(on, made, "h2", "tc", "-j", "qdisc", "show", "dev", "eth0") if q.get("root")]
    assert root["kind"] == "tbf"
    for address in ("10.0.0.2", "10.0.0.254", "10.7.0.2"):
        assert await reaches(on, made, "h1", address), address
    assert await reaches(on, made, "h2", "10.0.0.11")


async def test_devices_are_as_the_lab_says(both: Host) -> None:
    await check_all(both, await both.build(bridged()))


@pytest.mark.parametrize("node", ["h1", "switch", "h2"])
async def test_a_reset_brings_devices_back_on_both_sides(both: Host, node: str) -> None:
    made = await both.build(bridged())
    for broken in (["link", "del", "br0"],) if node == "switch" else (["link", "del", "vx0"],):
        await both.nodes.execute(made, node, ["ip", *broken], cwd="/")
    async with Steps(SilentSink()) as steps:
        await both.nodes.reset_node(made, node, steps)
        steps.keep()
    await check_all(both, made)


async def test_a_neighbour_without_its_bridge_does_not_stop_a_reset(both: Host) -> None:
    made = await both.build(bridged())
    await both.nodes.execute(made, "switch", ["ip", "link", "del", "br0"], cwd="/")
    async with Steps(SilentSink()) as steps:
        await both.nodes.reset_node(made, "h1", steps)
        steps.keep()
    names = {link["ifname"] for link in await ask(both, made, "switch", "ip", "-j", "link")}
    assert {"p1", "p2"} <= names and "br0" not in names


async def test_a_qdisc_that_tc_refuses_is_the_authors_mistake(both: Host) -> None:
    wrong = lab(nodes=[
        {"name": "client", "interfaces": [{"name": "eth0", "qdisc": {"kind": "tbf", "options": ["rate", "fast"]}}]},
        {"name": "server"},
    ])
    with pytest.raises(NetlabError) as told:
        await both.build(wrong)
    assert told.value.code is ErrorCode.START_FAILED and "tc refused a qdisc of client" in told.value.message
    assert await both.nodes.owned_runs() == set()


async def test_a_device_that_the_kernel_lacks_leaves_nothing(both: Host) -> None:
    """Placement says so before; here is what happens when it was wrong."""
    unknown = lab(nodes=[
        {"name": "client", "interfaces": [{"name": "v5", "device": {"kind": "vlan", "parent": "eth0", "id": 5}}]},
        {"name": "server"},
    ])
    try:
        await both.build(unknown)
    except OSError as refused:
        assert refused.errno == errno.EOPNOTSUPP
        assert await both.nodes.owned_runs() == set()


async def test_a_link_that_cannot_be_impaired_says_why(both: Host) -> None:
    made = await both.build(bridged())
    with pytest.raises(NetlabError) as told:
        await both.nodes.impair(made, "h2", "eth0", Netem(delay_ms=5))
    assert told.value.code is ErrorCode.CANNOT_IMPAIR and "the qdisc tbf is there" in told.value.message
    assert "tc qdisc del dev eth0 root" in told.value.hint
    with pytest.raises(NetlabError) as told:
        await both.nodes.impair(made, "h1", "eth7", Netem(delay_ms=5))
    assert "it is not there" in told.value.message
    await both.nodes.impair(made, "h1", "eth0", Netem())  # nothing is there, nothing is wanted


async def test_a_kernel_without_netem_says_so_and_one_with_it_impairs(both: Host) -> None:
    made = await both.build(bridged())
    try:
        await both.nodes.impair(made, "h1", "eth0", Netem(delay_ms=5, rate_kbit=1000))
    except NetlabError as refused:
        assert refused.code is ErrorCode.CANNOT_IMPAIR and "no netem" in refused.message
        probed = await both.nodes.execute(made, "h1", ["tc", "qdisc", "add", "dev", "eth0", "root", "netem"], cwd="/")
        assert probed.exit_code != 0
        return
    [root] = [q for q in await ask(both, made, "h1", "tc", "-j", "qdisc", "show", "dev", "eth0") if q.get("root")]
    assert (root["kind"], root["handle"]) == ("netem", "4e4c:")
