"""The agent's process: puts the parts of a host together, runs their loops, lets go of everything on SIGTERM.

`python -m netlab.host agent`. The one place where Redis, the worker's socket, the holder and the engine meet.
"""

import asyncio
import fcntl
import logging
import os
import resource
import signal
from collections.abc import Coroutine
from typing import Any

from netlab.config import Config
from netlab.host.agent.control_socket import ControlSocket
from netlab.host.agent.inbound import follow_watchers, read_inbox
from netlab.host.agent.redis_bridge import AWAY, RETRY_AFTER_S, RedisBridge
from netlab.host.agent.report import HostReporter
from netlab.host.counters.client import Sampler
from netlab.host.holder.client import HolderClient
from netlab.host.kernel import sysctls
from netlab.host.nodes.sandboxed import SandboxedNodes
from netlab.host.nsworker.client import NsWorker
from netlab.host.programs.service import Programs
from netlab.host.runtimes.namespaces import NamespacesRuntime
from netlab.host.runtimes.several import SeveralRuntimes
from netlab.host.vm_runs.assemble import assemble
from netlab.wire.streams import HostStreams, connect

log = logging.getLogger(__name__)

FLUSH_WITHIN_S = 2.0
DEPOSIT_EVERY_S = 2.0
DESCRIPTORS_MAX = 65_536
CANCEL_AGAIN_AFTER_S = 0.2


class AnotherAgent(Exception):
    """This instance has an agent already."""


class Agent:
    def __init__(self, config: Config) -> None:
        self.config = config
        self._lock = _lock(config)
        self._client = connect(config.redis_url)
        self._streams = HostStreams(self._client, config.instance, config.host_name)
        self._bridge = RedisBridge(self._streams, self._hold_terminals, self._want_full)
        self._worker = NsWorker()
        self._holder = HolderClient(config.holder_socket)
        bridge = self._bridge
        self._sampler = Sampler(config, bridge.counters, bridge.counter_history, bridge.counter_schema, self._storm)
        nodes = SandboxedNodes(config, self._worker)
        programs = Programs(config, nodes)
        self._vms = assemble(config, self._worker, programs.compiler, bridge, self._end_offset)  # its slots are there once
        namespaces = NamespacesRuntime(
            config, nodes, self._sampler, programs, bridge, holder=self._holder, end_offset=self._end_offset,
            others=self._vms.runtime.machines_names,
        )
        self.runtime = SeveralRuntimes(namespaces, self._vms.runtime)
        self._socket = ControlSocket(config, self.runtime)
        self._reporter = HostReporter(config, self._streams, self.runtime, self._own_processes)

    async def run(self) -> bool:
        """Until SIGTERM or SIGINT; then lets go without ending any run. False: it ended by itself, because a part broke."""
        ending = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ending.set)
        _raise_descriptor_limit()
        for failed in sysctls.tighten(self.config.instance):
            log.warning("could not tighten %s", failed)
        await self._worker.start()
        await self._sampler.open()
        writer = asyncio.create_task(self._bridge.write_messages(), name="messages")
        await self.runtime.open()
        await self._socket.open()
        log.info("agent of instance %s serves %s", self.config.instance, self.config.agent_socket)
        await self._serve(ending, writer)
        await self._close(writer)
        return ending.is_set()

    async def _serve(self, ending: asyncio.Event, writer: asyncio.Task[None]) -> None:
        """All loops, until the end is wanted or one of them breaks: then the agent ends, and is started anew."""
        loops: dict[str, Coroutine[Any, Any, None]] = {
            "counters": self._bridge.write_counters(), "inbox": read_inbox(self._streams, self.runtime),
            "watchers": follow_watchers(self._streams, self.runtime), "report": self._reporter.keep_telling(),
            "deposits": self._keep_deposited(),
        }
        tasks = [writer, *(asyncio.create_task(loop, name=name) for name, loop in loops.items())]
        probe = asyncio.create_task(self._reporter.probe(), name="probe")
        end = asyncio.create_task(ending.wait(), name="end")
        done, _ = await asyncio.wait([*tasks, end], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {end}:
            log.critical("the loop %s ended", task.get_name(), exc_info=task.exception())
        await _cancel({*tasks[1:], probe, end})

    async def _close(self, writer: asyncio.Task[None]) -> None:
        await self._socket.close()
        await self.runtime.close()
        await self._vms.close()
        await self._sampler.close()
        await _cancel({writer})
        await self._bridge.flush(FLUSH_WITHIN_S)
        await self._worker.close()
        await self._client.aclose()
        os.close(self._lock)
        log.info("agent ended; runs go on")

    # --- between the parts

    def _hold_terminals(self, held: bool) -> None:
        self.runtime.hold_terminals(held)

    def _want_full(self, run: str) -> None:
        self.runtime.want_full_sample(run)

    def _storm(self, run: str, node: str, interface: str, pps: int, limit_pps: int) -> None:
        self._reporter.storm(run, node, os.fsencode(interface).decode(errors="backslashreplace"), pps, limit_pps)
        self.runtime.storm(run, node, interface, pps, limit_pps)

    def _own_processes(self) -> dict[str, int | None]:
        return {"agent": os.getpid(), "sampler": self._sampler.pid, "nsworker": self._worker.pid or None}

    async def _end_offset(self, terminal: str) -> int:
        """Waits for Redis: an adopted terminal cannot go on without knowing where."""
        while True:
            try:
                return await self._streams.terminal_end_offset(terminal)
            except AWAY as error:
                log.warning("waiting for Redis: %s", error)
                await asyncio.sleep(RETRY_AFTER_S)

    async def _keep_deposited(self) -> None:
        """A holder that was restarted has nothing: give it our terminals again."""
        while True:
            await asyncio.sleep(DEPOSIT_EVERY_S)
            try:
                held = await self._holder.ids()
            except OSError:
                continue
            await self.runtime.deposit_terminals(set(held))


def _raise_descriptor_limit() -> None:
    """A lab takes about ten: terminals, their shells' pidfds, inotify, the folder."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, DESCRIPTORS_MAX), hard))


async def _cancel(tasks: set[asyncio.Task[Any]]) -> None:
    """Until all of them have ended: a connection to Redis that is just being made swallows a cancellation."""
    while waiting := {task for task in tasks if not task.done()}:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting, timeout=CANCEL_AGAIN_AFTER_S)
    await asyncio.gather(*tasks, return_exceptions=True)


def _lock(config: Config) -> int:
    """One agent an instance. The kernel frees the lock when the agent dies, however it dies."""
    folder = config.agent_socket.parent
    config.run_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
    folder.mkdir(mode=0o710, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise AnotherAgent(f"an agent of instance {config.instance} is running already") from error
    return descriptor
