"""Traces on both runtimes: packets are measured and followed at the right node, and nothing is attached when nobody looks."""

import ctypes
import errno
import os
import signal
import struct
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Literal

import pytest

from netlab.domain.errors import ErrorCode
from netlab.host.kernel import bpf
from netlab.wire.commands import BuildProgram, FindFunctions, LabFile, ResetNode, StartTrace, StopTrace, WriteFile
from netlab.wire.events import CommandDone, CommandFailed, FunctionsFound, NodeReset, ProgramResult, TraceTold
from netlab.wire.traces import TracedCall, TracedPacket, TraceSeen
from tests.contract.kit import PASS_C, Kit, Run
from tests.waiting import until

pytestmark = pytest.mark.kernel

OUR_PROGRAMS = "nl_"
PROG_GET_NEXT_ID = 11
"""include/uapi/linux/bpf.h."""
GONE_WITHIN_S = 5.0
"""The kernel frees a program a moment after its last descriptor."""
NOBODYS_PORT = 9
REDIRECT = "bpf_redirect(ctx->ingress_ifindex, 0)"
XDP_WAYS: dict[str, dict[str, tuple[str, ...]]] = {
    "native": {
        "XDP_DROP": ("xdp_copied", "dropped XDP_DROP"), "XDP_ABORTED": ("xdp_copied", "dropped XDP_DROP"),
        "XDP_TX": ("xdp_copied", "xdp_taken"), REDIRECT: ("xdp_copied", "xdp_taken", "received", "dropped OTHERHOST"),
    },
    "generic": {
        "XDP_DROP": ("handed_over", "received", "dropped XDP_GENERIC_DROP"),
        REDIRECT: ("handed_over", "received", "handed_over", "received", "dropped OTHERHOST"),
    },
}
"""What follows on the sender's driver. Between two veths a frame that is sent back has the wrong MAC address."""
KNOW_SERVER = "ping -c1 -w30 10.0.0.2 >/dev/null && ip neigh change 10.0.0.2 dev eth0 nud permanent; echo knows-$?"
"""Else a packet may wait for an answer, which a program at the server's end may eat, and be given up before it is sent."""
TRACEFS = "/sys/kernel/tracing"
OURS = f"echo ours-$(ls {TRACEFS}/instances | wc -l)"
NOTHING_OF_OURS = f"{OURS}-$(grep -c . {TRACEFS}/enabled_functions)"
UNTIL_GONE = f"for i in `seq 300`; do [ $(ls {TRACEFS}/instances | wc -l) = 0 ] && break; sleep .1; done"
RECEIVER = (
    'import socket as s; u=s.socket(2,2); u.bind(("",4000)); print("lis"+"tens", flush=True); u.settimeout(60);'
    " [u.recv(99) for i in range(30)]"
)


async def test_latency_is_counted_by_node_and_stage(kit: Kit) -> None:
    run = await _looked_at(kit)
    trace = await _begin(kit, run, mode="latency")
    await run.shell(run.terminals[0], "ping -c20 -i0.05 10.0.0.2 >/dev/null; echo sent-$?", "sent-0")
    for node in ("client", "server"):  # cells are not all read in the same moment
        for stage in ("queue", "wire", "stack", "whole"):
            await kit.out.until(partial(_has_counted, kit, node, stage, 20), f"twenty echo replies in {stage} at {node}")
    assert _count(kit, "server", "forward") == 0, "an answer is no forwarded packet"

    await run.shell(run.terminals[1], f"python3 -c '{RECEIVER}' &", "listens")
    before = _count(kit, "server", "whole")
    send = "for i in `seq 30`; do echo $i >/dev/udp/10.0.0.2/4000; sleep .01; done"
    await run.shell(run.terminals[0], f"{send}; echo sent-$?", "sent-0")
    await kit.out.until(lambda: _count(kit, "server", "whole") >= before + 25, "the datagrams")

    await _send_done(kit, run, StopTrace, trace=trace)
    assert (_newest(kit).running, _newest(kit).ended) == (False, "you stopped it")
    command = await run.send(StopTrace, trace="c0000000000")
    assert (await kit.out.told(CommandFailed, command=command.id)).error.code is ErrorCode.TRACE_UNKNOWN


