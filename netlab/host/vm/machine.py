"""One running QEMU: its monitor, its end, its port, and how its state is written away. Made by `machines` alone."""

import asyncio
import errno
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netlab.host.nsworker.client import Child, WorkerDied
from netlab.host.vm.api import Ending, MachineFailed, Shape
from netlab.host.vm.drain import Drain
from netlab.host.vm.marks import VmPlace
from netlab.host.vm.monitor import POLL_MAX_S, POLL_S, Monitor, MonitorLost, MonitorRefused
from netlab.host.vm.qemu import CONSOLE_BYTES, CONSOLE_ID, STATE_FD

log = logging.getLogger(__name__)

PORT_BUFFER_BYTES = 256 * 1024
STATE_LIMIT_S = 60.0
STATE_BYTES_MAX = 64 << 20
"""Of the devices alone; half a megabyte is usual."""
EXIT_STATUS_WAIT_S = 0.5
RECONNECT_AFTER_S = 0.2
QUIET_LOOK_S, QUIET_LOOKS = 0.25, 4
QUIET_PERCENT, STARVED_PERCENT = 3.0, 60.0
"""Of a CPU: an idle guest takes a fifth of one percent; one that has little because it waits for the CPU is not idle."""
BYTES_PER_S_MAX = 1 << 40
"""A state is written as fast as the disk takes it."""
LAST_WORDS_BYTES = 400
IGNORE_SHARED = "x-ignore-shared"
STATE_NAME = "state"

ENDINGS = {
    "guest-panicked": Ending("panicked", "it panicked"),
    "shutdown": Ending("powered_off", "it was switched off from inside"),
    "internal-error": Ending("qemu_failed", "its virtual machine ran into an error that it cannot go on from"),
}
"""By QEMU's run states: what has become of a machine while nobody listened."""
REBOOTED = Ending("rebooted", "it was restarted from inside")
STOPPED = Ending("stopped", "it was stopped")
AGENT_ENDED = Ending("agent_ended", "its netlab agent was ended")
"""Nobody in the guest has the port open any more; who opens it next knows nothing of the run."""
OUT_OF_MEMORY = Ending("killed", "it took more memory than it may")


@dataclass(frozen=True)
class Keeper:
    """What a machine needs of the one who made it."""

    remove: Callable[[str], Awaitable[None]]
    was_out_of_memory: Callable[[str], bool]


