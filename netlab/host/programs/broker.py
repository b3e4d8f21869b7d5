"""Loads XDP programs into nodes without a BPF file system: kernels before 6.9. Called by `service`.

Each load is a process of its own, `broker_worker`, that has two capabilities and little else. The agent hands it the object
and gets text back; it never looks into the object itself.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from netlab.config import Config
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import ProgramSpec
from netlab.host.kernel.cgroups import Hierarchies
from netlab.host.kernel.process import ProcessFailed, run
from netlab.host.nodes import marks
from netlab.host.nodes.api import NodePlace, RunNodes
from netlab.host.programs import broker_worker
from netlab.host.programs.load import LOAD_LIMIT_S, STATES, STDERR_BYTES_MAX, Loaded
from netlab.wire.events import Attachment

PARALLEL_LOADS = 4
ONLY_XDP = "Only XDP programs can be loaded without BPF tokens, and this one goes to {hook}."


CRASHED = "libbpf could not digest this object."
KILLED = {int(signal.SIGKILL): "Cannot allocate memory: the node's limit does not hold the program and its maps."}


class Broker:
    def __init__(self, config: Config, uid: int) -> None:
        """`uid`: an otherwise unused host uid that the workers become."""
        self._instance, self._uid = config.instance, uid
        self._cgroups = Hierarchies.of_this_host()
        self._free = asyncio.Semaphore(PARALLEL_LOADS)

    async def load(
        self, run_nodes: RunNodes, program: ProgramSpec, object_bytes: bytes, mode: str, before: Attachment | None
    ) -> Loaded:
        """`before`: the XDP program that is attached there now. Raises LOAD_TIMEOUT."""
        if program.attach.hook != "xdp":
            return Loaded("refused", ONLY_XDP.format(hook=program.attach.hook))
        if len(object_bytes) > broker_worker.OBJECT_BYTES_MAX:
            return Loaded("refused", broker_worker.TOO_LARGE)
        argv = self.command(run_nodes.run, run_nodes.places[program.attach.node], program, mode, before)
        async with self._free:
            done = await run(argv, stdin=object_bytes, timeout_s=LOAD_LIMIT_S, output_limit=STDERR_BYTES_MAX)
        if done.timed_out or done.code in (-signal.SIGXCPU, -signal.SIGALRM):
            raise NetlabError(ErrorCode.LOAD_TIMEOUT, limit_s=LOAD_LIMIT_S)
        if done.code < 0:
            return Loaded("refused", KILLED.get(-done.code, CRASHED))
        if done.code not in STATES:
            raise ProcessFailed(done)
        return Loaded(STATES[done.code], done.stderr.decode(errors="replace"))

    def command(self, run_id: str, place: NodePlace, program: ProgramSpec, mode: str, before: Attachment | None) -> list[str]:
        """The worker's command line."""
        old = (before.mode, str(before.program_id)) if before else ("", "0")
        return [
            os.path.realpath(sys.executable), "-I", "-S", broker_worker.__file__,
            str(place.netns), str(self._memory_group(run_id, place.node)), str(self._uid),
            program.attach.interface, program.function, mode, *old,
        ]

    def _memory_group(self, run_id: str, node: str) -> Path:
        """Where a process joins the node's memory limit: with v2 the one hierarchy, else that of the controller."""
        folders = self._cgroups.folders(marks.cgroup_of(self._instance, run_id, node))
        limited = [f for f in folders if (f / "memory.max").exists() or (f / "memory.limit_in_bytes").exists()]
        if not limited:
            raise NetlabError(ErrorCode.RUN_NOT_RUNNING)
        return limited[0] / "cgroup.procs"
