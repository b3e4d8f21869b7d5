"""The agent as a process: killed, ended, without Redis, with strangers at its socket. No shell and no event is lost."""

import asyncio
import os
import signal
import socket
import subprocess
import sys

import pytest

from netlab.domain.errors import ErrorCode
from netlab.domain.ids import new_command_id, new_terminal_id
from netlab.domain.lifecycle import RunState
from netlab.host.holder.client import HolderClient
from netlab.wire.commands import BuildProgram, OpenStep, OpenTerminal, ResetRun, StopRun
from netlab.wire.events import CheckResult, ProgramsChanged, RunStateChanged, TerminalClosed, TerminalOpened
from netlab.wire.framing import pack
from tests.agent.host import WITHIN_S, Host
from tests.waiting import until

pytestmark = [pytest.mark.kernel, pytest.mark.stack]
ATTEMPTS = 5
"""A start may be over before this process comes to kill the agent."""


async def test_killed_agent_loses_no_shell_no_program_no_input(host: Host) -> None:
    start = host.start_command(open_step="attach")
    client, server = start.terminals
    await host.send(start)
    await host.said(client, "# ")
    await host.type(start.run, client, "KEPT=va''lue; cd /root; sleep 1000 &\n")
    await host.said(client, "[1]")
    await host.send(BuildProgram(id=new_command_id(), run=start.run, generation=1, program="pass"))
    await host.told(start.run, kind="program_result", outcome="attached")
    before = await host.output(client)

    host.kill("agent")
    await host.type(start.run, client, "echo $KEPT-$PWD; jobs\n")  # typed while nobody serves
    host.start("agent")

    await host.said(client, "value-/root")
    await host.said(client, "Running")
    assert (await host.output(client)).startswith(before), "the scrollback goes on where it was"
    await host.type(start.run, server, "ip link show dev eth0 | grep -o 'prog/x''dp'\n")
    await host.said(server, "prog/xdp")
    await host.web.watch(start.run)
    checks = await host.told(start.run, kind="check_result")
    assert isinstance(checks, CheckResult) and {v.check: v.passed for v in checks.verdicts}["attached"]
    attached = await host.told(start.run, kind="programs")
    assert isinstance(attached, ProgramsChanged) and len(attached.attachments) == 1
    assert (await host.states(start.run))[-1] == "running"

    terminal = new_terminal_id()
    await host.send(OpenTerminal(id=new_command_id(), run=start.run, generation=1, terminal=terminal, node="client"))
    await host.said(terminal, "# ")
    await host.send(StopRun(id=new_command_id(), run=start.run, generation=2))
    await host.told(start.run, kind="run_state", state=RunState.STOPPED)
    assert "nothing of this instance exists" in host.tool("inventory").stdout


async def test_children_of_a_killed_agent_end_by_themselves(host: Host) -> None:
    agent = host.processes["agent"].pid
    children = _children(agent)
    assert len(children) >= 2, "the sampler and the fork server"
    host.kill("agent")
    await until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children), "the children's end", WITHIN_S)


async def test_a_start_that_was_under_way_is_begun_again(host: Host) -> None:
    for _ in range(ATTEMPTS):
        start = host.start_command()
        await host.send(start)
        host.kill("agent")
        was_under_way = "running" not in await host.states(start.run)
        host.start("agent")
        if was_under_way:
            break
    assert was_under_way, "no start was slower than its killer"
    await host.told(start.run, kind="run_state", state=RunState.RUNNING)
    await host.said(start.terminals[0], "# ")


async def test_a_stop_that_was_under_way_is_finished(host: Host) -> None:
    start = host.start_command()
    await host.send(start)
    await host.told(start.run, kind="run_state", state=RunState.RUNNING)
    await host.send(StopRun(id=new_command_id(), run=start.run, generation=2))
    host.kill("agent")
    host.start("agent")
    await host.told(start.run, kind="run_state", state=RunState.STOPPED)
    assert "nothing of this instance exists" in host.tool("inventory").stdout


