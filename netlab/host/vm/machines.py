"""Makes machines: starts QEMU shut in, from a template, from what was suspended, or from nothing; finds them again; removes
them. Called by the `vm` runtime, `templates`, the probe and the benches. It never reads a port.

    machines = QemuMachines(config, worker, image, await choose(config, worker, image))     # acceleration.choose
    machine = await machines.clone(run, await templates.get(...), uid)

It starts as many at a time as it is asked to: the runtime bounds that (config.vm_clones_at_once). The uid is the run's
(uid_slots: Slot.uid_base); taking and releasing it is the caller's.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from netlab.config import Config
from netlab.host.kernel.cgroups import Hierarchies
from netlab.host.nodes.marks import cgroup_of
from netlab.host.nsworker.client import NsWorker, WorkerDied
from netlab.host.vm import confinement, memory
from netlab.host.vm.api import GuestImage, MachineFailed, Shape, Template
from netlab.host.vm.machine import STATE_NAME, Keeper, QemuMachine, failure
from netlab.host.vm.marks import VmMark, VmPlace, is_being_tried, marked_runs, read_mark, start_ticks
from netlab.host.vm.monitor import MonitorLost, MonitorRefused
from netlab.host.vm.qemu import Hypervisor, MachinePlan, command_line
from netlab.host.vm.resident import Resident
from netlab.wire.host_report import Leftover

log = logging.getLogger(__name__)

START_LIMIT_S = 20.0
ADOPT_LIMIT_S = 3.0

Born = Callable[[QemuMachine], Awaitable[None]]


class QemuMachines:
    """`Machines` of `api`."""

    def __init__(self, config: Config, worker: NsWorker, image: GuestImage, hypervisor: Hypervisor) -> None:
        self.image, self.hypervisor = image, hypervisor
        self.resident = Resident()
        """Templates that are in memory, ready to be mapped."""
        self._instance, self._base, self._worker = config.instance, config.run_dir, worker
        self._hierarchies = Hierarchies.of_this_host()
        self._machines: dict[str, QemuMachine] = {}
        self._starting: dict[str, asyncio.Task[QemuMachine]] = {}
        self._baking: set[str] = set()
        self._keeper = Keeper(self.remove, self._was_out_of_memory)

    # --- making

    async def clone(self, run: str, template: Template, uid: int) -> QemuMachine:
        held = await self.resident.hold(template)
        mark = self._mark(run, template.shape, uid, template.key)

        async def wake(machine: QemuMachine) -> None:
            await machine.ignore_shared(True)
            await machine.load()
            await machine.go_on()

        try:
            state = held.open_state()
            try:
                plan = MachinePlan(run, template.shape, incoming=True)
                return await self._start(mark, plan, [held.memory, state], wake)
            finally:
                os.close(state)
        finally:
            held.release()

    async def resume(self, run: str, folder: Path, template: Template, uid: int) -> QemuMachine:
        """The state that `suspend` wrote stays in the folder: the caller removes it when the machine is of use."""
        mark = self._mark(run, template.shape, uid, template.key)

        async def wake(machine: QemuMachine) -> None:
            await machine.load()
            await machine.go_on()

        state = os.open(folder / STATE_NAME, os.O_RDONLY | os.O_CLOEXEC)
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            plan = MachinePlan(run, template.shape, memory_given=False, incoming=True)
            return await self._start(mark, plan, [nothing, state], wake)
        finally:
            os.close(state)
            os.close(nothing)

    async def boot(self, run: str, shape: Shape, uid: int, memory_fd: int, *, trial: bool = False) -> QemuMachine:
        """A cold start; what it has in memory is in `memory_fd` too, so it can become a template."""
        async def wake(machine: QemuMachine) -> None:
            await machine.ignore_shared(True)

        plan = MachinePlan(run, shape, shared=True, trial=trial)
        return await self._start(self._mark(run, shape, uid), plan, [memory_fd], wake)

    async def clone_to_bake(self, run: str, base: Template, uid: int, memory_fd: int) -> QemuMachine:
        """A clone whose memory is a copy of the base's, `memory_fd`, shared with us: it is to become a template."""
        async def wake(machine: QemuMachine) -> None:
            await machine.ignore_shared(True)
            await machine.load()
            await machine.go_on()

        held = await self.resident.hold(base)
        try:
            await asyncio.to_thread(memory.copy, held.memory, memory_fd)
            state = held.open_state()
            try:
                plan = MachinePlan(run, base.shape, shared=True, incoming=True)
                return await self._start(self._mark(run, base.shape, uid, base.key), plan, [memory_fd, state], wake)
            finally:
                os.close(state)
        finally:
            held.release()

    async def _start(self, mark: VmMark, plan: MachinePlan, descriptors: list[int], wake: Born) -> QemuMachine:
        """In a task of its own, so that `remove` can call it off. Whatever happens, a machine or nothing."""
        await self.remove(mark.run)
        task = self._starting[mark.run] = asyncio.create_task(self._bring_up(mark, plan, descriptors, wake))
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})
            await asyncio.shield(self.remove(mark.run))
            raise
        finally:
            if self._starting.get(mark.run) is task:
                del self._starting[mark.run]
        if task.cancelled():
            raise MachineFailed("its start was called off")
        return task.result()

    async def _bring_up(self, mark: VmMark, plan: MachinePlan, descriptors: list[int], wake: Born) -> QemuMachine:
        place = VmPlace(self._base, mark.run)
        try:
            place.make()
            mark.write(place)
            machine = await self._spawn(mark, plan, place, descriptors)
            self._machines[mark.run] = machine
            try:
                await machine.attach(START_LIMIT_S)
                await wake(machine)
            except (MonitorLost, MonitorRefused, TimeoutError, ProcessLookupError) as error:
                raise failure(machine, error) from error
            return machine
        except WorkerDied as error:
            await asyncio.shield(self._take_away(mark.run))
            raise MachineFailed("the process that starts machines has ended") from error
        except BaseException:
            await asyncio.shield(self._take_away(mark.run))
            raise

    async def _spawn(self, mark: VmMark, plan: MachinePlan, place: VmPlace, descriptors: list[int]) -> QemuMachine:
        group = confinement.make_group(self._hierarchies, self._instance, mark.run, plan.shape)
        with _standard_descriptors(place) as standard:
            child = await self._worker.spawn_confined(
                command_line(self.hypervisor, plan), [*standard, *descriptors], uid=mark.uid,
                binds=confinement.binds(self.image), links=confinement.links(),
                devices=confinement.devices(self.hypervisor), cgroups=group, limits=confinement.limits(),
                dies_with_worker=plan.shared,  # it becomes a template, or is tried: nobody would take it over
            )
        replace(mark, pid=child.pid, started=start_ticks(child.pid)).write(place)
        return QemuMachine(mark.run, child.pid, plan.shape, place, self._keeper, child)

    def _mark(self, run: str, shape: Shape, uid: int, template: str = "") -> VmMark:
        return VmMark(self._instance, run, uid, shape.memory_mb, shape.cpus, template)

    # --- finding again, removing

    async def adopt(self, run: str) -> QemuMachine | None:
        if run in self._machines:
            return self._machines[run]
        place = VmPlace(self._base, run)
        mark = read_mark(place)
        if mark is None or mark.instance != self._instance or not mark.is_alive():
            return None
        machine = QemuMachine(run, mark.pid, Shape(mark.memory_mb, mark.cpus), place, self._keeper)
        try:
            await machine.attach(ADOPT_LIMIT_S)
            status = await machine.status()
            if status in ("inmigrate", "prelaunch"):
                raise MonitorLost("it was never set going")
            await machine.look()
            if status in ("paused", "postmigrate"):  # the agent was killed while it wrote the state away
                await machine.go_on()
        except (MonitorLost, MonitorRefused, ProcessLookupError) as error:
            log.warning("the machine of %s cannot be taken over: %s", run, error)
            await machine.let_go()
            return None
        self._machines[run] = machine
        return machine

    async def remove(self, run: str) -> None:
        starting = self._starting.get(run)
        if starting is not None and starting is not asyncio.current_task():
            starting.cancel()
            await asyncio.wait({starting})
        await self._take_away(run)

    async def _take_away(self, run: str) -> None:
        machine = self._machines.pop(run, None)
        if machine is not None:
            machine.was_stopped()
            await machine.let_go()
        await self._hierarchies.remove(cgroup_of(self._instance, run))
        VmPlace(self._base, run).remove()
        self._hierarchies.remove_if_empty(cgroup_of(self._instance))
        vms = VmPlace(self._base, run).path.parent
        if vms.is_dir() and not os.listdir(vms):
            vms.rmdir()

    async def close(self) -> None:
        """Let go of all machines: they go on."""
        for machine in self._machines.values():
            await machine.let_go()
        self._machines.clear()
        self.resident.close()

    async def owned_runs(self) -> set[str]:
        """Those that are being made now are not yet anybody's, and not strangers; nor are machines that bake a
        template or try a kernel."""
        found = marked_runs(self._base) - self._starting.keys() - self._baking
        return {run for run in found if not is_being_tried(run)}

    @contextmanager
    def baking(self, name: str) -> Iterator[None]:
        """This machine is no run's: it becomes a template."""
        self._baking.add(name)
        try:
            yield
        finally:
            self._baking.discard(name)

    async def leftovers(self, known: set[str]) -> list[Leftover]:
        strays = await self.owned_runs() - known
        return [Leftover(kind="vm", name=run) for run in sorted(strays)]

    def _was_out_of_memory(self, run: str) -> bool:
        return confinement.was_out_of_memory(self._hierarchies, self._instance, run)


@contextmanager
def _standard_descriptors(place: VmPlace) -> Iterator[list[int]]:
    """No input, its log twice, and its sockets, which listen before it runs: whoever connects waits in their backlog."""
    with ExitStack() as stack:
        null = stack.enter_context(open(os.devnull, "rb"))
        log_file = stack.enter_context(open(place.log, "wb"))
        sockets = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(2)]
        for sock, path in zip(sockets, (place.monitor, place.port), strict=True):
            sock.bind(str(path))
            sock.listen()
        yield [null.fileno(), log_file.fileno(), log_file.fileno(), *(sock.fileno() for sock in sockets)]
