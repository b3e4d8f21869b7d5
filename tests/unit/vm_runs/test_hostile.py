"""A guest whose root means ill: whatever comes through its port harms its own run at most, and nobody is told nonsense."""

import asyncio
import json
import os
import time
from typing import Any

import msgpack
import pytest

from netlab.domain.ids import new_terminal_id
from netlab.domain.lifecycle import RunState
from netlab.host.vm_runs.counters import GuestCounters
from netlab.host.vm_runs.hearing import TOLD_BYTES_PER_S
from netlab.wire.commands import BLOB_BYTES_MAX, ExportHome, OpenStep
from netlab.wire.counters import FULL
from netlab.wire.events import CommandDone, FileChanged, MapsSeen, RunStateChanged, TerminalOpened, TraceTold, VerifierLine
from netlab.wire.guest_port import GUEST_RUN, Kind
from tests.unit.vm_runs.kit import VmKit, VmRun
from tests.waiting import until

FIELD = {"name": "", "kind": "unsigned"}
MAP: dict[str, Any] = {
    "id": 1, "node": "client", "name": "m", "type": "hash", "max_entries": 1, "key": [FIELD], "value": [FIELD], "rows": [[1, 2]],
}
CELL = {"node": "client", "stage": "queue", "first": 10, "counts": [1]}
STEP = {"after_ns": 0, "point": "queued", "node": "client", "device": "eth0", "bytes": 98}
WAY: dict[str, Any] = {"number": 1, "what": "ICMP", "bytes": 98, "steps": [STEP], "end": ""}
TRACE: dict[str, Any] = {
    "id": "c0000000000", "mode": "latency", "node": "", "protocol": "any", "packets_wanted": 5, "started_at": 1.0, "ready": True,
    "running": True, "cells": [CELL], "packets": [WAY],
}
CALL: dict[str, Any] = {
    "number": 1, "after_ns": 0, "took_ns": 9, "cpu": 0, "task": "ping", "frames": [0, 0, 9, 1, 1, 1, 5, 1], "left_out": 0,
}
GRAPHS = TRACE | {"mode": "functions", "function": "ip_rcv", "calls": [CALL], "functions": ["ip_rcv", "ip_rcv_core"]}
LIES: list[dict[str, Any]] = [
    {"kind": "run_state", "state": "stopped"},
    {"kind": "announcement", "text": "the workshop is over"},
    {"kind": "file_saved", "path": "a.c", "version": 9, "origin": "editor"},
    {"kind": "time_changed", "deadline": 1.0},
    {"kind": "queue_moved", "position": 1},
    {"kind": "storm_stopped", "node": "client", "interface": "eth0", "pps": 1, "limit_pps": 1},
    {"kind": "node_stopped", "node": "nobody"},
    {"kind": "terminal_opened", "terminal": "t0000000000", "node": "client"},
    {"kind": "terminal_opened", "terminal": "../../etc", "node": "client"},
    {"kind": "check_result", "step": "attach", "verdicts": [{"check": "all", "passed": True, "observed": "", "expected": ""}]},
    {"kind": "program_result", "program": "other", "outcome": "built", "summary": ""},
    {"kind": "file_changed", "path": "../x", "content": "", "base_version": 0},
    {"kind": "file_changed", "path": "x", "content": "y" * 70_000, "base_version": 0},
    {"kind": "host_step_finished", "key": "k", "title": "t", "ok": True, "ms": 1e999},
    {"kind": "host_step_finished", "key": "k", "title": "t" * 1000, "ok": True, "ms": 1},
    {"kind": "maps", "maps": [MAP | {"node": "nobody"}]},
    {"kind": "maps", "maps": [MAP | {"program": "other"}]},
    {"kind": "maps", "maps": [MAP | {"rows": [[1, 2, 3]]}]},
    {"kind": "maps", "maps": [MAP | {"rows": [[1, "x" * 1000]]}]},
    {"kind": "maps", "maps": [MAP] * 17},
    {"kind": "trace", "trace": TRACE | {"node": "nobody"}},
    {"kind": "trace", "trace": TRACE | {"cells": [CELL | {"node": "nobody"}]}},
    {"kind": "trace", "trace": TRACE | {"cells": [CELL | {"counts": [1] * 37}]}},
    {"kind": "trace", "trace": TRACE | {"cells": [CELL] * 641}},
    {"kind": "trace", "trace": TRACE | {"packets": [WAY | {"steps": [STEP | {"node": "nobody"}]}]}},
    {"kind": "trace", "trace": TRACE | {"packets": [WAY | {"steps": [STEP] * 65}]}},
    {"kind": "trace", "trace": TRACE | {"problem": "x" * 3000}},
    {"kind": "trace", "trace": GRAPHS | {"functions": ["ip_rcv"]}},
    {"kind": "trace", "trace": GRAPHS | {"functions": ["ip_rcv", "<b>"]}},
    {"kind": "trace", "trace": GRAPHS | {"functions": ["ip_rcv"] * 1501}},
    {"kind": "trace", "trace": GRAPHS | {"function": "a b"}},
    {"kind": "trace", "trace": GRAPHS | {"calls": [CALL] * 51}},
    {"kind": "trace", "trace": GRAPHS | {"calls": [CALL | {"frames": [0, 0, 9, 1] + [1, 0, 1, 1] * 499}] * 12}},
    {"kind": "trace", "trace": GRAPHS | {"calls": [CALL | {"task": "t" * 300}]}},
    *({"kind": "trace", "trace": GRAPHS | {"calls": [CALL | {"frames": frames}]}} for frames in (
        [], [0, 0, 9], [1, 0, 9, 1], [0, 0, -1, 1], [0, 0, 9, 3], [0, 0, 9, 1, 2, 0, 1, 1], [0, 0, 9, 1, 0, 0, 9, 1],
        [0, 0, 9, 1] * 501,
    )),
    {"kind": "functions_found", "search": "ip", "functions": ["a b"], "more": 0},
    {"kind": "functions_found", "search": "ip", "functions": ["ip_rcv"] * 61, "more": 0},
    {"kind": "command_failed", "error": {"code": "bug", "message": "m\0", "data": {}}},
    {"kind": "command_failed", "error": {"code": "bug", "message": "m", "data": {"n": 1 << 70}}},
]


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: f"{lie['kind']}-{LIES.index(lie)}")
async def test_a_lie_is_not_told(vms: VmKit, lie: dict[str, Any]) -> None:
    run = await vms.start()
    before = len(vms.out.events)
    run.guest.event(lie)
    await _heard(run)
    assert vms.out.events[before:] == []
    assert vms.runtime.runs()[0].state == "running"


