"""The template store: booted guests, and guests with a lab in them, from which machines are cloned. Called by the `vm` runtime.

    templates = TemplateStore(config, machines)
    template = await templates.get(lab_digest, shape, greet, bake, steps)
    machine = await machines.clone(run, template, uid)

A template is baked once: a machine with memory that we share is started (cold, or from the base template), brought to where
the template begins by the caller's functions, stopped, and its memory and state are put on the shelf. It is known by a digest
of all that matters, so that nothing ever has to be invalidated. What its guest says is the caller's affair.
"""

import asyncio
import hashlib
import json
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any

from netlab.config import Config
from netlab.host.kernel import uid_slots
from netlab.host.steps import SilentSink, Steps
from netlab.host.vm import memory
from netlab.host.vm.api import Bake, MachineFailed, Shape, Template
from netlab.host.vm.machine import STATE_BYTES_MAX, QemuMachine, failure
from netlab.host.vm.machines import QemuMachines
from netlab.host.vm.monitor import MonitorLost, MonitorRefused
from netlab.host.vm.qemu import MachinePlan, command_line
from netlab.host.vm.store import Damaged, Loaded, Shelf

log = logging.getLogger(__name__)

BASE = ""
"""The lab of a base template."""
BAKE_LIMIT_S = 240.0
SETTLE_LIMIT_S = 30.0
SEAL_TRIES, SEAL_PAUSE_S = 50, 0.02
KEY_DIGITS = 40
CONSOLE_LINES = 20

Make = Callable[[Template], Awaitable[None]]
Start = Callable[[str, int, int], Awaitable[QemuMachine]]
"""(name, uid, descriptor of its memory)"""


