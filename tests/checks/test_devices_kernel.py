"""Probes of devices, where every kernel has them: bridges, forwarding entries, qdiscs, statistics; red ones of all.

What only a guest's kernel has turns green in tests/guest/devices_inside.py.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pydantic import TypeAdapter

from netlab.domain.lab import CheckSpec
from netlab.domain.probes import Probe
from netlab.host.checks.evaluate import evaluate
from netlab.wire.events import CheckVerdict
from tests.checks.test_checks_kernel import context
from tests.two_nodes import TwoNodes

pytestmark = [pytest.mark.kernel, pytest.mark.asyncio(loop_scope="module")]

MAC = "02:00:00:00:00:99"
SETUP = f"""
ip link add br0 type bridge && ip link set eth0 master br0 && ip link set br0 up
bridge fdb add {MAC} dev eth0 master static
tc qdisc add dev eth0 root tbf rate 8mbit burst 3200 latency 50ms
"""
CLIENT, ETH0 = {"node": "client"}, {"node": "client", "interface": "eth0"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bridged(lab: TwoNodes) -> AsyncIterator[TwoNodes]:
    done = await lab.sh("client", SETUP)
    assert done.exit_code == 0, done.stderr
    yield lab


async def look(lab: TwoNodes, probe: dict[str, Any]) -> CheckVerdict:
    return await evaluate(CheckSpec(id="it", title="It is so", probe=TypeAdapter(Probe).validate_python(probe)), context(lab))


CASES: list[tuple[dict[str, Any], bool, str, str]] = [
    (
        {"kind": "interface", **ETH0, "master": "br0"}, True,
        "an interface eth0 that is a port of br0", "an interface eth0 that is a port of br0",
    ),
    (
        {"kind": "interface", **CLIENT, "interface": "br0", "master": "br1"}, False,
        "an interface br0 that is no port of any", "an interface br0 that is a port of br1",
    ),
    ({"kind": "fdb", **ETH0, "mac": MAC}, True, f"{MAC} behind eth0 in software alone", f"{MAC} behind eth0"),
    (
        {"kind": "fdb", **ETH0, "mac": MAC, "offloaded": True}, False,
        f"{MAC} behind eth0 in software alone", f"{MAC} behind eth0 in hardware",
    ),
    (
        {"kind": "fdb", **ETH0, "mac": MAC, "vlan": 7}, False,
        f"no {MAC} behind eth0 in VLAN 7", f"{MAC} behind eth0 in VLAN 7",
    ),
    (
        {"kind": "fdb", **ETH0, "mac": MAC, "present": False}, False,
        f"{MAC} behind eth0 in software alone", f"no {MAC} behind eth0",
    ),
    ({"kind": "fdb", **CLIENT, "interface": "eth7", "mac": MAC}, False, "no interface eth7", f"{MAC} behind eth7"),
    (
        {"kind": "qdisc", **ETH0, "type": "tbf", "shows": "rate 8Mbit"}, True,
        "qdisc tbf on eth0: rate 8Mbit burst 3200b lat 50ms",
        "a qdisc tbf on eth0 that shows 'rate 8Mbit'",
    ),
    (
        {"kind": "qdisc", **ETH0, "type": "tbf", "shows": "rate 9Mbit"}, False,
        "qdisc tbf on eth0: rate 8Mbit burst 3200b lat 50ms",
        "a qdisc tbf on eth0 that shows 'rate 9Mbit'",
    ),
    (
        {"kind": "qdisc", **ETH0, "type": "htb", "shows": "rate 9Mbit"}, False,
        "qdisc tbf on eth0", "a qdisc htb on eth0 that shows 'rate 9Mbit'",
    ),
    ({"kind": "filter", **ETH0}, False, "no filter on eth0 ingress", "a filter on eth0 ingress"),
    (
        {"kind": "filter", **ETH0, "classifier": "flower", "action": "drop", "in_hw": True, "packets": {"at_least": 3}}, False,
        "no filter on eth0 ingress", "a flower filter with action drop in hardware with at least 3 hits on eth0 ingress",
    ),
    (
        {"kind": "filter", **ETH0, "direction": "egress", "present": False}, True,
        "no filter on eth0 egress", "no filter on eth0 egress",
    ),
    ({"kind": "tagger", **ETH0, "tagger": "dsa"}, False, "no conduit eth0", "the tagger dsa on eth0"),
    ({"kind": "wireguard_peer", **ETH0}, False, "no WireGuard interface eth0", "a peer of eth0"),
    (
        {"kind": "wireguard_peer", **ETH0, "allows": "10.7.0.0/24", "handshake_within_s": 9, "rx_bytes": {"at_least": 1}}, False,
        "no WireGuard interface eth0",
        "a peer of eth0 that may be 10.7.0.0/24 with a handshake in the last 9 s with at least 1 bytes received",
    ),
    (
        {"kind": "stat", **ETH0, "name": "peer_ifindex", "total": {"equals": 10}}, True,
        "10 in peer_ifindex of client:eth0", "exactly 10 in peer_ifindex of client:eth0",
    ),
    (
        {"kind": "stat", **ETH0, "name": "peer_ifindex", "per_second": {"at_least": 1}}, False,
        "0 per second in peer_ifindex of client:eth0", "at least 1 per second in peer_ifindex of client:eth0",
    ),
    (
        {"kind": "stat", **ETH0, "name": "nothing", "total": {"at_least": 0}}, False,
        "no statistic nothing of client:eth0", "at least 0 in nothing of client:eth0",
    ),
    (
        {"kind": "bridge_vlan", **CLIENT, "interface": "eth7", "id": 5, "pvid": True, "untagged": False}, False,
        "no interface eth7", "VLAN 5 on eth7, as PVID, tagged",
    ),
    (
        {"kind": "bridge_vlan", **ETH0, "id": 5, "present": False}, True,
        "no VLAN 5 on eth0 (VLANs: none)", "no VLAN 5 on eth0",
    ),
]


@pytest.mark.parametrize(
    ("probe", "passed", "observed", "expected"), CASES, ids=[f"{c[0]['kind']}-{n}" for n, c in enumerate(CASES)]
)
async def test_a_probe_looks_and_says(
    bridged: TwoNodes, probe: dict[str, Any], passed: bool, observed: str, expected: str
) -> None:
    verdict = await look(bridged, probe)
    assert (verdict.observed, verdict.expected, verdict.passed) == (observed, expected, passed)