async def test_maps_are_told_as_they_are(vms: VmKit) -> None:
    run = await vms.start()
    run.guest.event({"kind": "maps", "maps": [MAP]})
    assert (await vms.out.told(MapsSeen)).maps[0].rows == [[1, 2]]


async def test_a_trace_is_told_as_it_is(vms: VmKit) -> None:
    run = await vms.start()
    run.guest.event({"kind": "trace", "trace": TRACE})
    told = (await vms.out.told(TraceTold)).trace
    assert told is not None and told.cells[0].counts == [1] and told.packets[0].steps[0].device == "eth0"


async def test_call_graphs_are_told_as_they_are(vms: VmKit) -> None:
    run = await vms.start()
    run.guest.event({"kind": "trace", "trace": GRAPHS})
    told = (await vms.out.told(TraceTold)).trace
    assert told is not None and told.calls[0].frames[4:] == [1, 1, 5, 1] and told.functions[1] == "ip_rcv_core"


async def test_an_event_is_about_this_run_and_about_commands_that_were_sent(vms: VmKit) -> None:
    began = time.time()
    mine, yours = await vms.start(), await vms.start()
    sent = await mine.send(OpenStep, step="mtu")
    mine.guest.event({"kind": "command_done", "what": "x", "generation": 77, "command": "c0000000000"}, run=yours.id)
    mine.guest.event({"kind": "command_done", "what": "y", "command": sent.id})
    await vms.out.told(CommandDone, what="y")
    told = [(e.run, e.generation, e.command) for e in vms.out.of(CommandDone)]
    assert told == [(mine.id, 1, None), (mine.id, 1, sent.id)]
    assert all(began - 1 < e.at < time.time() + 1 for e in vms.out.of(CommandDone))


async def test_bytes_of_terminals_that_the_run_has_not_are_dropped(vms: VmKit) -> None:
    mine, yours = await vms.start(), await vms.start()
    mine.guest.output(yours.terminals[0], b"intruder", 8)
    mine.guest.output(new_terminal_id(), b"intruder", 8)
    await _heard(mine)
    assert not any(b"intruder" in data for data in vms.out.output.values())


