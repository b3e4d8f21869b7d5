"""Trials that boot a guest: with KVM, and with whatever works. Only a guest that has come up proves that this host runs one.

Each runs in a child of its own like every trial (`trial`); its machine dies with it. What is imported for it is imported
there: a guest's own probe has neither QEMU nor its library.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from netlab.config import Config, load_config
from netlab.host.probe.trial import No

if TYPE_CHECKING:
    from netlab.host.nsworker.client import NsWorker
    from netlab.host.vm.api import Acceleration, GuestImage

LIMIT_S = 90.0
"""For a trial as a whole; each boot in it has its own limit, far below."""
KVM = Path("/dev/kvm")

Body = Callable[[Config, "NsWorker", "GuestImage"], Awaitable[str]]


def kvm(guest_dir: Path) -> str:
    if not KVM.exists():
        raise No("there is no /dev/kvm")
    return _with_image(guest_dir, partial(_boot, "kvm"))


def vm(guest_dir: Path) -> str:
    return _with_image(guest_dir, _boot_somehow)


async def _boot(acceleration: "Acceleration", config: Config, worker: "NsWorker", image: "GuestImage") -> str:
    from netlab.host.vm.acceleration import DoesNotBoot, try_boot

    try:
        took_ms = await try_boot(config, worker, image, acceleration)
    except DoesNotBoot as why:
        raise No(str(why)) from why
    return f"its kernel was up after {took_ms:.0f} ms"


async def _boot_somehow(config: Config, worker: "NsWorker", image: "GuestImage") -> str:
    from netlab.host.vm.acceleration import DoesNotBoot, find

    try:
        found = await find(config, worker, image)
    except DoesNotBoot as why:
        raise No(str(why)) from why
    return "with KVM" if found == "kvm" else "with software emulation (TCG)"


def _with_image(guest_dir: Path, body: Body) -> str:
    try:
        from netlab.host.vm.image import find_image
        from netlab.host.vm.qemu import NoQemu
    except ModuleNotFoundError as error:
        raise No(f"{error.name} is not installed") from error
    image = find_image(guest_dir)
    if image is None:
        raise No("there is no guest image yet (`make guest` builds it)")
    try:
        return asyncio.run(_with_worker(body, image))
    except NoQemu as error:
        raise No(str(error)) from error


async def _with_worker(body: Body, image: "GuestImage") -> str:
    """As this instance: what a killed probe leaves is removed with everything else of it."""
    from netlab.host.nsworker.client import NsWorker

    config, worker = load_config(), NsWorker()
    try:
        await worker.start()
        return await body(config, worker, image)
    finally:
        await worker.close()
        with suppress(OSError):  # an agent's, or that of runs
            config.run_dir.rmdir()
