"""Every kind of probe against real nodes: green and red, with the words that a person reads."""

from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from netlab.domain.lab import CheckSpec
from netlab.domain.probes import Probe
from netlab.host.checks.context import CheckContext
from netlab.host.checks.evaluate import PROBES, evaluate
from netlab.host.counters.api import Reading
from netlab.wire.events import CheckVerdict
from tests.two_nodes import HEADER, LICENSE, TwoNodes

pytestmark = [pytest.mark.kernel, pytest.mark.asyncio(loop_scope="module")]
COUNTING = (
    HEADER
    + """
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} packets SEC(".maps");

SEC("xdp") int prog(struct xdp_md *ctx)
{
	__u32 key = 2;
	__u64 *count = bpf_map_lookup_elem(&packets, &key);

	if (count)
		*count += 1;
	return XDP_PASS;
}
"""
    + LICENSE
)


def context(lab: TwoNodes, **more: Any) -> CheckContext:
    known: dict[str, Any] = {"outcomes": {}, "reading": lambda *_: None, "read_file": lambda _: None}
    return CheckContext(nodes=lab.nodes, run_nodes=lab.run_nodes, **{**known, **more})


OF_DEVICES = {"bridge_vlan", "fdb", "filter", "wireguard_peer", "tagger", "stat"}
"""Those are seen in test_devices_kernel.py, and green in a guest."""
SEEN: dict[str, set[bool]] = {}
"""The verdicts that this file's tests have seen, by the probe's kind."""


async def look(lab: TwoNodes, probe: dict[str, Any], **more: Any) -> CheckVerdict:
    check = CheckSpec(id="it", title="It is so", probe=TypeAdapter(Probe).validate_python(probe))
    verdict = await evaluate(check, context(lab, **more))
    SEEN.setdefault(probe["kind"], set()).add(verdict.passed)
    return verdict