class QemuMachine:
    """`Machine` of `api`."""

    def __init__(self, run: str, pid: int, shape: Shape, place: VmPlace, keeper: Keeper, child: Child | None = None) -> None:
        """`child` is known to whoever started it; an adopted machine has none, and its exit code is not known."""
        self.run, self.pid, self.shape = run, pid, shape
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._place, self._keeper, self._child = place, keeper, child
        self._monitor: Monitor | None = None
        self._port: asyncio.StreamWriter | None = None
        self._watching: asyncio.Task[None] | None = None
        self._told: set[asyncio.Task[None]] = set()
        self._pidfd = -1
        self._gone = False

    # --- life; called by `machines`

    async def attach(self, limit_s: float) -> None:
        """Watch the process and connect to its monitor. Raises MonitorLost, ProcessLookupError."""
        loop = asyncio.get_running_loop()
        self._pidfd = os.pidfd_open(self.pid)
        loop.add_reader(self._pidfd, self._process_ended)
        self._monitor = await Monitor.open(self._place.monitor, self._heard, limit_s)
        self._watching = asyncio.create_task(self._keep_listening(), name=f"monitor of {self.run}")

    async def load(self) -> None:
        """Take in the state that QEMU was started with; then it stands still. Raises MonitorLost, MonitorRefused."""
        await self.execute("migrate-incoming", uri=f"fd:{STATE_FD}")
        await self._until(lambda status: status != "inmigrate")

    async def ignore_shared(self, on: bool) -> None:
        """Whether a state leaves out the memory that is mapped shared: a template's; its clones have to say the same."""
        await self.execute("migrate-set-capabilities", capabilities=[{"capability": IGNORE_SHARED, "state": on}])

    async def go_on(self) -> None:
        await self.execute("cont")

    async def freeze(self, target: int, limit_bytes: int) -> None:
        """Stop the guest and write its state to the file. Raises OSError, MonitorLost, MonitorRefused: then it goes on."""
        drain = Drain(target, limit_bytes)
        draining = asyncio.ensure_future(asyncio.to_thread(drain.run))
        try:
            await self._monitor_or_lost().give(STATE_NAME, drain.writer)
            drain.close_writer()
            await self.execute("stop")
            await self._migrate(draining)
        except BaseException:
            drain.stop()
            await self._go_on_after_failure()
            raise
        finally:
            drain.close_writer()
            if draining.done():
                draining.exception()  # who failed first has been told
            else:
                await asyncio.wait({draining})

    async def settle(self, limit_s: float) -> bool:
        """Wait until its guest has next to nothing to do. What it does when it is made a template, all clones do again.
        False: it was busy to the end."""
        loop = asyncio.get_running_loop()
        deadline, quiet, before = loop.time() + limit_s, 0, _demand_s(self.pid)
        while quiet < QUIET_LOOKS:
            if loop.time() > deadline or self._gone:
                return False
            began = loop.time()
            await asyncio.sleep(QUIET_LOOK_S)
            passed_s, now = loop.time() - began, _demand_s(self.pid)
            had, waited = ((new - old) * 100 / passed_s for new, old in zip(now, before, strict=True))
            quiet = quiet + 1 if had < QUIET_PERCENT and waited < STARVED_PERCENT else 0
            before = now
        return True

    async def let_go(self) -> None:
        """Neither watch it nor hold anything of it; it goes on."""
        self._close_port()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})
        if self._monitor is not None:
            await self._monitor.close()
        for task in self._told:
            task.cancel()
        self._unwatch_process()

    def was_stopped(self) -> None:
        self._end(STOPPED)

    # --- what `api` promises

    async def open_port(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._close_port()
        reader, self._port = await asyncio.open_unix_connection(str(self._place.port), limit=PORT_BUFFER_BYTES)
        return reader, self._port

    async def kill(self) -> None:
        await self._keeper.remove(self.run)

    async def suspend(self, folder: Path) -> None:
        """Writes `state` into the folder. Nothing of the machine is left when it returns, but its folder of `uid_slots`."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = folder / f"{STATE_NAME}.new"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            await self.ignore_shared(False)  # its memory is mapped copy-on-write: that is not left out in any case
            await self.freeze(descriptor, (self.shape.memory_mb << 20) + STATE_BYTES_MAX)
        except (MonitorLost, MonitorRefused) as error:
            file.unlink(missing_ok=True)
            raise OSError(errno.EIO, f"the machine does not stop: {error}") from error
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        file.rename(folder / STATE_NAME)
        await self.kill()

    async def console(self) -> str:
        """The end of what the guest's kernel has printed, for logs. It is taken away by reading. '' when nobody answers."""
        try:
            said: Any = await self.execute("ringbuf-read", device=CONSOLE_ID, size=CONSOLE_BYTES)
        except (MonitorLost, MonitorRefused):
            return ""
        return said if isinstance(said, str) else ""

    async def execute(self, command: str, **arguments: Any) -> Any:
        """Raises MonitorLost, MonitorRefused."""
        return await self._monitor_or_lost().execute(command, **arguments)

    async def status(self) -> str:
        answer = await self.execute("query-status")
        return str(answer.get("status", "")) if isinstance(answer, dict) else ""

    def last_words(self) -> str:
        """The end of what QEMU has said, in one line."""
        with suppress(OSError):
            said = self._place.log.read_bytes()[-LAST_WORDS_BYTES:].decode(errors="replace")
            return said.strip().rpartition("\n")[2]
        return ""

    async def look(self) -> None:
        """See what has become of it while nobody listened."""
        ending = ENDINGS.get(await self.status())
        if ending is not None:
            self._end(ending)

    # --- what happens to it

    def _monitor_or_lost(self) -> Monitor:
        if self._monitor is None:
            raise MonitorLost("there is no connection to its monitor")
        return self._monitor

    async def _until(self, fits: Callable[[str], bool]) -> None:
        pause = POLL_S
        async with asyncio.timeout(STATE_LIMIT_S):
            while not fits(await self.status()):
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, POLL_MAX_S)

    async def _migrate(self, draining: "asyncio.Future[int]") -> None:
        """Until QEMU says that all is written and the last of it is in the file."""
        await self.execute("migrate-set-parameters", max_bandwidth=BYTES_PER_S_MAX)
        await self.execute("migrate", uri=f"fd:{STATE_NAME}")
        pause = POLL_S
        async with asyncio.timeout(STATE_LIMIT_S):
            while True:
                answer = await self.execute("query-migrate")
                status = answer.get("status") if isinstance(answer, dict) else None
                if draining.done():
                    draining.result()
                if status == "completed":
                    await asyncio.shield(draining)
                    return
                if status in ("failed", "cancelled"):
                    await asyncio.wait({draining})  # its error is the reason, if it has one
                    draining.result()
                    raise OSError(errno.EIO, "the machine could not write its state")
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, POLL_MAX_S)

    async def _go_on_after_failure(self) -> None:
        with suppress(MonitorLost, MonitorRefused):
            await self.execute("migrate_cancel")
        with suppress(MonitorLost, MonitorRefused):
            await self.execute("cont")

    def _heard(self, event: str, data: dict[str, Any]) -> None:
        if event == "GUEST_PANICKED":
            self._end(ENDINGS["guest-panicked"])
        elif event == "SHUTDOWN" and data.get("guest") is True:
            self._end(REBOOTED if data.get("reason") == "guest-reset" else ENDINGS["shutdown"])
        elif event == "VSERPORT_CHANGE" and data.get("open") is False:
            self._end(AGENT_ENDED)

    def _end(self, ending: Ending) -> None:
        if not self.ended.done():
            log.info("the machine of %s has ended: %s", self.run, ending.why)
            self.ended.set_result(ending)

    def _process_ended(self) -> None:
        self._unwatch_process()
        self._gone = True
        self._close_port()
        if not self.ended.done():
            task = asyncio.create_task(self._find_cause())
            self._told.add(task)
            task.add_done_callback(self._told.discard)

    async def _find_cause(self) -> None:
        code: int | None = None
        if self._child is not None:
            with suppress(TimeoutError, WorkerDied):
                async with asyncio.timeout(EXIT_STATUS_WAIT_S):
                    code = await self._child.wait()
        if self._keeper.was_out_of_memory(self.run):
            self._end(OUT_OF_MEMORY)
        elif code is not None and code >= 0:
            self._end(Ending("qemu_failed", f"its virtual machine ended: {self.last_words() or f'code {code}'}"))
        else:
            by = f" by {signal.Signals(-code).name}" if code is not None else ""
            self._end(Ending("killed", f"its virtual machine was killed{by}"))

    async def _keep_listening(self) -> None:
        """A monitor's connection that breaks while the process lives is made anew: its events must not be missed."""
        while self._monitor is not None:
            await self._monitor.wait_closed()
            if self._gone:
                return
            await asyncio.sleep(RECONNECT_AFTER_S)
            if self._gone:
                return
            with suppress(MonitorLost, MonitorRefused):
                self._monitor = await Monitor.open(self._place.monitor, self._heard)
                await self.look()

    def _unwatch_process(self) -> None:
        if self._pidfd >= 0:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1

    def _close_port(self) -> None:
        if self._port is not None:
            self._port.close()
            self._port = None


def _demand_s(pid: int) -> tuple[float, float]:
    """Processor time that its threads have had, and for how long they stood in line for it (scheduler/sched-stats.rst)."""
    total = [0, 0]
    for stat in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):
            had_ns, waited_ns, _ = stat.read_text().split()
            total[0] += int(had_ns)
            total[1] += int(waited_ns)
    return total[0] / 1e9, total[1] / 1e9


def failure(machine: QemuMachine, error: Exception) -> MachineFailed:
    """One sentence with what QEMU said last, which tells more than a monitor that is gone."""
    return MachineFailed(machine.last_words() or str(error) or type(error).__name__)
