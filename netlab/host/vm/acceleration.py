"""Finds out how this host runs guests: by booting one, with a short limit. Called by the `vm` runtime and by the probe.

A machine can have a /dev/kvm that cannot run an ordinary guest, so only a guest proves anything: the guest image's kernel,
shut in like any machine but without disks, has come up when it panics for want of a root file system.
"""

import asyncio
import json
import logging
import os
import time
from pathlib import Path

from netlab.config import Config
from netlab.host.kernel import uid_slots
from netlab.host.nsworker.client import NsWorker
from netlab.host.vm import memory
from netlab.host.vm.api import Acceleration, GuestImage, MachineFailed, Shape
from netlab.host.vm.machines import QemuMachines
from netlab.host.vm.marks import trial_name
from netlab.host.vm.qemu import Hypervisor, identify

log = logging.getLogger(__name__)

LIMITS_S: dict[Acceleration, float] = {"kvm": 5.0, "tcg": 60.0}
"""With KVM a kernel is up in a fraction of a second; software takes one to two, and more on a busy host."""
TRIAL_SHAPE = Shape(256)
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
KVM_DEVICE = Path("/dev/kvm")
REMEMBERED = "hypervisor.json"


class DoesNotBoot(Exception):
    """No guest comes up; one sentence."""


async def choose(config: Config, worker: NsWorker, image: GuestImage) -> Hypervisor:
    """What `config.acceleration` says; auto: KVM where a guest boots with it, else software. Remembered until the host
    boots again or something of it changes. Raises DoesNotBoot, NoQemu."""
    remembered = _recall(config, await identify("kvm"), image)
    if remembered is not None:
        return await identify(remembered)
    hypervisor = await identify(await find(config, worker, image))
    _remember(config, hypervisor, image)
    return hypervisor


async def find(config: Config, worker: NsWorker, image: GuestImage) -> Acceleration:
    """By trying, now. Raises DoesNotBoot, NoQemu."""
    if config.acceleration != "auto":
        await try_boot(config, worker, image, config.acceleration)
        return config.acceleration
    try:
        await try_boot(config, worker, image, "kvm")
        return "kvm"
    except DoesNotBoot as why:
        log.info("no guest boots with KVM (%s); trying software emulation", why)
    await try_boot(config, worker, image, "tcg")
    return "tcg"


async def try_boot(config: Config, worker: NsWorker, image: GuestImage, acceleration: Acceleration) -> float:
    """How many milliseconds the guest's kernel took to come up. Raises DoesNotBoot, NoQemu."""
    if acceleration == "kvm" and not KVM_DEVICE.exists():
        raise DoesNotBoot("there is no /dev/kvm")
    if not image.kernel.exists():
        raise DoesNotBoot("there is no guest image yet")
    machines = QemuMachines(config, worker, image, await identify(acceleration))
    name = trial_name(acceleration)
    slot = uid_slots.take(config.instance, name, config.uid_slots)
    memory_fd = memory.create(name, TRIAL_SHAPE.memory_mb << 20)
    limit_s = LIMITS_S[acceleration]
    began = time.monotonic()
    try:
        async with asyncio.timeout(limit_s):
            machine = await machines.boot(name, TRIAL_SHAPE, slot.uid_base(config.uid_base), memory_fd, trial=True)
            ending = await machine.ended
    except TimeoutError:
        raise DoesNotBoot(f"no guest came up within {limit_s:g} s") from None
    except MachineFailed as error:
        raise DoesNotBoot(str(error)) from error
    finally:
        os.close(memory_fd)
        await asyncio.shield(machines.remove(name))
        await machines.close()
        uid_slots.release(config.instance, name)
    if ending.cause != "panicked":
        raise DoesNotBoot(ending.why)
    return (time.monotonic() - began) * 1000


def _facts(config: Config, version: str, image: GuestImage) -> dict[str, str]:
    return {
        "boot": BOOT_ID.read_text().strip(), "qemu": version, "image": image.digest, "wanted": config.acceleration,
        "kvm": str(KVM_DEVICE.exists()),
    }


def _recall(config: Config, qemu: Hypervisor, image: GuestImage) -> Acceleration | None:
    try:
        known = json.loads((config.run_dir / REMEMBERED).read_text())
        found: Acceleration = known.pop("acceleration")
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    return found if known == _facts(config, qemu.version, image) else None


def _remember(config: Config, hypervisor: Hypervisor, image: GuestImage) -> None:
    facts = {**_facts(config, hypervisor.version, image), "acceleration": hypervisor.acceleration}
    (config.run_dir / REMEMBERED).write_text(json.dumps(facts))