ETH0 = {"node": "client", "interface": "eth0"}
CASES: list[tuple[dict[str, Any], bool, str, str]] = [
    (
        {"kind": "interface", **ETH0, "state": "up", "mtu": 1500, "type": "veth"},
        True,
        "an interface eth0 that is up, MTU 1500, of type veth",
        "an interface eth0 that is up, MTU 1500, of type veth",
    ),
    ({"kind": "interface", **ETH0, "state": "down"}, False, "an interface eth0 that is up", "an interface eth0 that is down"),
    ({"kind": "interface", "node": "client", "interface": "br0"}, False, "no interface br0", "an interface br0"),
    ({"kind": "interface", "node": "client", "interface": "br0", "exists": False}, True, "no interface br0", "no interface br0"),
    ({"kind": "interface", **ETH0, "exists": False}, False, "an interface eth0", "no interface eth0"),
    ({"kind": "address", **ETH0, "address": "10.0.0.1/24"}, True, "10.0.0.1/24 on eth0", "10.0.0.1/24 on eth0"),
    ({"kind": "address", **ETH0, "address": "10.0.0.1/16"}, False, "10.0.0.1/24 on eth0", "10.0.0.1/16 on eth0"),
    (
        {"kind": "address", **ETH0, "address": "10.9.0.1/24", "present": False},
        True,
        "10.0.0.1/24 on eth0",
        "no 10.9.0.1/24 on eth0",
    ),
    (
        {"kind": "route", "node": "client", "to": "10.0.0.0/24", "interface": "eth0"},
        True,
        "a route to 10.0.0.0/24 on eth0",
        "a route to 10.0.0.0/24 on eth0",
    ),
    (
        {"kind": "route", "node": "client", "to": "default", "via": "10.0.0.2"},
        False,
        "no route to default",
        "a route to default via 10.0.0.2",
    ),
    ({"kind": "qdisc", **ETH0, "type": "noqueue"}, True, "qdisc noqueue on eth0", "a qdisc noqueue on eth0"),
    ({"kind": "qdisc", **ETH0, "type": "htb"}, False, "qdisc noqueue on eth0", "a qdisc htb on eth0"),
    ({"kind": "xdp", **ETH0}, False, "no XDP program on eth0", "an XDP program on eth0"),
    (
        {"kind": "tc", **ETH0, "direction": "ingress", "attached": False},
        True,
        "no BPF classifier on eth0 ingress",
        "no BPF classifier on eth0 ingress",
    ),
    (
        {"kind": "map", "node": "client", "map": "none", "value": {"at_least": 1}},
        False,
        "no map none of a program in client",
        "a sum of at least 1 in none",
    ),
    (
        {"kind": "ping", "node": "client", "to": "10.0.0.2"},
        True,
        "3 answers to 3 pings of 10.0.0.2",
        "an answer to ping from 10.0.0.2",
    ),
    (
        {"kind": "ping", "node": "client", "to": "10.0.0.77"},
        False,
        "no answer to 3 pings of 10.0.0.77",
        "an answer to ping from 10.0.0.77",
    ),
    (
        {"kind": "ping", "node": "client", "to": "10.7.7.7", "answered": False},
        True,
        "ping: connect: Network is unreachable",
        "no answer to ping from 10.7.7.7",
    ),
    (
        {"kind": "tcp", "node": "client", "to": "10.0.0.2", "port": 99},
        False,
        "a refusal by TCP port 99 of 10.0.0.2",
        "an open TCP port 99 of 10.0.0.2",
    ),
    (
        {"kind": "tcp", "node": "client", "to": "10.0.0.77", "port": 99, "expect": "no answer"},
        True,
        "no answer from TCP port 99 of 10.0.0.77",
        "no answer from TCP port 99 of 10.0.0.77",
    ),
    (
        {"kind": "udp", "node": "client", "to": "10.0.0.2", "port": 99, "expect": "refused"},
        True,
        "a refusal by UDP port 99 of 10.0.0.2",
        "a refusal by UDP port 99 of 10.0.0.2",
    ),
    (
        {"kind": "udp", "node": "client", "to": "10.0.0.2", "port": 99},
        False,
        "a refusal by UDP port 99 of 10.0.0.2",
        "an answer from UDP port 99 of 10.0.0.2",
    ),
    (
        {"kind": "command", "node": "client", "run": ["hostname"], "prints": "client"},
        True,
        "exit code 0 of 'hostname', printing 'client'",
        "exit code 0 of 'hostname', printing 'client'",
    ),
    (
        {"kind": "command", "node": "client", "run": ["sh", "-c", "echo no >&2; exit 3"]},
        False,
        "exit code 3 of 'sh -c 'echo no >&2; exit 3'': no",
        "exit code 0 of 'sh -c 'echo no >&2; exit 3''",
    ),
    (
        {"kind": "command", "node": "client", "run": ["sleep", "9"], "timeout_s": 0.3},
        False,
        "no end of 'sleep 9' within 0.3 s",
        "exit code 0 of 'sleep 9'",
    ),
    (
        {"kind": "command", "node": "client", "run": ["hostname"], "lacks": "client"},
        False,
        "an output with 'client'",
        "exit code 0 of 'hostname', not printing 'client'",
    ),
    ({"kind": "file", "path": "xdp.c"}, False, "no file xdp.c", "a file xdp.c"),
]


@pytest.mark.parametrize(
    ("probe", "passed", "observed", "expected"), CASES, ids=[f"{c[0]['kind']}-{n}" for n, c in enumerate(CASES)]
)
async def test_a_probe_looks_and_says(lab: TwoNodes, probe: dict[str, Any], passed: bool, observed: str, expected: str) -> None:
    verdict = await look(lab, probe)
    assert (verdict.observed, verdict.expected, verdict.passed) == (observed, expected, passed)


async def test_a_neighbour(lab: TwoNodes) -> None:
    await lab.sh("client", "ping -c1 -W1 10.0.0.2; ip neigh flush dev eth0")
    probe = {"kind": "neighbour", "node": "client", "address": "10.0.0.2"}
    assert not (await look(lab, probe)).passed
    await lab.sh("client", "ip neigh replace 10.0.0.2 dev eth0 lladdr 02:00:00:00:00:01 nud permanent")
    verdict = await look(lab, {**probe, "state": "permanent"})
    assert verdict.passed and verdict.observed == "a neighbour 10.0.0.2 that is permanent"
    await lab.sh("client", "ip neigh del 10.0.0.2 dev eth0")


