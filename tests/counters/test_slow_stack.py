"""What protocols, connections and programs count: there from when it happens, only while somebody looks, the kernel's numbers."""

import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from netlab.host.counters.flows import FLOW_COUNTERS, flow_of
from netlab.host.counters.softnet import softnet
from netlab.host.counters.stack import parse
from netlab.host.kernel.netlink import attribute
from netlab.host.probe import bpf
from netlab.wire.counters import Counter

from .conftest import Pair
from .test_counters_kernel import Heard, sampling, until

TO_A_CLOSED_PORT = "import socket; s = socket.socket(2, 2); [s.sendto(b'x', ('10.77.0.2', 9)) for _ in range(5)]"
SERVER = """
import socket
server = socket.create_server(("10.77.0.2", 5000))
print("ready", flush=True)
there, _ = server.accept()
while there.recv(1 << 16): pass
"""
CLIENT = """
import socket, time
to = socket.create_connection(("10.77.0.2", 5000))
while True:
    to.sendall(bytes(20_000)); time.sleep(0.05)
"""


def test_protocols_are_taken_apart() -> None:
    snmp = (
        b"Tcp: RtoAlgorithm InSegs RetransSegs\nTcp: 1 77 3\nIcmpMsg: InType3\nIcmpMsg: 9\nUdp: InDatagrams\nUdp: 4\n"
        b"TcpExt: TCPTimeouts ListenOverflows\nTcpExt: -1\n"
    )
    assert parse(snmp) == {
        ("Tcp", "InSegs"): 77, ("Tcp", "RetransSegs"): 3, ("Udp", "InDatagrams"): 4, ("TcpExt", "TCPTimeouts"): 0,
    }
    assert parse(snmp.replace(b" 77 ", b" 78 "), snmp) == {("Tcp", "InSegs"): 78, ("Tcp", "RetransSegs"): 3}
    without = snmp.replace(b"IcmpMsg: InType3\nIcmpMsg: 9\n", b"")
    moved = {("Udp", "InDatagrams"): 4, ("TcpExt", "TCPTimeouts"): 0}
    assert parse(snmp, without) == parse(without, snmp) == moved, "lines that come or go move those below"
    assert parse(b"sockets: used 9\nTCP: inuse 3 orphan 0 tw 2\nFRAG: inuse 0\n") == {("TCP", "inuse"): 3, ("TCP", "tw"): 2}
    assert parse(b"") == parse(b"\nTcp:\n: 1\n") == parse(b"Udp: 4\nTcp:\nUdp: 5") == {}


def test_a_connection_is_named_from_this_end_and_an_old_kernel_tells_less() -> None:
    head = struct.pack("!HH16s16s", 40000, 5000, bytes([10, 0, 0, 1]) + bytes(12), bytes([10, 0, 0, 2]) + bytes(12))
    info = bytearray(168)
    struct.pack_into("=I", info, 68, 250)
    struct.pack_into("=I", info, 80, 10)
    struct.pack_into("=Q", info, 120, 1 << 40)
    answer = bytes(4) + head + bytes(72 - 4 - len(head))
    flow = flow_of(answer + attribute(2, bytes(info)), 2)
    assert flow.object == "10.0.0.1:40000 → 10.0.0.2:5000"
    values = dict(zip((name for name, _ in FLOW_COUNTERS), flow.values, strict=True))
    assert (values["tcp_flow_rtt"], values["tcp_flow_cwnd"], values["tcp_flow_sent"]) == (250, 10, 1 << 40)
    assert flow_of(answer + attribute(2, bytes(info[:100])), 2).values[:2] == (250, 10)
    assert sum(flow_of(answer, 2).values) == 0


def test_softirqs_are_told_by_processor() -> None:
    found = softnet()
    assert [one.object for one in found] == [f"cpu{at}" for at in range(len(found))] and sum(found[0].values) > 0


