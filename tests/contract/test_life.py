"""Start, stop, reset: whole or not at all, in visible steps, once each."""

import asyncio
import os
import signal

import pytest

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_run_id, new_terminal_id
from netlab.domain.lifecycle import RunState
from netlab.domain.placement import cost_of
from netlab.wire.commands import LabFile, OpenStep, OpenTerminal, ResetNode, ResetRun, StartRun, StopRun
from netlab.wire.events import (
    HostStepFinished,
    HostStepStarted,
    NodeReset,
    NodeStopped,
    RunStateChanged,
    TerminalClosed,
    TerminalOpened,
)
from tests.contract.kit import Kit, Run, lab

pytestmark = pytest.mark.kernel


async def test_start_tells_each_step_with_its_time_and_ends_running(kit: Kit) -> None:
    run = await kit.start()
    assert run.states == [RunState.STARTING, RunState.RUNNING]
    started = [e.key for e in kit.out.of(HostStepStarted)]
    finished = kit.out.of(HostStepFinished)
    assert sorted(started) == sorted(e.key for e in finished)
    if kit.is_vm:
        assert started[-2:] == ["clone", "personalise"], "a template before them, when there was none"
    else:
        assert started == [e.key for e in finished] == ["namespaces", "wires", "containers", "files", "terminals"]
    assert all(e.ok and e.ms > 0 and e.title for e in finished)
    assert [(e.terminal, e.node, e.title) for e in sorted(kit.out.of(TerminalOpened), key=lambda e: e.node)] == [
        (run.terminals[0], "client", "client"), (run.terminals[1], "server", "The server"),
    ]
    described, cost = kit.runtime.runs(), cost_of(lab(), kit.runtime_name)
    assert [(r.run, r.lab, r.state, r.generation) for r in described] == [(run.id, "contract", "running", 1)]
    assert [(r.memory_mb, r.cpu_percent) for r in described] == [(cost.memory_mb, cost.cpu_percent)]


async def test_nodes_can_reach_each_other_and_nothing_is_left_after_stop(kit: Kit) -> None:
    run = await kit.start()
    await run.shell(run.terminals[0], "ping -c1 -w30 10.0.0.2 | grep -o '[01] received'", "1 received")
    await run.stop()
    assert run.states[-2:] == [RunState.STOPPING, RunState.STOPPED]
    assert {e.terminal for e in kit.out.of(TerminalClosed)} == set(run.terminals)
    assert await kit.what_is_left() == []
    assert kit.runtime.runs() == []


async def test_a_doubled_start_changes_nothing(kit: Kit) -> None:
    run = await kit.start()
    before = len(kit.out.events)
    first = kit.out.of(RunStateChanged)[0]
    again = StartRun(
        id=str(first.command), run=run.id, generation=1, lab=lab(), lab_digest="d", files=[],
        runtime=kit.runtime_name, isolation=kit.isolation,
    )
    await kit.runtime.handle(again)
    assert len(kit.out.events) == before, "the very same command, delivered twice, is not even answered"
    command = await run.send_start()
    assert [(e.state, e.command) for e in kit.out.of(RunStateChanged)[-1:]] == [(RunState.RUNNING, command.id)]
    await asyncio.sleep(0.3)
    assert run.states == [RunState.STARTING, RunState.RUNNING, RunState.RUNNING]


async def test_a_late_command_is_refused_and_changes_nothing(kit: Kit) -> None:
    run = await kit.start()
    run.generation, seen = 3, len(kit.out.events)
    await run.send(ResetRun)
    await run.is_now(RunState.RUNNING, after=seen)
    for kind in (ResetRun, StopRun):
        with pytest.raises(NetlabError) as refused:
            await run.send(kind, generation=2)
        assert refused.value.code is ErrorCode.COMMAND_STALE
    assert kit.runtime.runs()[0].generation == 3


async def test_a_start_that_comes_after_its_stop_is_refused(kit: Kit) -> None:
    run = Run(kit, new_run_id(), [])
    await run.send(StopRun, generation=2)
    await run.is_now(RunState.STOPPED)
    with pytest.raises(NetlabError) as refused:
        await run.send_start()
    assert refused.value.code is ErrorCode.COMMAND_STALE
    assert await kit.what_is_left() == []


@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.05, 0.12, 0.18])
async def test_stop_during_start_cancels_it_and_leaves_nothing(kit: Kit, after_s: float) -> None:
    run = await kit.start(wait=False)
    await asyncio.sleep(after_s)
    await run.stop()
    assert run.states[-1] is RunState.STOPPED
    assert RunState.FAILED not in run.states
    assert await kit.what_is_left() == []
    assert kit.runtime.runs() == []


async def test_a_start_that_fails_is_told_with_an_id_and_leaves_nothing(kit: Kit) -> None:
    spec = lab()
    bad_node = spec.nodes[0].model_copy(update={"sysctls": {"net.ipv4.no_such_thing": 1}})
    broken = spec.model_copy(update={"nodes": [bad_node, spec.nodes[1]]})
    run = await kit.start(broken, wait=False)
    failed = await run.is_now(RunState.FAILED)
    assert failed.error is not None and failed.error.code is ErrorCode.START_FAILED
    assert failed.error.data["id"].startswith("b") and failed.error.data["id"] in failed.error.hint
    assert [e.key for e in kit.out.of(HostStepFinished) if not e.ok] == (["template"] if kit.is_vm else ["wires"])
    assert await kit.what_is_left() == []
    again = await run.send_start()
    assert kit.out.of(RunStateChanged)[-1].command == again.id, "the same start is answered with how it ended"
    assert run.states[-1] is RunState.FAILED


