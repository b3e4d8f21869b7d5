"""Programs, checks, counters, solutions, a node's home: what an attendee does in a step, through commands alone."""

import asyncio
import io
import tarfile
from collections.abc import Callable
from typing import cast

import pytest

from netlab.domain.errors import ErrorCode
from netlab.wire.commands import (
    ApplySolution,
    BuildProgram,
    DetachProgram,
    ExportHome,
    LabFile,
    OpenStep,
    RunCheck,
    WriteFile,
)
from netlab.wire.events import CheckResult, CommandDone, CommandFailed, MapsSeen, ProgramResult, ProgramsChanged
from tests.contract.kit import PASS_C, Kit

pytestmark = pytest.mark.kernel

COUNTING_C = """#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum kind { OTHER, IPV4 };
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, enum kind);
	__type(value, __u64);
} seen SEC(".maps");

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	enum kind kind = OTHER;
	__u64 *packets;

	if ((void *)(eth + 1) <= (void *)(long)ctx->data_end && eth->h_proto == bpf_htons(ETH_P_IP))
		kind = IPV4;
	packets = bpf_map_lookup_elem(&seen, &kind);
	if (packets)
		(*packets)++;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
"""


async def test_build_load_and_detach(kit: Kit) -> None:
    run = await kit.start()
    command = await run.send(BuildProgram, program="pass")
    result = await kit.out.told(ProgramResult, command=command.id)
    assert (result.program, result.outcome) == ("pass", "attached"), result.summary
    attached = await kit.out.told(ProgramsChanged)
    assert [(a.node, a.interface, a.hook, a.mode, a.name) for a in attached.attachments] == [
        ("server", "eth0", "xdp", "native", "pass"),
    ]
    await run.shell(run.terminals[1], "ip link show dev eth0 | grep -o 'prog/x''dp'", "prog/xdp")
    seen = len(kit.out.events)
    await run.send(DetachProgram, node="server", interface="eth0")
    assert (await kit.out.told(ProgramsChanged, after=seen)).attachments == []


async def test_maps_are_shown_while_somebody_looks(kit: Kit) -> None:
    run = await kit.start(files={"pass.bpf.c": COUNTING_C})
    command = await run.send(BuildProgram, program="pass")
    result = await kit.out.told(ProgramResult, command=command.id)
    assert result.outcome == "attached", result.summary
    assert kit.out.of(MapsSeen) == [], "nobody looks"
    kit.runtime.set_watched({run.id})
    await run.shell(run.terminals[0], "ping -c 3 -i 0.2 10.0.0.2; echo do''ne", "done")

    def counted() -> bool:
        rows = [seen.rows for event in kit.out.of(MapsSeen) for seen in event.maps if seen.name == "seen"]
        return bool(rows) and rows[-1][1][0] == "IPV4" and cast(int, rows[-1][1][1]) >= 3

    await kit.out.until(counted, "three packets in the map, under the names that the object gives")
    seen = kit.out.of(MapsSeen)[-1].maps[0]
    assert (seen.node, seen.program, seen.type, seen.per_cpu) == ("server", "pass", "percpu_array", True)
    await run.send(DetachProgram, node="server", interface="eth0")
    await run.shell(run.terminals[1], "rm -rf /sys/fs/bpf/pass; echo go''ne", "gone")
    await kit.out.until(lambda: kit.out.of(MapsSeen)[-1].maps == [], "no map is left")


async def test_what_a_shell_wrote_a_moment_ago_is_built(kit: Kit) -> None:
    run = await kit.start()
    await run.shell(run.terminals[0], "sed -i s/XDP_PASS/XDP_PSAS/ /lab/pass.bpf.c; echo do''ne", "done")
    command = await run.send(BuildProgram, program="pass")
    result = await kit.out.told(ProgramResult, command=command.id)
    assert result.outcome == "build_failed"
    assert [(d.path, d.line) for d in result.diagnostics if d.severity == "error"] == [("pass.bpf.c", 7)]