async def test_a_reset_that_was_under_way_is_finished(host: Host) -> None:
    start = host.start_command()
    await host.send(start)
    await host.told(start.run, kind="run_state", state=RunState.RUNNING)
    await host.type(start.run, start.terminals[0], "touch /root/old; echo ma''de\n")
    await host.said(start.terminals[0], "made")  # what is typed later goes to the new shell
    await host.send(ResetRun(id=new_command_id(), run=start.run, generation=2))
    await asyncio.sleep(0.05)
    host.kill("agent")
    host.start("agent")
    await host.serves()
    await host.told(start.run, kind="run_state", state=RunState.RUNNING, generation=2)
    await host.type(start.run, start.terminals[0], "ls /root/old 2>&1\n")
    await host.said(start.terminals[0], "No such file")


async def test_a_run_that_is_not_whole_any_more_is_failed_and_removed(host: Host) -> None:
    start = host.start_command()
    await host.send(start)
    await host.told(start.run, kind="run_state", state=RunState.RUNNING)
    host.kill("agent")
    await asyncio.to_thread(_unmount, f"/run/netns/nl.{host.config.instance}.{start.run}.server")
    host.start("agent")
    failed = await host.told(start.run, kind="run_state", state=RunState.FAILED)
    assert isinstance(failed, RunStateChanged) and failed.error is not None and failed.error.code is ErrorCode.RUN_LOST
    closed = {e.terminal for e in await host.events(start.run) if isinstance(e, TerminalClosed)}
    assert closed == set(start.terminals)
    assert "nothing of this instance exists" in host.tool("inventory").stdout


async def test_ended_agent_leaves_everything_running(host: Host) -> None:
    start = host.start_command()
    await host.send(start)
    await host.said(start.terminals[0], "# ")
    await host.type(start.run, start.terminals[0], "KEPT=va''lue\n")
    await asyncio.sleep(0.3)
    assert host.end("agent") == 0
    assert not host.config.agent_socket.exists()
    assert start.run in host.tool("inventory").stdout
    host.start("agent")
    await host.type(start.run, start.terminals[0], "echo $KEPT-there\n")
    await host.said(start.terminals[0], "value-there")


async def test_a_restarted_holder_gets_the_terminals_again(host: Host) -> None:
    start = host.start_command()
    await host.send(start)
    await host.said(start.terminals[0], "# ")
    await host.type(start.run, start.terminals[0], "KEPT=va''lue\n")
    host.kill("holder")
    host.start("holder")
    await until(lambda: _is_held(host, set(start.terminals)), "the terminals to be given to it", WITHIN_S)
    host.kill("agent")
    host.start("agent")
    await host.type(start.run, start.terminals[0], "echo $KEPT-there\n")
    await host.said(start.terminals[0], "value-there")


async def test_without_a_holder_declared_terminals_get_new_shells(host: Host) -> None:
    start = host.start_command()
    extra = new_terminal_id()
    await host.send(start, OpenTerminal(id=new_command_id(), run=start.run, generation=1, terminal=extra, node="client"))
    await host.said(extra, "# ")
    host.kill("agent")
    host.kill("holder")
    host.start("agent")
    closed = await host.told(start.run, kind="terminal_closed")
    assert isinstance(closed, TerminalClosed) and closed.terminal == extra and "restarted" in closed.reason
    await host.type(start.run, start.terminals[0], "echo ne''w\n")
    await host.said(start.terminals[0], "new")
    async def opened() -> list[str]:
        return [e.terminal for e in await host.events(start.run) if isinstance(e, TerminalOpened)]

    async def both_again() -> bool:
        return len(await opened()) >= 5

    await until(both_again, "the other terminal, too", WITHIN_S)
    assert sorted(await opened()) == sorted([*start.terminals, *start.terminals, extra])


async def test_redis_away_for_a_while_loses_no_event_and_no_byte(host: Host) -> None:
    start = host.start_command()
    client = start.terminals[0]
    await host.send(start)
    await host.said(client, "# ")
    await host.type(start.run, client, "for i in $(seq 400); do echo line-$i-; sleep 0.005; done; echo en''d\n")
    await host.said(client, "line-20-")
    host.end("redis")
    step = OpenStep(id=new_command_id(), run=start.run, generation=1, step="mtu")
    await host.send(step)
    await asyncio.sleep(1.5)
    host.start_redis()
    await host.said(client, "end")
    text = (await host.output(client)).decode()
    assert [f"line-{i}-" in text for i in range(1, 401)] == [True] * 400
    done = await host.told(start.run, kind="command_done")
    assert done.command == step.id
    await host.type(start.run, client, "echo ali''ve\n")
    await host.said(client, "alive")


