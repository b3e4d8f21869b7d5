"""Machines: clones of a template, what becomes of them, and that nothing of them stays."""

import asyncio
import os
import signal
import time
from contextlib import suppress

import pytest

from netlab.domain.ids import new_run_id
from netlab.host.kernel.cgroups import Hierarchies
from netlab.host.nodes.marks import cgroup_of
from netlab.host.vm.api import Ending, MachineFailed, Shape
from netlab.host.vm.machine import QemuMachine
from netlab.host.vm.qemu import CONSOLE_BYTES
from netlab.wire.host_report import Leftover
from tests.vm.kit import FIRST_UID, Line, Vms, ask, until

pytestmark = pytest.mark.kernel
SOON_S = 90.0


async def _ending(machine: QemuMachine) -> Ending:
    return await asyncio.wait_for(asyncio.shield(machine.ended), SOON_S)


async def test_a_clone_goes_on_where_its_template_stopped(host: Vms) -> None:
    first, second = await host.clone(), await host.clone()
    assert await ask(first, "recall") == "lab"
    assert await ask(first, "remember mine") == "ok"
    assert await ask(second, "recall") == "lab", "what one clone writes no other sees"
    assert await ask(await host.clone(), "recall") == "lab", "nor the template"
    assert await ask(first, "recall") == "mine"
    assert await ask(first, "cpus") == "1"
    assert "init=/usr/lib/netlab/init" in await ask(first, "cmdline")


async def test_a_clones_clock_goes_on_from_its_template(host: Vms) -> None:
    uptimes, lasted = [], []
    for _ in range(2):
        began = time.monotonic()
        uptimes.append(float(await ask(await host.clone(), "uptime")))
        lasted.append(time.monotonic() - began)
        await asyncio.sleep(2)
    assert abs(uptimes[1] - uptimes[0]) < max(lasted) + 0.5, "no leap over the time that it did not run"


async def test_a_killed_qemu_is_told_within_a_second(host: Vms) -> None:
    machine = await host.clone()
    began = time.monotonic()
    os.kill(machine.pid, signal.SIGKILL)
    ending = await _ending(machine)
    assert ending.cause == "killed" and "SIGKILL" in ending.why
    assert time.monotonic() - began < 1
    await machine.kill()
    await machine.kill()


async def test_a_panic_stops_the_machine_and_keeps_its_last_words(host: Vms) -> None:
    machine = await host.clone()
    (await Line.to(machine)).say("panic")
    assert (await _ending(machine)).cause == "panicked"
    assert await machine.status() == "guest-panicked"
    assert "sysrq triggered crash" in await machine.console()


@pytest.mark.parametrize(("line", "cause"), [("reboot", "rebooted"), ("poweroff", "powered_off"), ("leave", "panicked")])
async def test_what_a_guest_does_to_itself_is_told_apart(host: Vms, line: str, cause: str) -> None:
    machine = await host.clone()
    (await Line.to(machine)).say(line)
    assert (await _ending(machine)).cause == cause


async def test_a_machine_that_is_stopped_says_so(host: Vms) -> None:
    machine = await host.clone()
    await machine.kill()
    assert machine.ended.result().cause == "stopped"
    assert host.exists() == []


async def test_a_flood_on_the_console_is_cut(host: Vms) -> None:
    machine = await host.clone()
    log = host.config.run_dir / "vms" / machine.run / "qemu.log"
    assert await ask(machine, "flood 300") == "flooded"
    assert 0 < len(await machine.console()) <= CONSOLE_BYTES
    assert log.stat().st_size < 65_536
    assert await ask(machine, "ping") == "pong"


async def test_a_guest_that_fills_its_memory_harms_only_itself(host: Vms) -> None:
    other, machine = await host.clone(), await host.clone()
    line = await Line.to(machine)
    assert int(await line.ask(f"eat {machine.shape.memory_mb // 2}")) == machine.shape.memory_mb // 2
    assert not machine.ended.done(), "the group's limit leaves room for all of the guest's memory"
    line.say(f"eat {machine.shape.memory_mb * 2}")
    assert (await _ending(machine)).cause == "panicked", "its only process had to go"
    assert await ask(other, "ping") == "pong"