async def test_a_guest_that_ignores_its_credit_is_not_heard_beyond_it(vms: VmKit) -> None:
    run = await vms.start()
    terminal = run.terminals[0]
    for number in range(1, 13):
        run.guest.output(terminal, b"x" * 200_000, 2 + number * 200_000)
        await asyncio.sleep(0.02)
    await _heard(run)
    assert vms.out.end_offset[terminal] < 1_400_000
    assert vms.runtime.runs()[0].state == "running"


async def test_garbage_breaks_the_run_alone(vms: VmKit) -> None:
    mine, yours = await vms.start(), await vms.start()
    flood = asyncio.create_task(_flood(mine))
    broken = await mine.is_now(RunState.BROKEN, within_s=10)
    flood.cancel()
    assert broken.error is not None and "no sense" in broken.error.message
    sent = await yours.send(OpenStep, step="mtu")
    assert yours.guest.commands()[-1].id == sent.id


async def test_a_stream_without_a_frame_breaks_the_run(vms: VmKit) -> None:
    run = await vms.start()
    run.guest.dumb = True

    async def pour() -> None:
        while True:
            run.guest.raw(b"\0" * 1_000_000)
            await asyncio.sleep(0.01)

    pouring = asyncio.create_task(pour())
    await run.is_now(RunState.BROKEN, within_s=10)
    pouring.cancel()


async def test_a_flood_of_events_is_slowed_down_and_harms_nobody(vms: VmKit) -> None:
    mine, yours = await vms.start(), await vms.start()
    text, flood_began = "z" * 60_000, time.monotonic()
    for number in range(250):
        mine.guest.event({"kind": "file_changed", "path": f"f{number % 60}.c", "content": f"{number}{text}", "base_version": 0})
    await asyncio.sleep(2)
    told = sum(len(e.content or "") for e in vms.out.of(FileChanged))
    late_s = max(time.monotonic() - flood_began - 4, 0)
    assert told < (10 << 20) + late_s * TOLD_BYTES_PER_S, "a burst, then half a megabyte a second"
    began = time.monotonic()
    await yours.send(OpenStep, step="mtu")
    assert time.monotonic() - began < 0.5
    assert [r.state for r in vms.runtime.runs()] == ["running", "running"]


async def test_files_are_kept_within_bounds(vms: VmKit) -> None:
    run = await vms.start()
    for number in range(100):
        run.guest.event({"kind": "file_changed", "path": f"f{number}.c", "content": "x", "base_version": 1 << 40})
    await _heard(run)
    record = vms.runtime._actors[run.id].live.record
    assert len(record.files) == 64
    assert max(e.base_version for e in vms.out.of(FileChanged)) == 0, "nobody's database counts on from there"


async def test_counters_that_do_not_add_up_are_dropped(vms: VmKit) -> None:
    run = await vms.start()
    counter = {"node": "client", "object": "eth0", "kind": "interface", "name": "rx", "unit": "packets", "words": "received"}
    for wrong in ({**counter, "words": "w" * 300}, {**counter, "words": 7}, {**counter, "words": None}):
        with pytest.raises(ValueError):
            GuestCounters(run.id).schema(json.dumps({"run": GUEST_RUN, "version": 4, "counters": [wrong]}))
    run.guest.say(Kind.SCHEMA, schema=json.dumps({"run": GUEST_RUN, "version": 5, "counters": [counter]}))
    schema = await vms.out.until(lambda: vms.out.schemas.get(run.id), "the schema")
    assert schema.run == run.id and schema.version != 5
    nonsense: list[Any] = [
        [FULL, 5, 1.0, [1, 2]], [FULL, 5, 1.0, [-1]], [FULL, 5, 1.0, ["x"]], [FULL, 5, float("nan"), [1]], [1, 5, 1.0, [0, 5]],
        [FULL, 4, 1.0, [1]], [7, 5, 1.0, [1]], {}, [FULL, 5, 1.0, [1 << 63]],
    ]
    for body in nonsense:
        run.guest.say(Kind.COUNTERS, body=msgpack.packb(body))
        run.guest.say(Kind.HISTORY, body=msgpack.packb(body))
    await _heard(run)
    await asyncio.sleep(0.2)
    assert vms.out.bodies[run.id] == 0
    run.guest.say(Kind.COUNTERS, body=msgpack.packb([FULL, 5, 1.0, [1]]))
    for difference in ([0, 5], [1, 5], [0, -100], [0]):
        run.guest.say(Kind.COUNTERS, body=msgpack.packb([1, 5, 1.0, difference]))
    await vms.out.until(lambda: vms.out.bodies[run.id] == 2, "what does add up")