async def test_a_dropped_packet_is_followed_to_its_end(kit: Kit) -> None:
    run = await _looked_at(kit)
    await run.shell(run.terminals[0], KNOW_SERVER, "knows-0")
    await _begin(kit, run, mode="way", node="client", protocol="udp", packets=1)
    await run.shell(run.terminals[0], f"echo hi >/dev/udp/10.0.0.2/{NOBODYS_PORT}; echo sent-$?", "sent-0")
    packet = await _followed(kit)
    where = [(step.node, step.point) for step in packet.steps]
    assert packet.what == "UDP" and packet.end == "dropped"
    assert where[0] == ("client", "queued") and where[-1] == ("server", "dropped")
    assert where.index(("client", "sent")) < where.index(("server", "received"))
    last = packet.steps[-1]
    assert (last.reason, last.words) == ("NO_SOCKET", "nobody listens there")
    offsets = [step.after_ns for step in packet.steps]
    assert offsets[0] == 0 and offsets == sorted(offsets)
    assert {step.device for step in packet.steps} == {"eth0"}
    assert _newest(kit).ended == "all its packets have been followed"


async def test_a_ping_is_followed_to_the_program(kit: Kit) -> None:
    run = await _looked_at(kit)
    await _begin(kit, run, mode="way", node="server", protocol="icmp", packets=2)
    await run.shell(run.terminals[0], "ping -c1 10.0.0.2 >/dev/null; echo sent-$?", "sent-0")
    await kit.out.until(lambda: not _newest(kit).running, "the trace's end")
    request, reply = _newest(kit).packets
    assert (request.steps[0].node, request.steps[0].point, request.end) == ("server", "received", "consumed")
    assert (reply.steps[0].node, reply.steps[0].point, reply.end) == ("server", "queued", "copied"), _words(reply)
    assert reply.steps[-1].node == "client"


async def test_xdp_that_copies_and_drops_is_seen_through(shared_kernel: Kit) -> None:
    """A veth with a native program makes another buffer of each packet: it is followed all the same."""
    kit, run = shared_kernel, await _looked_at(shared_kernel)
    command = await run.send(BuildProgram, program="pass")
    result = await kit.out.told(ProgramResult, command=command.id)
    assert result.outcome == "attached", result.summary
    await _begin(kit, run, mode="way", node="client", protocol="icmp", packets=1)
    await run.shell(run.terminals[0], "ping -c1 10.0.0.2 >/dev/null; echo sent-$?", "sent-0")
    packet = await _followed(kit)
    assert ("server", "received") in [(step.node, step.point) for step in packet.steps] and packet.end == "consumed"


@pytest.mark.parametrize("mode", ["native", "generic"])
async def test_what_xdp_does_is_where_a_way_ends_or_turns(shared_kernel: Kit, mode: Literal["native", "generic"]) -> None:
    kit, run = shared_kernel, await _looked_at(shared_kernel)
    await run.shell(run.terminals[0], f"ethtool -K eth0 gro on && {KNOW_SERVER}", "knows-0")
    for version, (action, way) in enumerate(XDP_WAYS[mode].items(), 2):
        source = LabFile(path="pass.bpf.c", content=PASS_C.replace("XDP_PASS", action), version=version)
        await _send_done(kit, run, WriteFile, file=source)
        result = await kit.out.told(ProgramResult, command=(await run.send(BuildProgram, program="pass", mode=mode)).id)
        assert result.outcome == "attached", result.summary
        await _begin(kit, run, mode="way", node="client", protocol="icmp", packets=1)
        await run.shell(run.terminals[0], "ping -c1 -W0.2 10.0.0.2 >/dev/null; echo sent-$?", "sent-1")
        packet = await _followed(kit)
        said = [f"{step.point} {step.reason}".strip() for step in packet.steps]
        assert said == ["queued", "sent", *way], f"{action}: {_words(packet)}"
        assert packet.end == ("taken" if way[-1] == "xdp_taken" else "dropped")


