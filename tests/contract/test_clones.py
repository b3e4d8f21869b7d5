"""What only machines do: they are put to sleep and woken, and no clone shares with another what must be its own."""

import re
import time

import pytest

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lifecycle import RunState
from netlab.wire.commands import BuildProgram, LabFile, PauseRun, ResetRun, ResumeRun, WriteFile
from netlab.wire.events import CommandDone, ProgramResult
from tests.contract.kit import Kit, Run

pytestmark = pytest.mark.kernel

ISN_TICK_NS = 64
"""What a TCP sequence number counts beside its secret (net/core/secure_seq.c)."""
ISN_LOOSE = 100_000_000 // ISN_TICK_NS
"""A tenth of a second: between a packet's time and its sequence number's."""
SAME_FOUR = 40_000
"""The client's port, the same in every clone, as are addresses and the server's port."""


async def test_a_paused_run_holds_nothing_and_goes_on_where_it_was(vm: Kit) -> None:
    run = await vm.start()
    client, server = run.terminals
    await run.shell(client, "KEPT=va''lue; cd /root; sleep 1000 & echo do''ne", "done")
    await vm.out.told(ProgramResult, command=(await run.send(BuildProgram, program="pass")).id)
    before = bytes(vm.out.output[client])
    await run.send(PauseRun)
    await run.is_now(RunState.PAUSED)
    assert await vm.what_is_left() == [], "no process, no group, no uid"
    described = vm.runtime.runs()[0]
    assert (described.state, described.memory_mb, described.cpu_percent) == ("paused", 0, 0)
    memory = vm.config.state_dir / "vms" / run.id
    assert {oct(path.stat().st_mode & 0o777) for path in memory.iterdir()} == {"0o600"}
    assert memory.stat().st_mode & 0o077 == 0
    written = await run.send(WriteFile, file=LabFile(path="late.c", content="int late;\n", version=1))
    await vm.out.told(CommandDone, command=written.id)
    seen, began = len(vm.out.events), time.monotonic()
    await run.send(ResumeRun)
    await run.is_now(RunState.RUNNING, after=seen)
    took_s = time.monotonic() - began
    await vm.out.told(CommandDone, after=seen, what="late.c was written")
    await run.shell(client, "echo $KEPT-$PWD; jobs; cat /lab/la*", "int late;")
    text = bytes(vm.out.output[client])
    assert b"value-/root" in text and b"Running" in text and text.startswith(before)
    await run.shell(server, "ip link show dev eth0 | grep -o 'prog/x''dp'", "prog/xdp")
    asked_at = time.time()
    await run.shell(server, "date +no''w-%s-", "now-")
    assert asked_at - 3 < _number(vm, server, rb"now-(\d+)-") < time.time() + 3, "the clock was put right"
    assert not memory.exists()
    assert took_s < 15, "a second on a host that has time"


async def test_a_paused_run_outlives_the_agent_and_can_be_reset(vm: Kit) -> None:
    run = await vm.start()
    await run.shell(run.terminals[0], "echo mine > /lab/mine.txt; echo do''ne", "done")
    await run.send(PauseRun)
    await run.is_now(RunState.PAUSED)
    await vm.close()
    await vm.open()
    assert vm.runtime.runs()[0].state == "paused"
    run.generation, seen = 2, len(vm.out.events)
    await run.send(ResetRun)
    await run.is_now(RunState.RUNNING, after=seen)
    await run.shell(run.terminals[0], "cat /lab/mi*; echo do''ne", "done")
    assert b"mine\r\n" in vm.out.output[run.terminals[0]]


async def test_a_run_on_a_shared_kernel_says_that_it_cannot(shared_kernel: Kit) -> None:
    run = await shared_kernel.start()
    with pytest.raises(NetlabError) as refused:
        await run.send(PauseRun)
    assert refused.value.code is ErrorCode.CANNOT_PAUSE and "shares" in refused.value.message
    seen = len(shared_kernel.out.events)
    resumed = await run.send(ResumeRun)
    assert (await run.is_now(RunState.RUNNING, after=seen)).command == resumed.id


