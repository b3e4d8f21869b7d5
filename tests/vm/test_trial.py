"""Whether and how this host runs guests: found by booting one."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from netlab.domain.lab import Ability
from netlab.host.kernel import uid_slots
from netlab.host.probe.abilities import probe_all
from netlab.host.vm import acceleration
from netlab.host.vm.acceleration import DoesNotBoot, choose, try_boot
from netlab.host.vm.api import GuestImage
from netlab.host.vm.marks import VmMark, VmPlace, marked_runs, read_mark, start_ticks
from tests.vm.kit import Vms, guest_image, until
from tests.waiting import until as until_awaited

pytestmark = pytest.mark.kernel


async def test_what_boots_is_chosen_and_remembered(host: Vms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where KVM does not work it falls back by itself; where it does, it is taken."""
    try:
        await try_boot(host.config, host.worker, host.image, "kvm")
        works = "kvm"
    except DoesNotBoot as why:
        assert str(why)
        works = "tcg"
    assert (await choose(host.config, host.worker, host.image)).acceleration == works
    assert host.exists() == []
    monkeypatch.setattr(acceleration, "try_boot", None)
    assert (await choose(host.config, host.worker, host.image)).acceleration == works, "it is not tried again"


async def test_a_kernel_that_does_not_come_up_is_told_within_the_limit(
    host: Vms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bzImage").write_bytes(host.image.kernel.read_bytes()[:1_000_000])
    for name in ("root.squashfs", "app.squashfs"):
        (tmp_path / name).touch()
    monkeypatch.setitem(acceleration.LIMITS_S, "tcg", 3.0)
    began = asyncio.get_running_loop().time()
    with pytest.raises(DoesNotBoot):
        await try_boot(host.config, host.worker, GuestImage(tmp_path, "cut", ""), "tcg")
    assert asyncio.get_running_loop().time() - began < 10
    assert host.exists() == []


async def test_without_an_image_nothing_boots(host: Vms, tmp_path: Path) -> None:
    with pytest.raises(DoesNotBoot, match="no guest image"):
        await try_boot(host.config, host.worker, GuestImage(tmp_path, "none", ""), "tcg")


def test_the_probe_boots_a_guest() -> None:
    assert guest_image()
    others = set(Ability) - {Ability.KVM, Ability.VM}
    found = {report.ability: report for report in probe_all(Path("/"), leave_out=others)}
    assert found["vm"].works, found["vm"].why
    assert found["kvm"].why and ("KVM" if found["kvm"].works else "TCG") in found["vm"].why


async def test_a_trial_dies_with_the_probe_that_wanted_it(host: Vms) -> None:
    """Killed as an agent that ends kills it. What is left is found: nobody's machine."""
    environment = {
        **os.environ, "NETLAB_INSTANCE": host.config.instance, "NETLAB_RUN_DIR": str(host.config.run_dir),
        "NETLAB_ACCELERATION": "tcg",
    }
    probe = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "netlab.host", "probe", "--json",
        env=environment, stdout=subprocess.DEVNULL, start_new_session=True,
    )
    mark = await _mark_of_trial(host)
    assert await host.machines.owned_runs() == set(), "it is somebody's as long as that lives"
    os.killpg(probe.pid, signal.SIGKILL)
    await probe.wait()
    await until(lambda: start_ticks(mark.pid) == 0, "its end")
    await until_awaited(lambda: _is_found(host, mark.run), "what is left of it")
    await host.machines.remove(mark.run)
    uid_slots.release(host.config.instance, mark.run)


async def _is_found(host: Vms, run: str) -> bool:
    """As nobody's: whoever tried it has ended too."""
    return await host.machines.owned_runs() == {run}


async def _mark_of_trial(host: Vms) -> VmMark:
    """Of one that runs."""
    for _ in range(3000):  # the probe looks at everything else first
        for run in marked_runs(host.config.run_dir):
            mark = read_mark(VmPlace(host.config.run_dir, run))
            if mark is not None and run.startswith("trial-tcg-") and mark.pid:
                return mark
        await asyncio.sleep(0.03)
    raise AssertionError("no guest was tried")