@pytest.mark.parametrize("ending", ["stopped", "nobody looks", "a node is reset", "killed", "all followed"])
async def test_turned_off_it_costs_nothing(shared_kernel: Kit, ending: str) -> None:
    """Not one program of ours is in the kernel before, and none after."""
    kit = shared_kernel
    run = await _looked_at(kit)
    await run.shell(run.terminals[0], KNOW_SERVER, "knows-0")
    await until(lambda: not _ours(), "the end of what tests before this one have loaded", GONE_WITHIN_S)
    follows = {"mode": "way", "protocol": "udp", "packets": 1} if ending == "all followed" else {"mode": "latency"}
    trace = await _begin(kit, run, **follows)
    assert len(_ours()) >= 5
    if ending == "stopped":
        await _send_done(kit, run, StopTrace, trace=trace)
    elif ending == "nobody looks":
        kit.runtime.set_watched(set())
    elif ending == "a node is reset":
        command = await run.send(ResetNode, node="server")
        await kit.out.told(NodeReset, command=command.id)
    elif ending == "killed":
        os.kill(_pid(kit, run), signal.SIGKILL)
    else:
        await run.shell(run.terminals[0], f"echo hi >/dev/udp/10.0.0.2/{NOBODYS_PORT}; echo sent-$?", "sent-0")
    await kit.out.until(lambda: not _newest(kit).running, "the trace's end")
    await until(lambda: not _ours(), "the programs' end", GONE_WITHIN_S)
    assert {
        "stopped": "you stopped it", "nobody looks": "nobody looked at the lab", "a node is reset": "a node was taken down",
        "killed": "it broke; begin again", "all followed": "all its packets have been followed",
    }[ending] == _newest(kit).ended


async def test_another_trace_takes_the_place_of_the_first(shared_kernel: Kit) -> None:
    kit, run = shared_kernel, await _looked_at(shared_kernel)
    first = await _begin(kit, run, mode="latency")
    second = await _begin(kit, run, mode="way")
    ends = [e.trace for e in kit.out.of(TraceTold) if e.trace and e.trace.id == first and not e.trace.running]
    assert ends[-1].ended == "another was begun" and _newest(kit).id == second
    await run.shell(run.terminals[0], "true; echo there-$?", "there-0")


async def test_functions_of_a_shared_kernel_are_nobodys_to_trace(shared_kernel: Kit) -> None:
    kit, run = shared_kernel, await _looked_at(shared_kernel)
    for command in (await run.send(StartTrace, mode="functions"), await run.send(FindFunctions, search="ip_rcv")):
        error = (await kit.out.told(CommandFailed, command=command.id)).error
        assert error.code is ErrorCode.CANNOT_TRACE and "other labs" in error.message


async def test_functions_of_ones_own_kernel_are_followed(vm: Kit) -> None:
    """Whole graphs of what a packet goes through; the user's own ftrace is neither read nor written; nothing of ours stays."""
    kit, run = vm, await _looked_at(vm)
    client = run.terminals[0]
    await run.shell(client, f"echo 0 > {TRACEFS}/options/funcgraph-cpu; {NOTHING_OF_OURS}", "ours-0-0")
    command = await run.send(FindFunctions, search="netif core")
    found = await kit.out.told(FunctionsFound, command=command.id)
    assert any(name.startswith("__netif_receive_skb_core") for name in found.functions)

    await _begin(kit, run, mode="functions", function="__netif_receive_skb", calls=6)
    await run.shell(client, f"cat {TRACEFS}/current_tracer; {OURS}", "ours-1")
    await run.shell(client, "ping -c4 10.0.0.2 >/dev/null; echo sent-$?", "sent-0")
    await kit.out.until(lambda: not _newest(kit).running, "the trace's end")
    seen = _newest(kit)
    assert seen.emulated == (kit.runtime.guest_report().acceleration == "tcg")
    assert (seen.ended, seen.lost, len(seen.calls)) == ("all its calls have been followed", 0, 6)
    for call in seen.calls:
        assert _names(seen, call)[:2] == ["__netif_receive_skb", "__netif_receive_skb_one_core"]
        assert all(call.frames[2::4]), "every call has returned"
    echo = next(names for call in seen.calls if "icmp_rcv" in (names := _names(seen, call)))
    assert echo.index("ip_rcv") < echo.index("icmp_rcv") < echo.index("icmp_reply")
    await run.shell(client, f"{UNTIL_GONE}; {NOTHING_OF_OURS}", "ours-0-0")
    await run.shell(client, f"cat {TRACEFS}/options/funcgraph-cpu; echo there-$?", "there-0")


