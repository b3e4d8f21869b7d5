"""The agent as a process, and machines: killed, it loses none of them; the operator's tools know them."""

import asyncio

import pytest

from netlab.domain.ids import new_command_id, new_terminal_id
from netlab.domain.lab import Isolation, RuntimeName
from netlab.domain.lifecycle import RunState
from netlab.wire.commands import BuildProgram, OpenTerminal, PauseRun, ResumeRun, StartRun, StopRun
from netlab.wire.events import RunStateChanged
from netlab.wire.host_report import HostReport
from netlab.wire.sync_streams import SyncStreams
from tests.agent.host import Host
from tests.contract.kit import keep_hypervisor
from tests.waiting import until

pytestmark = [pytest.mark.kernel, pytest.mark.stack, pytest.mark.timeout(500)]

BOOT_WITHIN_S = 240
"""The first test on a machine boots the guest once."""


def _start(host: Host) -> StartRun:
    return host.start_command().model_copy(update={"runtime": RuntimeName.VM, "isolation": Isolation.PRIVATE})


async def _report(host: Host) -> HostReport:
    """As soon as it is known whether VMs run here."""
    streams = SyncStreams(host.env["NETLAB_REDIS_URL"], host.config.instance)
    try:
        def settled() -> HostReport | None:
            report = streams.host_report(host.config.host_name)
            return report if report is not None and report.guest.state in ("ready", "cannot_boot", "absent") else None

        report = await until(settled, "a report on the guest", BOOT_WITHIN_S)
        keep_hypervisor(host.config)
        return report
    finally:
        streams.client.close()


async def test_the_report_says_how_it_stands_with_machines(host_of_machines: Host) -> None:
    host = host_of_machines
    report = await _report(host)
    guest = report.guest
    assert guest.state == "ready" and guest.acceleration in ("kvm", "tcg") and guest.kernel, guest
    assert {a.ability for a in guest.abilities if a.works} >= {"veth", "xdp_native", "netdevsim", "wireguard"}


async def test_a_killed_agent_loses_no_machine_no_shell_no_program_no_input(host_of_machines: Host) -> None:
    host = host_of_machines
    await _report(host)
    start = _start(host)
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
    terminal = new_terminal_id()
    await host.send(OpenTerminal(id=new_command_id(), run=start.run, generation=1, terminal=terminal, node="client"))
    await host.said(terminal, "# ")
    assert f"run {start.run}: running contract, a machine exists" in host.tool("inventory").stdout
    assert "leftover" not in host.tool("inventory").stdout
    await host.send(StopRun(id=new_command_id(), run=start.run, generation=2))
    await host.told(start.run, kind="run_state", state=RunState.STOPPED)
    assert "nothing of this instance exists" in host.tool("inventory").stdout


async def test_a_start_that_was_under_way_is_begun_again(host_of_machines: Host) -> None:
    host = host_of_machines
    await _report(host)
    start = _start(host)
    await host.send(start)
    host.kill("agent")
    host.start("agent")
    await host.told(start.run, kind="run_state", state=RunState.RUNNING)
    await host.said(start.terminals[0], "# ")


async def test_a_machine_that_ended_while_no_agent_was_there_is_told_as_broken(host_of_machines: Host) -> None:
    host = host_of_machines
    await _report(host)
    start = _start(host)
    await host.send(start)
    await host.said(start.terminals[0], "# ")
    await host.type(start.run, start.terminals[0], "sleep 2; echo o > /proc/sysrq-trigger\n")
    await asyncio.sleep(0.5)
    host.kill("agent")
    await asyncio.sleep(4)
    host.start("agent")
    broken = await host.told(start.run, kind="run_state", state=RunState.BROKEN)
    assert isinstance(broken, RunStateChanged) and broken.error is not None


async def test_clean_takes_running_and_sleeping_machines_away(host_of_machines: Host) -> None:
    host = host_of_machines
    await _report(host)
    running, asleep = _start(host), _start(host)
    await host.send(running, asleep)
    for start in (running, asleep):
        await host.told(start.run, kind="run_state", state=RunState.RUNNING)
    await host.send(PauseRun(id=new_command_id(), run=asleep.run, generation=1))
    await host.told(asleep.run, kind="run_state", state=RunState.PAUSED)
    host.end("agent")
    inventory = host.tool("inventory").stdout
    assert f"run {asleep.run}: paused contract" in inventory and f"run {running.run}: running contract, a machine" in inventory
    assert host.tool("clean").returncode == 0
    assert "nothing of this instance exists" in host.tool("inventory").stdout
    assert not any((host.config.state_dir / "vms").iterdir())


async def test_a_sleeping_machine_is_woken_by_another_agent(host_of_machines: Host) -> None:
    host = host_of_machines
    await _report(host)
    start = _start(host)
    client = start.terminals[0]
    await host.send(start)
    await host.said(client, "# ")
    await host.type(start.run, client, "KEPT=va''lue; echo do''ne\n")
    await host.said(client, "done")
    await host.send(PauseRun(id=new_command_id(), run=start.run, generation=1))
    await host.told(start.run, kind="run_state", state=RunState.PAUSED)
    host.kill("agent")
    host.start("agent")
    await host.send(ResumeRun(id=new_command_id(), run=start.run, generation=1))
    await host.told(start.run, kind="host_step_finished", key="resume", ok=True)
    await host.type(start.run, client, "echo $KEPT-there\n")
    await host.said(client, "value-there")


async def test_redis_away_for_a_while_loses_no_byte_of_a_machine(host_of_machines: Host) -> None:
    host = host_of_machines
    await _report(host)
    start = _start(host)
    client = start.terminals[0]
    await host.send(start)
    await host.said(client, "# ")
    await host.type(start.run, client, "for i in $(seq 300); do echo line-$i-; sleep 0.01; done; echo en''d\n")
    await host.said(client, "line-20-")
    host.end("redis")
    await asyncio.sleep(1.5)
    host.start_redis()
    await host.said(client, "end")
    text = (await host.output(client)).decode()
    assert [f"line-{i}-" in text for i in range(1, 301)] == [True] * 300