def of_kind(heard: Heard, kind: str, node: str) -> list[Counter]:
    return [c for c in heard.schemas[-1].counters if (c.kind, c.node) == (kind, node)] if heard.schemas else []


def value(heard: Heard, node: str, name: str, object_starts: str = "") -> int:
    """0 while there is no such counter."""
    for at, counter in enumerate(heard.schemas[-1].counters):
        if (counter.node, counter.name) == (node, name) and counter.object.startswith(object_starts):
            return heard.merged["r0"].values[at]
    return 0


@contextmanager
def connection(pair: Pair) -> Iterator[None]:
    """From a to b, with traffic until the end."""
    running = []
    try:
        for node, program in (("b", SERVER), ("a", CLIENT)):
            command = ["ip", "netns", "exec", pair.names[node], "/usr/bin/python3", "-c", program]
            running.append(subprocess.Popen(command, stdout=subprocess.PIPE))
            if node == "b":
                assert running[0].stdout is not None and running[0].stdout.readline() == b"ready\n"
        yield
    finally:
        for process in reversed(running):
            process.kill()
            process.communicate()


@pytest.mark.kernel
async def test_what_protocols_count_comes_with_the_first_packet(pair: Pair) -> None:
    async with sampling() as (sampler, heard):
        await sampler.add_run("r0", pair.lab(), pair.places())
        sampler.set_watched({"r0"})
        await until(lambda: heard.ticks)
        assert of_kind(heard, "udp", "a") == []
        pair.run("a", "/usr/bin/python3", "-c", TO_A_CLOSED_PORT)
        await until(lambda: value(heard, "a", "udp_out") == 5 and value(heard, "b", "udp_no_port") == 5)
        assert value(heard, "b", "icmp_unreachable_sent") == 5 and of_kind(heard, "tcp", "a") == []


@pytest.mark.kernel
async def test_a_tcp_connection_is_seen_from_both_ends_while_it_lasts(pair: Pair) -> None:
    async with sampling() as (sampler, heard):
        await sampler.add_run("r0", pair.lab(), pair.places())
        sampler.set_watched({"r0"})
        await until(lambda: heard.ticks)
        with connection(pair):
            await until(lambda: value(heard, "a", "tcp_flow_sent") > 100_000 and value(heard, "b", "tcp_flow_received") > 100_000)
            flows = {c.object for c in of_kind(heard, "tcp_flow", "a")}
            assert len(flows) == 1 and flows.pop().endswith("→ 10.77.0.2:5000")
            assert value(heard, "a", "tcp_flow_rtt") > 0 and value(heard, "a", "tcp_flow_cwnd") >= 2
            assert value(heard, "a", "sockets_tcp") >= 1
        await until(lambda: not of_kind(heard, "tcp_flow", "a") and not of_kind(heard, "tcp_flow", "b"))


@pytest.mark.kernel
async def test_a_programs_runs_are_counted_while_somebody_looks(pair: Pair) -> None:
    pair.attach_xdp("b", bpf.XDP_PASS)
    async with sampling() as (sampler, heard):
        await sampler.add_run("r0", pair.lab(), pair.places())
        sampler.set_watched({"r0"})
        await until(lambda: of_kind(heard, "program", "b"))
        assert {c.object.split()[:2] == ["eth0", "xdp"] for c in of_kind(heard, "program", "b")} == {True}
        before = value(heard, "b", "program_runs")
        pair.ping(40)
        await until(lambda: value(heard, "b", "program_runs") >= before + 40)
        assert value(heard, "b", "program_ns") > 0
        sampler.set_watched(set())
        told = len(heard.history)
        await until(lambda: len(heard.history) > told + 1)
        pair.ping(40)
        sampler.set_watched({"r0"})
        await sampler.add_run("r0", pair.lab(), pair.places())  # its answer: the word before it has been heard, too
        pair.ping(5)
        await until(lambda: value(heard, "b", "program_runs") >= before + 45)
        assert value(heard, "b", "program_runs") < before + 80, "nobody looked, nothing was measured"