async def test_function_graphs_are_the_users_first_and_leave_nothing(vm: Kit) -> None:
    kit, run = vm, await _looked_at(vm)
    client = run.terminals[0]
    await run.shell(client, f"echo arp_rcv > {TRACEFS}/set_graph_function; echo set-$?", "set-0")
    trace = await _send_done(kit, run, StartTrace, mode="functions", function="ip_rcv")
    await kit.out.until(lambda: _newest(kit).id == trace and not _newest(kit).running, "the trace's end")
    assert _newest(kit).ended == "function graphs are taken" and "(arp_rcv)" in _newest(kit).problem
    await run.shell(client, f"cat {TRACEFS}/set_graph_function; echo > {TRACEFS}/set_graph_function; echo is-$?", "arp_rcv")

    trace = await _send_done(kit, run, StartTrace, mode="functions", function="no_such_function")
    await kit.out.until(lambda: _newest(kit).id == trace and not _newest(kit).running, "the trace's end")
    assert "no function no_such_function" in _newest(kit).problem

    for ending in ("stopped", "nobody looks", "killed"):
        trace = await _begin(kit, run, mode="functions", function="ip_rcv")
        await run.shell(client, OURS, "ours-1")
        if ending == "stopped":
            await _send_done(kit, run, StopTrace, trace=trace)
        elif ending == "nobody looks":
            kit.runtime.set_watched(set())
        else:
            await run.shell(client, "pkill -9 -f '[g]raph_process'; echo killed-$?", "killed-0")
        await kit.out.until(lambda: not _newest(kit).running, "the trace's end")
        await run.shell(client, f"{UNTIL_GONE}; {NOTHING_OF_OURS}", "ours-0-0")
        kit.runtime.set_watched({run.id})


def _names(seen: TraceSeen, call: TracedCall) -> list[str]:
    return [seen.functions[number].split(".")[0] for number in call.frames[1::4]]


async def _looked_at(kit: Kit) -> Run:
    run = await kit.start()
    kit.runtime.set_watched({run.id})
    await kit.out.told(TraceTold)
    return run


async def _begin(kit: Kit, run: Run, **fields: Any) -> str:
    """When it is attached."""
    trace = await _send_done(kit, run, StartTrace, **fields)
    await kit.out.until(lambda: _newest(kit).id == trace and (_newest(kit).ready or _newest(kit).ended), "the trace's programs")
    assert _newest(kit).running, _newest(kit).problem
    return trace


async def _followed(kit: Kit) -> TracedPacket:
    await kit.out.until(lambda: not _newest(kit).running, "the trace's end")
    (packet,) = _newest(kit).packets
    return packet


async def _send_done(kit: Kit, run: Run, kind: type[Any], **fields: Any) -> str:
    command = await run.send(kind, **fields)
    await kit.out.told(CommandDone, command=command.id)
    return command.id


def _newest(kit: Kit) -> TraceSeen:
    return [e.trace for e in kit.out.of(TraceTold) if e.trace is not None][-1]


def _has_counted(kit: Kit, node: str, stage: str, least: int) -> bool:
    return _count(kit, node, stage) >= least


def _count(kit: Kit, node: str, stage: str) -> int:
    return sum(sum(cell.counts) for cell in _newest(kit).cells if (cell.node, cell.stage) == (node, stage))


def _pid(kit: Kit, run: Run) -> int:
    trace = kit.runtime.namespaces.live(run.id).trace.trace
    assert trace is not None and trace.pid is not None
    return trace.pid


def _ours() -> list[str]:
    """Programs of traces that are loaded; no other test makes any at the same time."""
    return [name for name in _programs() if name.startswith(OUR_PROGRAMS)]


def _programs() -> Iterator[str]:
    number = 0
    while True:
        attr = ctypes.create_string_buffer(struct.pack("=II", number, 0), bpf.ATTR_BYTES)
        try:
            bpf.call(PROG_GET_NEXT_ID, attr)
        except OSError as error:
            assert error.errno == errno.ENOENT
            return
        (number,) = struct.unpack_from("=I", attr, 4)
        with suppress(FileNotFoundError):
            yield bpf.program_info(number).name


def _words(packet: TracedPacket) -> str:
    return "\n".join(f"{step.node} {step.point} {step.reason} {step.place}" for step in packet.steps)

