"""A guest whose root says too much, or takes nothing: it holds up itself, and what it costs the host is bounded."""

import asyncio
import logging
import time
from collections.abc import Mapping

import pytest

from netlab.domain.lab import ProgramSpec
from netlab.domain.lifecycle import RunState
from netlab.host.programs.build import Built
from netlab.host.programs.line_table import LineTable
from netlab.host.programs.map_layouts import MapLayouts
from netlab.host.vm_runs import builds
from netlab.host.vm_runs.hearing import EVENT_COST_BYTES, TOLD_BYTES_PER_S
from netlab.wire.commands import BLOB_BYTES_MAX, ExportHome, FormatFile, PauseRun
from netlab.wire.events import CommandDone, NodeReset
from netlab.wire.guest_port import FRAME_BYTES_MAX, Kind, PortSession
from netlab.wire.replies import FormatReply
from tests.unit.vm_runs.kit import VmKit, VmRun


async def test_nonsense_in_one_breath_is_logged_a_few_times(vms: VmKit, caplog: pytest.LogCaptureFixture) -> None:
    run = await vms.start()
    with caplog.at_level(logging.WARNING):
        for _ in range(3000):
            run.guest.session.send(Kind.EVENT, event="x")
        run.guest.flush()
        await run.is_now(RunState.BROKEN)
    assert sum("said nonsense" in record.message for record in caplog.records) < 50


async def test_a_burst_of_events_is_told_at_once_and_what_is_above_it_waits_no_longer_than_it_must(vms: VmKit) -> None:
    run, began = await vms.start(), time.monotonic()
    for _ in range(300):
        run.guest.session.send(Kind.EVENT, event=_reset_of(run, "client"))
    run.guest.flush()
    await vms.out.until(lambda: len(vms.out.of(NodeReset)) == 300, "a burst", within_s=2)
    for _ in range(150):
        run.guest.session.send(Kind.EVENT, event=_reset_of(run, "client"))
    run.guest.flush()
    await vms.out.until(lambda: len(vms.out.of(NodeReset)) == 450, "what was read in one piece")
    run.guest.event({"kind": "command_done", "what": "after the flood"})
    await vms.out.told(CommandDone, what="after the flood", within_s=8)
    assert time.monotonic() - began > 1, "somebody pays for it, whoever was held up in between"


async def test_events_for_ever_are_few(vms: VmKit) -> None:
    run, began = await vms.start(), time.monotonic()
    for _ in range(10):
        for _ in range(300):
            run.guest.session.send(Kind.EVENT, event=_reset_of(run, "client"))
        run.guest.flush()
        await asyncio.sleep(0.2)
    paid_late = max(time.monotonic() - began - 4, 0) * TOLD_BYTES_PER_S / EVENT_COST_BYTES
    assert len(vms.out.of(NodeReset)) < 1500 + paid_late, "what was read in one piece, then a trickle"


async def test_a_guest_that_confirms_what_it_does_not_read_is_deaf(vms: VmKit) -> None:
    run = await vms.start()
    _stop_reading(run)
    port = vms.runtime._actors[run.id].live.guest._port
    for request in range(60):
        port.send(Kind.BUILT, request=request, result="{}", object=b"o" * (1 << 20))
        liar = PortSession(frame_bytes_max=FRAME_BYTES_MAX, life=run.guest.session.life)
        liar._safe = request + 1000
        liar.send(Kind.PONG, n=0)
        run.guest.raw(liar.take())
        await asyncio.sleep(0.01)
    broken = await run.is_now(RunState.BROKEN, within_s=3)
    assert broken.error is not None and "takes no messages" in broken.error.message


async def test_a_guest_that_reads_nothing_is_paused_all_the_same(vms: VmKit) -> None:
    run = await vms.start()
    _stop_reading(run)
    port = vms.runtime._actors[run.id].live.guest._port
    port.send(Kind.BUILT, request=1, result="{}", object=b"o" * (1 << 20))
    run.generation = 2
    await run.send(PauseRun)
    await run.is_now(RunState.PAUSED, within_s=7)


async def test_blobs_that_never_end_do_not_pile_up(vms: VmKit) -> None:
    run = await vms.start()
    hearing = vms.runtime._actors[run.id].live.guest._hearing
    homes = [await run.send(ExportHome, node="client") for _ in range(6)]
    for home in homes:
        for _ in range(5):
            run.guest.say(Kind.BLOB, command=home.id, data=b"x" * 200_000, last=False)
    run.guest.say(Kind.BLOB, command=homes[-1].id, data=b"end", last=True)
    await vms.out.until(lambda: homes[-1].id in vms.out.blobs, "the blob", within_s=8)
    assert len(vms.out.blobs[homes[-1].id]) == 1_000_003 <= BLOB_BYTES_MAX
    assert len(hearing._blob) == 0
    vms.out.blobs.clear()
    run.guest.say(Kind.BLOB, command=homes[-1].id, data=b"again", last=True)
    run.guest.event({"kind": "command_done", "what": "last"})
    await vms.out.told(CommandDone, what="last")
    assert vms.out.blobs == {}, "who asked once is answered once"


class SlowCompiler:
    """Takes its time and looks at nothing."""

    def __init__(self, takes_s: float) -> None:
        self.takes_s, self.done = takes_s, 0

    async def compile(self, program: ProgramSpec, files: Mapping[str, str]) -> Built:
        await asyncio.sleep(self.takes_s)
        self.done += 1
        return Built(None, [], 0)

    async def format(self, path: str, text: str) -> str:
        return text.strip()

    async def line_table(self, object_bytes: bytes) -> LineTable:
        return LineTable()

    async def map_layouts(self, object_bytes: bytes) -> MapLayouts:
        return {}


async def test_a_file_is_formatted_by_the_host_and_the_guest_hears_nothing_of_it(vms: VmKit) -> None:
    vms.runtime._parts.compiler = SlowCompiler(0)
    run = await vms.start()
    asked = await run.send(FormatFile, path="xdp.c", content="  int x;\n")
    await vms.out.until(lambda: asked.id in vms.out.blobs, "the layout")
    assert FormatReply.model_validate_json(vms.out.blobs[asked.id]).content == "int x;"
    assert not any(asked.id in str(message.fields) for message in run.guest.heard if message.kind is Kind.COMMAND)


async def test_a_guest_that_builds_for_ever_takes_a_share_of_a_slot(vms: VmKit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "COMPILING_BURST_S", 0.5)
    compiler = SlowCompiler(0.1)
    vms.runtime._parts.compiler = compiler
    run = await vms.start()
    assert run.guest.start is not None
    program, built = run.guest.start.lab.programs[0], 0
    ends = time.monotonic() + 4
    run.guest.say(Kind.BUILD, request=0, program=program.model_dump_json(), files={})
    while time.monotonic() < ends:
        await asyncio.sleep(0.02)
        if len([m for m in run.guest.heard if m.kind is Kind.BUILT]) > built:
            built += 1
            run.guest.say(Kind.BUILD, request=built, program=program.model_dump_json(), files={})
    assert 5 <= built <= 18, "half a second at once, then a quarter of the time"


def _reset_of(run: VmRun, node: str) -> str:
    return NodeReset(run=run.id, at=1.0, node=node).model_dump_json()


def _stop_reading(run: VmRun) -> None:
    assert run.guest._task is not None
    run.guest._task.cancel()