async def test_a_lab_that_cannot_be_right_is_refused_before_anything_is_built(kit: Kit) -> None:
    wrong = lab(links=[{"ends": ["client:eth0", "nobody:eth0"]}])
    with pytest.raises(NetlabError) as refused:
        await kit.start(wrong)
    assert refused.value.code is ErrorCode.LAB_INVALID and "nobody" in refused.value.message
    assert kit.out.events == [] and kit.runtime.runs() == []


async def test_commands_for_what_is_not_there_are_refused_with_what_is(kit: Kit) -> None:
    stranger = Run(kit, new_run_id(), [])
    with pytest.raises(NetlabError) as refused:
        await stranger.send(OpenStep, step="attach")
    assert refused.value.code is ErrorCode.RUN_NOT_RUNNING
    run = await kit.start()
    with pytest.raises(NetlabError) as refused:
        await run.send(OpenTerminal, terminal=new_terminal_id(), node="nobody")
    assert refused.value.code is ErrorCode.NODE_UNKNOWN and "client, server" in refused.value.hint
    with pytest.raises(NetlabError) as refused:
        await run.send(OpenStep, step="nowhere")
    assert refused.value.code is ErrorCode.STEP_UNKNOWN


async def test_reset_run_gives_new_nodes_and_new_shells_on_the_same_terminals(kit: Kit) -> None:
    run = await kit.start()
    client = run.terminals[0]
    await run.shell(client, "touch /root/mark; ip link set eth0 mtu 1300; echo REA''DY", "READY")
    extra = new_terminal_id()
    await run.send(OpenTerminal, terminal=extra, node="client")
    await kit.out.told(TerminalOpened, terminal=extra)
    seen = len(kit.out.events)
    run.generation = 2
    await run.send(ResetRun)
    await run.is_now(RunState.RUNNING, after=seen)
    assert run.states == [RunState.STARTING, RunState.RUNNING, RunState.RESETTING, RunState.RUNNING]
    assert {e.terminal for e in kit.out.of(TerminalClosed)} == {extra}
    assert sorted(e.terminal for e in kit.out.of(TerminalOpened)[3:]) == sorted(run.terminals)
    await run.shell(client, "ls /root/mark 2>&1; cat /sys/class/net/eth0/mtu; ls /lab", "pass.bpf.c")
    text = bytes(kit.out.output[client]).decode()
    assert "No such file" in text and "1500" in text


async def test_reset_run_keeps_files_unless_it_brings_others(kit: Kit) -> None:
    run = await kit.start()
    await run.shell(run.terminals[0], "echo mine > /lab/mine.txt; echo REA''DY", "READY")
    run.generation = 2
    seen = len(kit.out.events)
    await run.send(ResetRun)
    await run.is_now(RunState.RUNNING, after=seen)
    await run.shell(run.terminals[0], "cat /lab/mi*", "mine")
    run.generation = 3
    seen = len(kit.out.events)
    await run.send(ResetRun, files=[LabFile(path="start.c", content="int start;\n", version=9)])
    await run.is_now(RunState.RUNNING, after=seen)
    await run.shell(run.terminals[0], "echo $(ls /lab)-", "start.c-")


async def test_reset_node_leaves_the_other_node_as_it_is(kit: Kit) -> None:
    run = await kit.start()
    client, server = run.terminals
    await run.prompt(server)
    await run.shell(client, "ip addr flush dev eth0; touch /root/mark; echo REA''DY", "READY")
    await run.shell(server, "HERE=still; ip addr add 10.9.9.9/32 dev eth0; echo REA''DY", "READY")
    command = await run.send(ResetNode, node="client")
    assert (await kit.out.told(NodeReset, command=command.id)).node == "client"
    await run.shell(client, "ls /root/mark 2>&1; ping -c1 -w30 10.0.0.2 | grep -o '[01] received'", "1 received")
    await run.shell(server, "echo ${HERE}-there; ip addr show dev eth0", "still-there")
    await kit.out.said(server, b"10.9.9.9")
    assert kit.out.of(TerminalClosed) == []


async def test_many_at_once_wait_for_their_turn_and_say_so(kit: Kit) -> None:
    await (await kit.start()).stop()  # a machine's template is there now, so all of them come to the same place at once
    at_once = kit.config.vm_clones_at_once if kit.is_vm else kit.config.concurrent_starts
    runs = await asyncio.gather(*(kit.start(wait=False) for _ in range(at_once + 2)))  # one by one, the first may have ended
    for run in runs:
        await run.is_now(RunState.RUNNING)
    assert len({e.run for e in kit.out.of(HostStepFinished, key="turn")}) == 2
    assert len(kit.runtime.runs()) == len(runs)


async def test_a_node_whose_first_process_ends_is_told_and_a_reset_brings_it_back(shared_kernel: Kit) -> None:
    kit = shared_kernel
    run = await kit.start()
    await run.prompt(run.terminals[1])
    live = kit.runtime.namespaces.live(run.id)
    os.kill(live.nodes_there.places["server"].init_pid, signal.SIGKILL)
    await kit.out.told(NodeStopped, node="server")
    await kit.out.told(TerminalClosed, terminal=run.terminals[1])
    await run.shell(run.terminals[0], "ping -c1 -w30 10.0.0.1 | grep -o '[01] received'", "1 received")
    before = len(kit.out.events)
    await run.send(ResetNode, node="server")
    await kit.out.told(NodeReset, node="server", after=before)
    await kit.out.told(TerminalOpened, terminal=run.terminals[1], after=before)
    await run.shell(run.terminals[1], "ping -c1 -w30 10.0.0.1 | grep -o '[01] received'", "1 received")
    await run.stop()
    assert [e.node for e in kit.out.of(NodeStopped)] == ["server"], "a reset and a stop end nodes without a word"