async def test_checks_turn_green_by_themselves_while_somebody_looks(kit: Kit) -> None:
    run = await kit.start(open_step="attach")
    await asyncio.sleep(1.2)
    assert kit.out.of(CheckResult) == [], "nobody looks"
    kit.runtime.set_watched({run.id})
    first = await kit.out.told(CheckResult, step="attach")
    assert {v.check: v.passed for v in first.verdicts} == {"attached": False, "noted": False}
    assert all(v.observed and v.expected for v in first.verdicts)
    await run.send(BuildProgram, program="pass")
    await kit.out.until(lambda: _passed(kit, "attached"), "the first check green")
    await run.shell(run.terminals[0], "echo done > /lab/note.txt; echo re''ady", "ready")
    await kit.out.until(lambda: _passed(kit, "noted"), "the second check green")
    assert await _settles(lambda: len(kit.out.of(CheckResult)), 1.5), "only changes are told"
    command = await run.send(RunCheck, step="attach")
    asked = await kit.out.told(CheckResult, command=command.id)
    assert {v.check: v.passed for v in asked.verdicts} == {"attached": True, "noted": True}
    await run.send(OpenStep, step="mtu")
    assert not (await kit.out.told(CheckResult, step="mtu")).verdicts[0].passed
    kit.runtime.set_watched(set())
    assert await _settles(lambda: len(kit.out.events), 1.2), "a look that was under way ends"
    seen = len(kit.out.events)
    await run.shell(run.terminals[0], "ip link set eth0 mtu 1400; echo re''ady", "ready")
    await asyncio.sleep(1.2)
    assert kit.out.events[seen:] == []


async def test_a_program_attached_in_a_shell_is_told_while_somebody_looks(kit: Kit) -> None:
    run = await kit.start()
    kit.runtime.set_watched({run.id})
    assert (await kit.out.told(ProgramsChanged)).attachments == []
    if kit.is_vm:  # a machine of 256 MiB is no place for a compiler, and its root may take any loaded program
        await kit.out.told(ProgramResult, command=(await run.send(BuildProgram, program="pass")).id)
        attach = "ip link set dev eth0 xdp off; bpftool net attach xdpgeneric name pass dev eth0"
        await run.shell(run.terminals[1], f"bpftool prog pin name pass /sys/fs/bpf/kept; {attach} && echo re''ady", "ready")
    else:
        build = "clang -O2 -g -target bpf -I/usr/include/$(uname -m)-linux-gnu -c /lab/pass.bpf.c -o /tmp/p.o"
        attach = "ip link set dev eth0 xdpgeneric obj /tmp/p.o sec xdp"
        await run.shell(run.terminals[1], f"{build} && {attach} && echo re''ady", "ready")
    await kit.out.until(lambda: [a.mode for a in kit.out.of(ProgramsChanged)[-1].attachments] == ["generic"], "the attachment")
    if kit.is_vm:  # what was loaded long before is found as well
        await run.shell(run.terminals[1], "bpftool net detach xdpgeneric dev eth0; sleep 2; echo aw''ay", "away")
        await kit.out.until(lambda: kit.out.of(ProgramsChanged)[-1].attachments == [], "nothing attached")
        again = "bpftool net attach xdpgeneric pinned /sys/fs/bpf/kept dev eth0; echo ag''ain"
        await run.shell(run.terminals[1], again, "again")
        await kit.out.until(lambda: kit.out.of(ProgramsChanged)[-1].attachments != [], "the attachment of an old program")


async def test_counters_of_a_run(kit: Kit) -> None:
    run = await kit.start()
    kit.runtime.set_watched({run.id})
    schema = await kit.out.until(lambda: kit.out.schemas.get(run.id), "the schema")
    assert {(c.node, c.object) for c in schema.counters} >= {("client", "eth0"), ("server", "eth0")}
    assert schema.every_tick == kit.is_vm
    await kit.out.until(lambda: kit.out.bodies[run.id], "a sample")
    before = kit.out.bodies[run.id]
    kit.runtime.want_full_sample(run.id)
    await kit.out.until(lambda: kit.out.bodies[run.id] > before, "a full sample")
    await run.stop()
    assert await _settles(lambda: kit.out.bodies[run.id], 1.2), "samples of a run that is over"


