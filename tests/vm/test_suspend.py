"""Pausing: a machine's whole state goes to disk, nothing of it is held, and it goes on later."""

import asyncio
import errno
import os
import time
from pathlib import Path

import pytest

from netlab.host.vm.api import MachineFailed
from tests.vm.kit import FIRST_UID, Vms, ask, run

pytestmark = pytest.mark.kernel
AWAY_S = 2.0


async def test_a_machine_is_put_away_and_goes_on(host: Vms, tmp_path: Path) -> None:
    template, folder = await host.lab(), tmp_path / "paused"
    machine = await host.clone(template)
    assert await ask(machine, "remember paused") == "ok"
    before = await ask(machine, "random")
    asked, uptime = time.monotonic(), float(await ask(machine, "uptime"))
    await machine.suspend(folder)
    assert host.exists() == []
    assert machine.ended.result().cause == "stopped"
    assert [path.name for path in folder.iterdir()] == ["state"]
    state = (folder / "state").stat()
    assert state.st_mode & 0o777 == 0o600 and state.st_uid == 0 and folder.stat().st_mode & 0o777 == 0o700
    await asyncio.sleep(AWAY_S)

    began = time.monotonic()
    again = await host.machines.resume(machine.run, folder, template, FIRST_UID)
    assert await ask(again, "recall") == "paused"
    assert time.monotonic() - began < 5, "a second on a quiet machine"
    grown = float(await ask(again, "uptime")) - uptime
    assert grown < time.monotonic() - asked - AWAY_S + 0.1, "its clock stood still"
    assert await ask(again, "random") != before

    await again.suspend(folder)
    once_more = await host.machines.resume(machine.run, folder, template, FIRST_UID)
    assert await ask(once_more, "recall") == "paused"


async def test_a_full_disk_is_told_and_the_machine_goes_on(host: Vms, tmp_path: Path) -> None:
    machine = await host.clone()
    small = tmp_path / "small"
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=4m", "small", small)
    try:
        with pytest.raises(OSError) as told:
            await machine.suspend(small)
        assert told.value.errno == errno.ENOSPC
        assert list(small.iterdir()) == []
        assert await ask(machine, "recall") == "lab"
        assert not machine.ended.done()
    finally:
        run("umount", small)
    await machine.suspend(tmp_path / "large")


async def test_what_is_cut_off_does_not_go_on(host: Vms, tmp_path: Path) -> None:
    template, folder = await host.lab(), tmp_path / "paused"
    machine = await host.clone(template)
    await machine.suspend(folder)
    os.truncate(folder / "state", (folder / "state").stat().st_size // 2)
    with pytest.raises(MachineFailed):
        await host.machines.resume(machine.run, folder, template, FIRST_UID)
    assert host.exists() == []


async def test_a_pause_that_is_cancelled_lets_the_machine_go_on(host: Vms, tmp_path: Path) -> None:
    machine = await host.clone()
    for delay_ms in (0, 1, 3, 10, 30):
        pausing = asyncio.create_task(machine.suspend(tmp_path / "paused"))
        await asyncio.sleep(delay_ms / 1000)
        pausing.cancel()
        await asyncio.wait({pausing})
        if not pausing.cancelled():
            return
        assert await ask(machine, "ping") == "pong", f"after {delay_ms} ms"
        assert list((tmp_path / "paused").glob("*")) == []
