"""Captures of an interface on both runtimes: what passes is told and kept, and nothing of it outlives its node."""

import base64
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from netlab.domain.errors import ErrorBody, ErrorCode
from netlab.wire.commands import CommandBase, ExportCapture, ResetNode, StartCapture, StopCapture
from netlab.wire.events import CapturesSeen, CommandDone, CommandFailed, NodeReset, PacketsSeen
from netlab.wire.packets import CAPTURES_AT_ONCE, CaptureSeen, Packet
from tests.contract.kit import Kit, Run

pytestmark = pytest.mark.kernel

ECHO_REQUEST = b"\x08\x00"
ICMP_AT = 14 + 20


async def test_both_ends_of_a_link_show_the_same_pings(kit: Kit) -> None:
    run = await _looked_at(kit)
    ends = {node: await _begin(kit, run, node) for node in ("client", "server")}
    await run.shell(run.terminals[0], "ping -c3 -i0.2 10.0.0.2 >/dev/null; echo sent-$?", "sent-0")
    await kit.out.until(lambda: all(len(_requests(kit, capture)) >= 3 for capture in ends.values()), "the pings at both ends")
    sent, arrived = (_requests(kit, ends[node])[:3] for node in ("client", "server"))
    assert [(p.outgoing, p.bytes) for p in sent] == [(True, 98)] * 3 and [p.outgoing for p in arrived] == [False] * 3
    assert [base64.b64decode(p.head)[ICMP_AT:] for p in sent] == [base64.b64decode(p.head)[ICMP_AT:] for p in arrived]
    assert all((a.at_s, a.at_ns) < (b.at_s, b.at_ns) for a, b in zip(sent, arrived, strict=True)), "first sent, then received"

    await _send_done(kit, run, StopCapture, capture=ends["client"])
    seen = {c.id: c for c in _newest(kit)}
    assert (seen[ends["client"]].running, seen[ends["client"]].ended) == (False, "you stopped it")
    assert seen[ends["server"]].running
    for capture in ends.values():
        packets = list(_packets(await _file(kit, run, capture)))
        assert sum(data[ICMP_AT : ICMP_AT + 2] == ECHO_REQUEST for data in packets) >= 3
        assert len(packets) >= seen[capture].packets > 0


async def test_a_capture_ends_with_its_node_and_its_file_stays(kit: Kit) -> None:
    run = await _looked_at(kit)
    capture = await _begin(kit, run, "server")
    await run.shell(run.terminals[0], "ping -c1 10.0.0.2 >/dev/null; echo sent-$?", "sent-0")
    await kit.out.until(lambda: _requests(kit, capture), "the ping")
    command = await run.send(ResetNode, node="server")
    await kit.out.told(NodeReset, command=command.id)
    await kit.out.until(lambda: not _newest(kit)[0].running, "the capture's end")
    assert _newest(kit)[0].ended == "its node was taken down"
    assert any(data[ICMP_AT : ICMP_AT + 2] == ECHO_REQUEST for data in _packets(await _file(kit, run, capture)))
    again = await _begin(kit, run, "server")
    assert [c.id for c in _newest(kit)] == [capture, again]


async def test_what_cannot_be_captured_is_said(kit: Kit) -> None:
    run = await _looked_at(kit)
    for interface, why in (("eth9", "there is no such interface"), ("eth0", "it is being captured already")):
        if why.startswith("it"):
            await _begin(kit, run, "client")
        error = await _refused(kit, run, node="client", interface=interface)
        assert error.code is ErrorCode.CANNOT_CAPTURE and why in error.message and error.hint
    for node, interface in (("client", "lo"), ("server", "eth0"), ("server", "lo")):
        await _begin(kit, run, node, interface)
    await run.shell(run.terminals[0], "ip link add extra type veth peer name other; echo made-$?", "made-0")
    error = await _refused(kit, run, node="client", interface="extra")
    assert f"{CAPTURES_AT_ONCE} captures are at work" in error.message
    command = await run.send(ExportCapture, capture="c0000000000")
    assert (await kit.out.told(CommandFailed, command=command.id)).error.code is ErrorCode.CAPTURE_UNKNOWN


async def test_a_flood_is_counted_and_costs_little(kit: Kit) -> None:
    """More than anybody reads: some are shown, some kept, the rest counted; the lab answers as before."""
    run = await _looked_at(kit)
    capture = await _begin(kit, run, "client", snap_bytes=64)
    await run.shell(run.terminals[0], "ping -f -w2 10.0.0.2 >/dev/null; echo flooded-$?", "flooded-0")
    await kit.out.until(lambda: _newest(kit)[0].packets > 200, "the flood")
    told = [e for e in kit.out.events if isinstance(e, PacketsSeen) and e.capture == capture]
    assert all(len(e.packets) <= 100 for e in told) and any(e.more for e in told)
    numbers = [p.number for e in told for p in e.packets]
    assert numbers == sorted(set(numbers))
    assert all(len(data) <= 64 for data in _packets(await _file(kit, run, capture)))


async def test_nobody_looks_nothing_is_captured(kit: Kit) -> None:
    run = await _looked_at(kit)
    await _begin(kit, run, "client")
    kit.runtime.set_watched(set())
    await kit.out.until(lambda: not _newest(kit)[0].running, "the capture's end")
    assert _newest(kit)[0].ended == "nobody looked at the lab"


async def _looked_at(kit: Kit) -> Run:
    run = await kit.start()
    kit.runtime.set_watched({run.id})
    await kit.out.told(CapturesSeen)
    return run


async def _begin(kit: Kit, run: Run, node: str, interface: str = "eth0", **more: int) -> str:
    return await _send_done(kit, run, StartCapture, node=node, interface=interface, **more)


async def _send_done(kit: Kit, run: Run, kind: type[CommandBase], **fields: Any) -> str:
    command = await run.send(kind, **fields)
    await kit.out.told(CommandDone, command=command.id)
    return command.id


async def _refused(kit: Kit, run: Run, **fields: Any) -> ErrorBody:
    command = await run.send(StartCapture, **fields)
    return (await kit.out.told(CommandFailed, command=command.id)).error


async def _file(kit: Kit, run: Run, capture: str) -> bytes:
    return kit.out.blobs[await _send_done(kit, run, ExportCapture, capture=capture)]


def _newest(kit: Kit) -> list[CaptureSeen]:
    return [e for e in kit.out.events if isinstance(e, CapturesSeen)][-1].captures


def _requests(kit: Kit, capture: str) -> list[Packet]:
    packets = [p for e in kit.out.events if isinstance(e, PacketsSeen) and e.capture == capture for p in e.packets]
    return [p for p in packets if base64.b64decode(p.head)[ICMP_AT : ICMP_AT + 2] == ECHO_REQUEST]


def _packets(file: bytes) -> Iterator[bytes]:
    """What is kept of each packet in a pcapng file."""
    at = 0
    while at < len(file):
        kind, length = struct.unpack_from("<II", file, at)
        assert struct.unpack_from("<I", file, at + length - 4) == (length,), "a block ends as it begins"
        if kind == 6:
            (kept,) = struct.unpack_from("<I", file, at + 20)
            yield file[at + 28 : at + 28 + kept]
        at += length
