"""Machines outlive the agent: it is killed, and the next one finds what became of them."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from netlab.domain.ids import new_run_id
from netlab.host.kernel.cgroups import Hierarchies
from netlab.host.nodes import marks
from netlab.host.vm.machine import QemuMachine
from netlab.wire.host_report import Leftover
from tests.vm.kit import Line, Vms, ask, until
from tests.waiting import until as until_awaited

pytestmark = pytest.mark.kernel
TOP = Path(__file__).parents[2]
SOON_S = 60.0


async def _machine_of_a_killed_agent(host: Vms) -> tuple[str, int]:
    """Its run and QEMU's pid."""
    run, config = new_run_id(), host.config
    await host.lab()
    arguments = [config.instance, config.run_dir, config.templates_dir, host.image.folder, host.image.digest, run]
    agent = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.vm.dying_agent", *map(str, arguments),
        cwd=TOP, stdout=subprocess.PIPE, start_new_session=True,
    )
    assert agent.stdout
    pid = int(await asyncio.wait_for(agent.stdout.readline(), 120))
    os.killpg(agent.pid, signal.SIGKILL)
    await agent.wait()
    return run, pid


async def test_a_machine_is_found_again_and_goes_on(host: Vms) -> None:
    run, pid = await _machine_of_a_killed_agent(host)
    assert await host.machines.owned_runs() == {run}
    assert await host.machines.leftovers(set()) == [Leftover(kind="vm", name=run)]
    machine = await host.machines.adopt(run)
    assert machine is not None and machine.pid == pid and not machine.ended.done()
    assert await host.machines.adopt(run) is machine
    assert await ask(machine, "recall") == "before"
    (await Line.to(machine)).say("panic")
    assert (await asyncio.wait_for(asyncio.shield(machine.ended), SOON_S)).cause == "panicked"


async def test_an_adopted_machine_that_is_killed_is_told(host: Vms) -> None:
    run, pid = await _machine_of_a_killed_agent(host)
    machine = await host.machines.adopt(run)
    assert machine is not None
    os.kill(pid, signal.SIGKILL)
    assert (await asyncio.wait_for(asyncio.shield(machine.ended), SOON_S)).cause == "killed"


@pytest.mark.parametrize(("line", "cause"), [("panic", "panicked"), ("poweroff", "powered_off")])
async def test_what_happened_while_nobody_listened_is_known(host: Vms, line: str, cause: str) -> None:
    machine = await host.clone()
    port = await Line.to(machine)
    await host.machines.close()
    _, writer = await asyncio.open_unix_connection(str(host.config.run_dir / "vms" / machine.run / "port"))
    writer.write(line.encode() + b"\n")
    status = {"panicked": "guest-panicked", "powered_off": "shutdown"}[cause]
    await until_awaited(lambda: _is(host, machine.run, status), f"QEMU to see that it has {cause}", SOON_S)
    writer.close()
    assert port.writer.is_closing()
    again = await host.machines.adopt(machine.run)
    assert again is not None and again.ended.done() and again.ended.result().cause == cause


async def _is(host: Vms, run: str, status: str) -> bool:
    """Asked on a connection of its own, which hears of nothing that has happened before and is gone afterwards."""
    reader, writer = await asyncio.open_unix_connection(str(host.config.run_dir / "vms" / run / "monitor"))
    try:
        await reader.readline()
        answer = {}
        for name in ("qmp_capabilities", "query-status"):
            writer.write(json.dumps({"execute": name}).encode() + b"\n")
            while "return" not in (answer := json.loads(await reader.readline())):  # an event may come between
                assert "error" not in answer, answer
        return bool(answer["return"]["status"] == status)
    finally:
        writer.close()


async def test_one_that_was_being_put_away_when_the_agent_was_killed_goes_on(host: Vms) -> None:
    machine = await host.clone()
    assert isinstance(machine, QemuMachine)
    await ask(machine, "remember before")
    await machine.execute("stop")
    await host.machines.close()
    again = await host.machines.adopt(machine.run)
    assert again is not None and await ask(again, "recall") == "before"


async def test_a_machine_that_ended_meanwhile_is_none_and_can_be_removed(host: Vms) -> None:
    run, pid = await _machine_of_a_killed_agent(host)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not Path(f"/proc/{pid}/root").exists() or not os.path.exists(f"/proc/{pid}/fd/3"), "its end")
    assert await host.machines.adopt(run) is None
    await host.machines.remove(run)
    assert host.exists() == []
    assert await host.machines.adopt(new_run_id()) is None


async def test_another_process_with_its_pid_is_not_it(host: Vms) -> None:
    machine = await host.clone()
    await host.machines.close()
    mark = host.config.run_dir / "vms" / machine.run / "mark.json"
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"started": 1}))
    assert await host.machines.adopt(machine.run) is None
    mark.write_text("{cut of")
    assert await host.machines.adopt(machine.run) is None
    await host.machines.remove(machine.run)
    assert host.exists() == [], "its group tells what belongs to it"


async def test_sandboxed_nodes_leave_machines_alone(host: Vms) -> None:
    machine = await host.clone()
    found = marks.look(host.config.instance, host.config.run_dir, Hierarchies.of_this_host(), [])
    assert machine.run not in found.runs()
    assert found.leftovers(set()) == []