async def test_a_blob_is_taken_for_a_command_that_asks_for_one_and_bounded(vms: VmKit) -> None:
    run = await vms.start()
    step = await run.send(OpenStep, step="mtu")
    home = await run.send(ExportHome, node="client")
    run.guest.say(Kind.BLOB, command=step.id, data=b"x", last=True)
    for _ in range(BLOB_BYTES_MAX // 200_000 + 2):
        run.guest.say(Kind.BLOB, command=home.id, data=b"x" * 200_000, last=False)
        await asyncio.sleep(0.01)
    run.guest.say(Kind.BLOB, command=home.id, data=b"good", last=True)
    await vms.out.until(lambda: home.id in vms.out.blobs, "the blob")
    assert set(vms.out.blobs) == {home.id} and len(vms.out.blobs[home.id]) < BLOB_BYTES_MAX


@pytest.mark.parametrize("fields", [
    {"request": 1, "program": "{}", "files": {}},
    {"request": "x", "program": "{}", "files": {}},
    {"request": 1, "program": None, "files": None},
])
async def test_builds_that_no_engine_asks_for_are_not_done(vms: VmKit, fields: dict[str, Any]) -> None:
    run = await vms.start()
    run.guest.say(Kind.BUILD, **fields)
    await _heard(run)
    assert Kind.BUILT not in [m.kind for m in run.guest.heard]


async def test_files_of_a_build_stay_in_their_folder(vms: VmKit) -> None:
    run = await vms.start()
    assert run.guest.start is not None
    program = run.guest.start.lab.programs[0].model_dump_json()
    for path in ("../out", "/etc/x", "a/../b"):
        run.guest.say(Kind.BUILD, request=1, program=program, files={path: "x"})
    other = run.guest.start.lab.programs[0].model_copy(update={"source": "/etc/passwd"})
    run.guest.say(Kind.BUILD, request=1, program=other.model_dump_json(), files={})
    await _heard(run)
    assert Kind.BUILT not in [m.kind for m in run.guest.heard]


async def test_every_shape_of_field_is_survived(vms: VmKit) -> None:
    """Each kind with each field missing, or of another type: nonsense, never an exception in the agent."""
    run = await vms.start()
    names = ("event", "terminal", "end_offset", "data", "schema", "body", "command", "error", "last", "n", "request", "program")
    said = 0
    for kind in (Kind.EVENT, Kind.OUTPUT, Kind.SCHEMA, Kind.COUNTERS, Kind.BLOB, Kind.REPLY, Kind.PONG, Kind.READY, Kind.BUILD):
        value: Any
        for value in (None, 7, -1, "x", b"x", [], {}, 1.5, True):
            run.guest.say(kind, **dict.fromkeys(names, value))
            said += 1
            if said % 10 == 0:
                await _heard(run)
                vms.runtime._actors[run.id].live.guest._port.session.bad_frames = 0
    assert vms.out.of(RunStateChanged, state=RunState.BROKEN) == []


def test_a_verifiers_log_of_full_length_is_an_event() -> None:
    from netlab.host.vm_runs.sense import EVENT_BYTES_MAX
    from netlab.wire.events import VERIFIER_LOG_BYTES_MAX

    assert len(VerifierLine(line=1, text="x" * VERIFIER_LOG_BYTES_MAX).model_dump_json()) < EVENT_BYTES_MAX


async def _heard(run: VmRun) -> None:
    """Everything that was said until now has been taken: a terminal that is told in the end is."""
    seen = len(run.kit.out.of(TerminalOpened))
    run.guest.event({"kind": "terminal_opened", "terminal": run.terminals[1], "node": "server"})
    await until(lambda: len(run.kit.out.of(TerminalOpened)) > seen, "the last word")
    run.kit.out.events.remove(run.kit.out.of(TerminalOpened)[-1])


async def _flood(run: VmRun) -> None:
    while True:
        run.guest.raw(os.urandom(100_000))
        await asyncio.sleep(0.01)