async def test_machines_outlive_the_agent_with_shells_and_programs(vm: Kit) -> None:
    run = await vm.start()
    client, server = run.terminals
    await run.shell(client, "KEPT=va''lue; echo do''ne", "done")
    await vm.out.told(ProgramResult, command=(await run.send(BuildProgram, program="pass")).id)
    before = bytes(vm.out.output[client])
    await vm.close()
    seen = len(vm.out.events)
    await vm.open()
    await run.is_now(RunState.RUNNING, after=seen)
    await run.shell(client, "echo $KEPT-again", "value-again")
    assert bytes(vm.out.output[client]).startswith(before)
    await run.shell(server, "ip link show dev eth0 | grep -o 'prog/x''dp'", "prog/xdp")
    await run.stop()
    assert await vm.what_is_left() == []


OWN = {
    "random numbers": "head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \\n'",
    "kernel's uuids": "cat /proc/sys/kernel/random/uuid",
    "machine id": "nsenter -t 1 -m -u cat /etc/machine-id",
    "boot id": "cat /proc/sys/kernel/random/boot_id",
    "host name": "nsenter -t 1 -u hostname",
    "shells' random numbers": "python3 -c 'import random; print(random.getrandbits(64))'",
}
"""What must differ between two clones, and how it is seen."""


async def test_no_clone_shares_what_must_be_its_own(vm: Kit) -> None:
    one, two = await vm.start(), await vm.start()
    for what, line in OWN.items():
        said = [await _printed(run, line) for run in (one, two)]
        assert said[0] and said[1] and said[0] != said[1], f"{what}: {said}"
    for run in (one, two):
        assert await _printed(run, "ls /etc/ssh/ssh_host_*_key 2>/dev/null | wc -l") == "0", "no key in the template"
        asked_at = time.time()
        assert asked_at - 3 < float(await _printed(run, "date +%s.%N")) < time.time() + 3


async def test_tcp_sequence_numbers_are_each_clones_own(vm: Kit) -> None:
    """Two connections between the same four numbers: in one machine the clock alone makes the difference."""
    one, two = await vm.start(), await vm.start()
    for _ in range(5):  # a machine that is held up between number and packet tells nothing
        first, again, other = await _isn(one), await _isn(one), await _isn(two)
        if _beyond_the_clock(first, again) < ISN_LOOSE:
            break
    assert _beyond_the_clock(first, again) < ISN_LOOSE, "the test itself can tell"
    assert _beyond_the_clock(first, other) > ISN_LOOSE


async def _isn(run: Run) -> tuple[float, int]:
    """(time, sequence number) of a SYN on the wire."""
    tool = f"import socket; s = socket.socket(); s.setsockopt(1, 2, 1); s.bind(('10.0.0.1', {SAME_FOUR})); s.settimeout(3)"
    connect = f"{tool}; s.connect_ex(('10.0.0.2', 9))"
    capture = "timeout 60 tcpdump -l -tt -n -S -i eth0 -c 1 'tcp[tcpflags] = tcp-syn'"
    begin = f"rm -f /tmp/syn /tmp/said; ({capture} > /tmp/syn 2> /tmp/said &)"
    listens, seen = (f"until grep -qs {what}; do sleep .1; done" for what in ("listening /tmp/said", "seq /tmp/syn"))
    line = f'{begin}; {listens}; python3 -c "{connect}"; {seen}; cat /tmp/syn'
    said = await _printed(run, line)
    found = re.search(r"([\d.]+) IP .* seq (\d+)", said)
    assert found, said
    return float(found[1]), int(found[2])


def _beyond_the_clock(one: tuple[float, int], two: tuple[float, int]) -> int:
    """How far two sequence numbers are apart beside the time between them."""
    ticks = round((two[0] - one[0]) * 1e9 / ISN_TICK_NS)
    apart = (two[1] - one[1] - ticks) % (1 << 32)
    return min(apart, (1 << 32) - apart)


async def _printed(run: Run, line: str) -> str:
    """What a line prints in the client's terminal."""
    out, terminal = run.kit.out, run.terminals[0]
    await run.prompt(terminal)
    start = len(out.output[terminal])
    run.type(terminal, f"echo; echo BE''GIN; {line}; echo; echo E''ND\n")
    await out.said(terminal, b"END\r\n", after=start)
    run.ack(terminal, out.end_offset[terminal])
    text = bytes(out.output[terminal][start:]).decode(errors="replace")
    return text.split("BEGIN\r\n", 1)[1].split("END\r\n", 1)[0].strip()


def _number(kit: Kit, terminal: str, pattern: bytes) -> float:
    found = re.findall(pattern, bytes(kit.out.output[terminal]))
    return float(found[-1])