class TemplateStore:
    """`Templates` of `api`."""

    def __init__(self, config: Config, machines: QemuMachines) -> None:
        self._config, self._machines = config, machines
        self._resident = machines.resident
        self._shelf = Shelf(config.templates_dir)

    async def base(self, shape: Shape, greet: Bake) -> Template:
        return await self._base(shape, greet, Steps(SilentSink()))

    async def get(self, lab_digest: str, shape: Shape, greet: Bake, bake: Bake, steps: Steps) -> Template:
        async def make(template: Template) -> None:
            base = await self._base(shape, greet, steps)
            async with steps.step("template", "Prepare this lab once, for everybody"):
                try:
                    await self._bake_from(base, template, bake)
                except _BaseUnusable:
                    await self.condemn(base)
                    base = await self._base(shape, greet, steps)
                    await self._bake_from(base, template, bake)

        return await self._obtain(self._template(lab_digest, shape), steps, make)

    def has(self, lab_digest: str, shape: Shape) -> bool:
        return self._shelf.has(self._template(lab_digest, shape).key)

    async def condemn(self, template: Template) -> None:
        log.warning("template %s is condemned: its clones do not live", template.key)
        self._resident.drop(template.key)
        async with self._shelf.lock(template.key, Steps(SilentSink())):
            self._shelf.discard(template.key)

    # --- having one

    async def _base(self, shape: Shape, greet: Bake, steps: Steps) -> Template:
        async def make(template: Template) -> None:
            async def boot(name: str, uid: int, memory_fd: int) -> QemuMachine:
                return await self._machines.boot(name, shape, uid, memory_fd)

            async with steps.step("base", "Boot the guest once, for all labs"):
                await self._bake(template, boot, greet)

        return await self._obtain(self._template(BASE, shape), steps, make)

    async def _obtain(self, template: Template, steps: Steps, make: Make) -> Template:
        if not (self._resident.has(template.key) and self._shelf.has(template.key)):
            async with self._shelf.lock(template.key, steps):
                if not await self._is_usable(template, steps):
                    await make(template)
        self._shelf.touch(template.key)
        return template

    async def _is_usable(self, template: Template, steps: Steps) -> bool:
        if not self._shelf.has(template.key):  # somebody else has dropped it: not to live on in memory alone
            self._resident.drop(template.key)
        try:
            await self._resident.load(template)
        except FileNotFoundError:
            return False
        except Damaged as damage:
            log.warning("template %s is damaged: %s", template.key, damage)
            async with steps.step("damaged", f"Throw away a damaged template: {damage}"):
                self._shelf.discard(template.key)
            return False
        return True

    def _template(self, lab_digest: str, shape: Shape) -> Template:
        """Everything that makes one machine's state unfit for another's."""
        qemu = self._machines.hypervisor
        inputs = {
            "image": self._machines.image.digest, "qemu": qemu.version, "cpu": qemu.cpu,
            "machine": command_line(qemu, MachinePlan("", shape, shared=True)), "lab": lab_digest,
        }
        key = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:KEY_DIGITS]
        return Template(key, self._shelf.folder(key), shape)

    # --- making one

    async def _bake_from(self, base: Template, template: Template, bake: Bake) -> None:
        async def clone(name: str, uid: int, memory_fd: int) -> QemuMachine:
            try:
                return await self._machines.clone_to_bake(name, base, uid, memory_fd)
            except MachineFailed as error:
                raise _BaseUnusable(str(error)) from error

        await self._bake(template, clone, bake)

    async def _bake(self, template: Template, start: Start, bake: Bake) -> None:
        """Raises MachineFailed, OSError (disk full), whatever `bake` raises; then nothing is left."""
        name = f"bake-{template.key[:16]}"
        memory_fd = memory.create(template.key, template.shape.memory_mb << 20)
        try:
            with self._machines.baking(name):
                state = await self._run(name, memory_fd, start, bake)
            await _seal(memory_fd)
            await self._put_away(template.key, memory_fd, state)
        except BaseException:
            os.close(memory_fd)
            raise
        self._resident.put(template.key, Loaded(memory_fd, state))

    async def _run(self, name: str, memory_fd: int, start: Start, bake: Bake) -> bytes:
        """The machine's state when it has been brought to where the template begins. The machine is gone then."""
        slot = uid_slots.take(self._config.instance, name, self._config.uid_slots)
        state_fd = memory.create(f"state-{name}", 0)
        try:
            machine = await start(name, slot.uid_base(self._config.uid_base), memory_fd)
            await _brought(machine, bake)
            if not await machine.settle(SETTLE_LIMIT_S):
                log.warning("the machine of %s is still busy when it becomes a template", name)
            try:
                await machine.freeze(state_fd, STATE_BYTES_MAX)
            except (MonitorLost, MonitorRefused) as error:
                raise failure(machine, error) from error
            return os.pread(state_fd, os.fstat(state_fd).st_size, 0)
        finally:
            os.close(state_fd)
            await asyncio.shield(self._machines.remove(name))
            uid_slots.release(self._config.instance, name)

    async def _put_away(self, key: str, memory_fd: int, state: bytes) -> None:
        def put_away() -> list[str]:
            dropped = self._shelf.make_room(self._config.templates_mb << 20, memory.used_bytes(memory_fd) + len(state))
            self._shelf.save(key, memory_fd, state)
            return dropped

        saving = asyncio.ensure_future(asyncio.to_thread(put_away))
        try:
            dropped = await asyncio.shield(saving)
        except asyncio.CancelledError:  # a thread cannot be called off: nobody may have the lock before it has ended
            await asyncio.wait({saving})
            raise
        for old in dropped:
            log.info("template %s was not used for longest: dropped for room", old)
            self._resident.drop(old)


class _BaseUnusable(MachineFailed):
    """A clone of the base template did not come up."""


async def _brought(machine: QemuMachine, bake: Bake) -> None:
    """Carry out `bake`, unless the machine ends before, or nothing comes of it for long."""
    baking = asyncio.ensure_future(bake(machine))
    try:
        waited: set[asyncio.Future[Any]] = {baking, machine.ended}
        await asyncio.wait(waited, timeout=BAKE_LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
        if baking.done():
            baking.result()
            return
        console = "\n".join((await machine.console()).splitlines()[-CONSOLE_LINES:])
        log.error("the guest of %s did not get ready; its console ends with\n%s", machine.run, console)
        raise MachineFailed(machine.ended.result().why if machine.ended.done() else f"it was not ready within {BAKE_LIMIT_S:g} s")
    finally:
        if not baking.done():
            baking.cancel()
            await asyncio.wait({baking})


async def _seal(fd: int) -> None:
    """The last mapping of a process that has ended goes a moment later."""
    for tries_left in reversed(range(SEAL_TRIES)):
        try:
            memory.seal(fd)
            return
        except OSError:
            if not tries_left:
                raise
            await asyncio.sleep(SEAL_PAUSE_S)