async def test_open_ports(lab: TwoNodes) -> None:
    await lab.nodes.execute(lab.run_nodes, "server", ["socat", "TCP-LISTEN:5000,fork,reuseaddr", "PIPE"], background=True)
    await lab.nodes.execute(lab.run_nodes, "server", ["socat", "UDP-LISTEN:5000,fork", "PIPE"], background=True)
    await lab.sh("server", "for i in $(seq 50); do ss -lntu | grep -c :5000 | grep -q 2 && break; sleep .1; done")
    assert (await look(lab, {"kind": "tcp", "node": "client", "to": "10.0.0.2", "port": 5000})).passed
    assert (await look(lab, {"kind": "udp", "node": "client", "to": "10.0.0.2", "port": 5000})).passed
    assert not (await look(lab, {"kind": "tcp", "node": "client", "to": "10.0.0.2", "port": 5000, "expect": "refused"})).passed


async def test_a_classifier(lab: TwoNodes) -> None:
    source = HEADER + 'SEC("tc") int cls(struct __sk_buff *skb) { return 0; }\n' + LICENSE
    built = await lab.programs.build(lab.run_nodes, lab.program("tc"), {"tc.c": source}, load=True, mode=None)
    assert built.outcome == "attached"
    probe = {"kind": "tc", "node": "server", "interface": "eth0", "direction": "egress"}
    verdict = await look(lab, {**probe, "program": "cls"})
    assert verdict.passed and verdict.observed == "a BPF classifier cls on eth0 egress"
    assert not (await look(lab, {**probe, "program": "other"})).passed
    assert not (await look(lab, {**probe, "attached": False})).passed
    assert not (await look(lab, {**probe, "direction": "ingress"})).passed
    await lab.programs.detach(lab.run_nodes, "server", "eth0", "tc-egress")
    assert (await look(lab, {**probe, "attached": False})).passed


async def test_a_program_and_its_map(lab: TwoNodes) -> None:
    built = await lab.programs.build(lab.run_nodes, lab.program(), {"xdp.c": COUNTING}, load=True, mode="generic")
    assert built.outcome == "attached"
    await lab.sh("client", "ping -c 5 -i 0.05 10.0.0.2")
    eth0 = {"node": "server", "interface": "eth0"}
    verdict = await look(lab, {"kind": "xdp", **eth0, "mode": "native"})
    assert not verdict.passed and verdict.observed == "an XDP program prog in generic mode on eth0"
    assert verdict.expected == "an XDP program in native mode on eth0"
    assert (await look(lab, {"kind": "xdp", **eth0, "mode": "generic", "program": "prog"})).passed
    assert not (await look(lab, {"kind": "xdp", **eth0, "program": "other"})).passed
    where = {"kind": "map", "node": "server", "map": "packets"}
    verdict = await look(lab, {**where, "key": 2, "value": {"at_least": 5}})
    assert verdict.passed and verdict.expected == "a value of at least 5 in packets at key 2"
    verdict = await look(lab, {**where, "key": 1, "value": {"at_least": 1}})
    assert not verdict.passed and verdict.observed == "a value of 0 in packets at key 1"
    assert (await look(lab, {**where, "entries": {"equals": 4}, "value": {"at_least": 5}})).passed
    assert (await look(lab, {**where, "key": 9, "value": {"at_least": 1}})).observed == "nothing in packets at key 9"
    verdict = await look(lab, {**where, "type": "percpu_array"})
    assert verdict.passed and verdict.observed == verdict.expected == "packets of type percpu_array"
    verdict = await look(lab, {**where, "type": "hash", "value": {"at_least": 1}})
    assert not verdict.passed and verdict.observed == "packets of type percpu_array"
    assert verdict.expected == "packets of type hash, with a sum of at least 1 in packets"
    too_large = await look(lab, {**where, "key": 1 << 40, "value": {"at_least": 1}})
    assert not too_large.passed and too_large.observed.startswith("a check that could not look: ")
    await lab.programs.detach(lab.run_nodes, "server", "eth0", "xdp")
    assert (await look(lab, {"kind": "xdp", **eth0, "attached": False})).passed