async def test_report_says_what_the_host_can_and_has(host: Host) -> None:
    from netlab.wire.sync_streams import SyncStreams

    streams = SyncStreams(host.env["NETLAB_REDIS_URL"], host.config.instance)
    try:
        report = await until(lambda: _probed(streams, host), "the probe's result", WITHIN_S)
    finally:
        streams.client.close()
    assert {a.ability: a.works for a in report.abilities}["veth"]
    assert report.memory_budget_mb > 0 and report.cpu_budget_percent >= 2000


async def _probed(streams, host: Host):  # type: ignore[no-untyped-def]
    report = streams.host_report(host.config.host_name)
    return report if report and report.abilities else None


async def test_only_root_and_the_worker_may_speak(host: Host) -> None:
    path = str(host.config.agent_socket)
    script = (
        "import os, socket, sys\n"
        "os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[1]))\n"
        "s = socket.socket(socket.AF_UNIX); s.settimeout(30)\n"
        "s.connect(sys.argv[3]); s.sendall(sys.stdin.buffer.read()); print(s.recv(4096)[4:].decode())\n"
    )
    frame = pack(StopRun(id=new_command_id(), run="r0000000000", generation=1).model_dump_json().encode())

    def speak(uid: int, gid: int) -> "subprocess.CompletedProcess[bytes]":
        words = [sys.executable, "-c", script, str(uid), str(gid), path]
        return subprocess.run(words, input=frame, capture_output=True, check=False)

    worker = host.config.worker_uid
    assert b'"error":null' in speak(worker, worker).stdout
    assert b"PermissionError" in speak(65533, 65533).stderr, "does not even get to the socket"
    stranger = speak(65533, worker)
    assert b'"error"' not in stranger.stdout, "the group alone is not enough"


async def test_nonsense_on_the_socket_is_answered_and_harms_nobody(host: Host) -> None:
    async def ask(body: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(host.config.agent_socket))
        writer.write(body)
        answer = await reader.read(4096)
        writer.close()
        return answer

    assert b"bad_message" in await ask(pack(b'{"kind":"format_disk"}'))
    assert b"bad_message" in await ask(pack(b"\xff\xfe"))
    assert await ask(b"\xff\xff\xff\xff") == b""
    with socket.socket(socket.AF_UNIX) as hung_up:
        hung_up.connect(str(host.config.agent_socket))
        hung_up.sendall(b"\x00\x00")
    assert b"run_not_running" in await ask(pack(OpenStep(
        id=new_command_id(), run="r0000000000", generation=1, step="x").model_dump_json().encode()))


async def test_a_second_agent_of_the_same_instance_refuses_to_start(host: Host) -> None:
    second = await asyncio.to_thread(host.tool, "agent")
    assert second.returncode == 1 and "running already" in second.stderr
    assert host.processes["agent"].poll() is None


async def test_clean_removes_runs_and_puts_sysctls_back(host: Host) -> None:
    start = host.start_command()
    await host.send(start)
    await host.told(start.run, kind="run_state", state=RunState.RUNNING)
    host.processes["agent"].send_signal(signal.SIGTERM)
    host.processes.pop("agent").wait()
    cleaned = host.tool("clean")
    assert (cleaned.returncode, cleaned.stderr.count("Traceback")) == (0, 0)
    assert "nothing of this instance exists" in host.tool("inventory").stdout
    assert not list((host.config.state_dir / "runs").glob("r*.json"))


async def _is_held(host: Host, terminals: set[str]) -> bool:
    try:
        return set(await HolderClient(host.config.holder_socket).ids()) == terminals
    except OSError:  # it is just starting
        return False


def _unmount(path: str) -> None:
    subprocess.run(["umount", path], check=True)


def _children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [int(word) for word in children.read().split()]