async def test_a_solution_does_what_an_attendee_would(kit: Kit) -> None:
    run = await kit.start(files={"pass.bpf.c": "int broken(;\n"})
    command = await run.send(
        ApplySolution, step="attach",
        files=[LabFile(path="pass.bpf.c", content=PASS_C, version=2), LabFile(path="note.txt", content="done\n", version=1)],
        actions=[
            {"do": "load", "program": "pass", "expect": "build_failed"},
            {"do": "write", "file": "pass.bpf.c"}, {"do": "write", "file": "note.txt"}, {"do": "load", "program": "pass"},
            {"do": "run", "node": "client", "run": ["ping", "-c1", "-W1", "10.0.0.9"]},
        ],
    )
    done = await kit.out.told(CommandDone, command=command.id)
    assert "'ping -c1 -W1 10.0.0.9' ended with code 1" in done.what
    check = await run.send(RunCheck, step="attach")
    assert all(v.passed for v in (await kit.out.told(CheckResult, command=check.id)).verdicts)
    command = await run.send(ApplySolution, step="attach", actions=[{"do": "load", "program": "pass", "expect": "refused"}])
    assert "ended as attached" in (await kit.out.told(CommandFailed, command=command.id)).error.message
    command = await run.send(ApplySolution, step="attach", actions=[{"do": "detach", "node": "server", "interface": "eth0"}])
    await kit.out.told(CommandDone, command=command.id)


async def test_home_is_handed_up_as_a_tar(kit: Kit) -> None:
    run = await kit.start()
    await run.shell(run.terminals[0], "echo precious > /root/notes.txt; echo re''ady", "ready")
    command = await run.send(ExportHome, node="client")
    await kit.out.told(CommandDone, command=command.id)
    with tarfile.open(fileobj=io.BytesIO(kit.out.blobs[command.id]), mode="r:gz") as tar:
        member = tar.extractfile("./notes.txt")
        assert member is not None and member.read() == b"precious\n"
    await run.shell(run.terminals[0], "head -c 20000000 /dev/urandom > /root/big; echo re''ady", "ready")
    command = await run.send(ExportHome, node="client")
    assert (await kit.out.told(CommandFailed, command=command.id)).error.code is ErrorCode.FILE_TOO_LARGE


async def test_a_storm_sets_its_link_down_and_is_told(shared_kernel: Kit) -> None:
    kit = shared_kernel
    run = await kit.start()
    kit.runtime.storm(run.id, "client", "eth0", 900_000, 400_000)
    stopped = await kit.out.until(lambda: [e for e in kit.out.events if e.kind == "storm_stopped"], "the guard's word")
    assert (stopped[0].node, stopped[0].interface, stopped[0].pps) == ("client", "eth0", 900_000)
    await run.shell(run.terminals[0], "until ip -br link show dev eth0 | grep DO''WN; do sleep .1; done", "DOWN")


async def test_a_write_waits_behind_a_build_and_stays_in_order(kit: Kit) -> None:
    run = await kit.start()
    build = await run.send(BuildProgram, program="pass", load=False)
    write = await run.send(WriteFile, file=LabFile(path="pass.bpf.c", content="int x(;\n", version=2))
    again = await run.send(BuildProgram, program="pass", load=False)
    await kit.out.told(ProgramResult, command=again.id)
    told = [e.command for e in kit.out.events if e.kind in ("program_result", "command_done")]
    assert told == [build.id, write.id, again.id]
    assert [e.outcome for e in kit.out.of(ProgramResult)] == ["built", "build_failed"]


async def _settles(count: Callable[[], int], quiet_s: float, looks: int = 10) -> bool:
    """Nothing comes for a while; what was on its way before may still arrive."""
    for _ in range(looks):
        before = count()
        await asyncio.sleep(quiet_s)
        if count() == before:
            return True
    return False


def _passed(kit: Kit, check: str) -> bool:
    verdicts = [v for e in kit.out.of(CheckResult) for v in e.verdicts if v.check == check]
    return bool(verdicts) and verdicts[-1].passed