async def test_the_order_of_classifiers(lab: TwoNodes) -> None:
    source = '#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\nSEC("tc") int one(struct __sk_buff *skb) { return -1; }\n'
    source += 'SEC("tc") int two(struct __sk_buff *skb) { return -1; }\nchar l[] SEC("license") = "GPL";\n'
    clang = "clang -target bpf -O2 -I/usr/include/$(uname -m)-linux-gnu -c -o /tmp/c.o /tmp/c.c"
    make = f"cat > /tmp/c.c <<'END'\n{source}\nEND\n{clang}"
    load = "bpftool prog loadall /tmp/c.o /sys/fs/bpf/c && bpftool net attach tcx_ingress pinned /sys/fs/bpf/c/one dev eth0"
    clsact = "(tc qdisc add dev eth0 clsact || true)"  # the test before may have left one
    clsact += " && tc filter add dev eth0 ingress bpf direct-action pinned /sys/fs/bpf/c/two"
    assert (await lab.sh("server", f"{make} && {load} && {clsact}")).exit_code == 0
    where = {"kind": "tc", "node": "server", "interface": "eth0", "direction": "ingress"}
    assert (await look(lab, {**where, "program": "one", "by": "tcx", "before": "two"})).passed
    verdict = await look(lab, {**where, "program": "two", "before": "one"})
    assert not verdict.passed and verdict.expected == "a BPF classifier two on eth0 ingress before one"
    assert verdict.observed == "a BPF classifier one by tcx, then a BPF classifier two on eth0 ingress"
    assert not (await look(lab, {**where, "program": "two", "by": "tcx"})).passed
    assert (await look(lab, {**where, "program": "two", "by": "clsact"})).passed
    await lab.programs.detach(lab.run_nodes, "server", "eth0", "tc-ingress")
    assert (await look(lab, {**where, "attached": False})).passed
    await lab.sh("server", "tc qdisc del dev eth0 clsact; rm -r /sys/fs/bpf/c")


@pytest.mark.parametrize(
    ("wanted", "outcome", "passed"),
    [
        ("refused", "refused", True),
        ("refused", "attached", False),
        ("built", "refused", True),
        ("built", "build_failed", False),
        ("attached", "", False),
    ],
)
async def test_how_a_build_ended(lab: TwoNodes, wanted: str, outcome: str, passed: bool) -> None:
    verdict = await look(
        lab, {"kind": "program", "program": "xdp", "outcome": wanted}, outcomes={"xdp": outcome} if outcome else {}
    )
    assert verdict.passed is passed
    assert outcome or verdict.observed == "no Build & load of xdp yet"


async def test_counters_and_files(lab: TwoNodes) -> None:
    probe = {"kind": "counter", "node": "server", "object": "eth0", "counter": "xdp_drop"}
    now = {"reading": lambda *_: Reading(value=30, per_second=4.25)}
    verdict = await look(lab, {**probe, "per_second": {"at_least": 5}}, **now)
    assert not verdict.passed and verdict.observed == "4.2 per second in xdp_drop of server:eth0"
    assert verdict.expected == "at least 5 per second in xdp_drop of server:eth0"
    assert (await look(lab, {**probe, "total": {"at_least": 20}}, **now)).observed == "30 in xdp_drop of server:eth0"
    assert (await look(lab, {**probe, "total": {"at_most": 20}})).observed == "no reading of xdp_drop of server:eth0 yet"
    text = {"read_file": lambda _: "return XDP_DROP;"}
    assert (await look(lab, {"kind": "file", "path": "xdp.c", "contains": "XDP_DROP", "lacks": "XDP_PASS"}, **text)).passed
    assert (
        await look(lab, {"kind": "file", "path": "xdp.c", "contains": "XDP_PASS"}, **text)
    ).observed == "a file xdp.c without 'XDP_PASS'"


async def test_a_check_that_cannot_look_is_red_and_says_so(lab: TwoNodes) -> None:
    for probe in (
        {"kind": "xdp", "node": "gone", "interface": "eth0", "attached": False},
        {"kind": "ping", "node": "gone", "to": "10.0.0.2", "answered": False},
    ):
        verdict = await look(lab, probe)
        assert not verdict.passed and verdict.observed.startswith("a check that could not look: "), verdict


async def test_every_kind_of_probe_is_answered_and_was_seen_red_and_green(request: pytest.FixtureRequest) -> None:
    union = get_args(get_args(Probe)[0])
    assert {get_args(member.model_fields["kind"].annotation)[0] for member in union} == set(PROBES)
    here = [item for item in request.session.items if item.path == request.path]
    if len(here) > len(CASES):  # this file as a whole, not a part of it that somebody asked for
        assert {kind: SEEN.get(kind) for kind in PROBES if kind not in OF_DEVICES} == {
            kind: {True, False} for kind in PROBES if kind not in OF_DEVICES
        }