async def test_a_qemu_that_takes_more_than_its_group_may_is_told(host: Vms) -> None:
    machine = await host.clone()
    folder = Hierarchies.of_this_host().folders(cgroup_of(host.config.instance, machine.run))
    limits = [path for group in folder for name in ("memory.limit_in_bytes", "memory.max") if (path := group / name).exists()]
    assert len(limits) == 1
    used = limits[0].with_name("memory.usage_in_bytes" if "limit" in limits[0].name else "memory.current")
    limits[0].write_text(str(int(used.read_text()) + (8 << 20)))
    (await Line.to(machine)).say("eat 64")
    ending = await _ending(machine)
    assert ending.cause == "killed" and "memory" in ending.why


async def test_a_new_connection_to_the_port_ends_the_old(host: Vms) -> None:
    machine = await host.clone()
    old = await Line.to(machine)
    assert await old.ask("remember one") == "ok"
    new = await Line.to(machine)
    assert await new.ask("recall") == "one"
    assert old.writer.is_closing()


async def test_many_at_once_all_answer(host: Vms) -> None:
    template = await host.lab()
    machines = await asyncio.gather(*(host.clone(template) for _ in range(8)))
    assert await asyncio.gather(*(ask(machine, "recall") for machine in machines)) == ["lab"] * 8
    assert await host.machines.leftovers({machine.run for machine in machines}) == []
    assert await host.machines.leftovers({machine.run for machine in machines[1:]}) == [Leftover(kind="vm", name=machines[0].run)]


async def test_a_state_that_does_not_fit_is_a_failure_in_qemus_words(host: Vms) -> None:
    template = await host.lab()
    held = await host.machines.resident.hold(template)
    held.state = held.state[: len(held.state) // 2]
    held.release()
    with pytest.raises(MachineFailed, match=r"\w"):
        await host.clone(template)
    assert host.exists() == []


async def test_a_machine_removed_while_it_starts_leaves_nothing(host: Vms) -> None:
    template = await host.lab()
    for delay_ms in (0, 2, 5, 10, 20, 40, 60, 80, 110):
        run = new_run_id()
        starting = asyncio.create_task(host.machines.clone(run, template, FIRST_UID))
        await asyncio.sleep(delay_ms / 1000)
        await host.machines.remove(run)
        assert host.exists() == [], f"after {delay_ms} ms"
        with suppress(MachineFailed):
            await starting
        assert host.exists() == [], f"after {delay_ms} ms"


async def test_a_start_that_is_cancelled_leaves_nothing(host: Vms) -> None:
    template = await host.lab()
    for delay_ms in (0, 2, 5, 10, 20, 40, 60, 80, 110):
        starting = asyncio.create_task(host.machines.clone(new_run_id(), template, FIRST_UID))
        await asyncio.sleep(delay_ms / 1000)
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await (await starting).kill()
        assert host.exists() == [], f"after {delay_ms} ms"


async def test_a_fork_server_that_dies_while_a_machine_starts_leaves_nothing(host: Vms) -> None:
    template = await host.lab()
    starting = asyncio.create_task(host.machines.clone(new_run_id(), template, FIRST_UID))
    await until(lambda: (host.config.run_dir / "vms").is_dir(), "the start")
    os.kill(host.worker.pid, signal.SIGKILL)
    with suppress(MachineFailed):
        await (await starting).kill()
    assert host.exists() == []
    assert await ask(await host.clone(template), "ping") == "pong", "another fork server starts the next"


async def test_machines_have_the_shape_that_was_asked_for(host: Vms) -> None:
    machine = await host.clone(await host.lab("two", Shape(memory_mb=160, cpus=2)))
    assert await ask(machine, "cpus") == "2"
    assert machine.shape == Shape(160, 2)
