"""Plain nodes: a network namespace each and nothing else. For kernels of an attendee's own, for benches and tests.

Called by the engine inside a guest. What runs in a plain node is the machine's own root: there is no box around it. In a
guest each node has a mount and a UTS namespace that stay, too (`pinned`), and all nodes together leave the agent its memory.
"""

import fcntl
import os
import struct
import termios
from collections.abc import Sequence
from dataclasses import asdict

from netlab.config import Config
from netlab.domain.device_needs import modules_of
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_bug_id
from netlab.domain.lab import Isolation
from netlab.domain.resolve import ResolvedLab
from netlab.host.kernel import process
from netlab.host.nodes import running, wires
from netlab.host.nodes.api import ExecResult, NewTerminal, NodePlace, RunNodes
from netlab.host.nodes.base import PLAIN, NodesBase, count_of
from netlab.host.nodes.marks import Mark, cgroup_of, read_mark
from netlab.host.nsworker.client import Child, NsWorker
from netlab.host.nsworker.places import RunDir
from netlab.host.sandbox.bundle import ENVIRONMENT, MAX_PPS_VARIABLE
from netlab.host.steps import Steps

MODULES_S = 20
LOGIN_SHELL = ("/bin/bash", "-l")
LAB = "/lab"
AGENT_BYTES = 64 * 1024 * 1024
"""Of a guest's memory: for the agent, its children and the kernel's own."""
PIDS_MAX = 1000
"""Of all nodes of a guest together: a fork bomb leaves room for a prompt."""

IUTF8 = 0x4000
"""include/uapi/asm-generic/termbits-common.h; the termios module does not know it."""

_ENVIRONMENT = dict(line.split("=", 1) for line in ENVIRONMENT)


class PlainNodes(NodesBase):
    def __init__(self, config: Config, worker: NsWorker, *, bpffs: bool = True, pinned: bool = False) -> None:
        """`bpffs=False` leaves out the nodes' BPF file systems, as the benches do: nobody else makes them either. `pinned`:
        what is mounted in a node's shell is there in its next one."""
        super().__init__(config, worker, container_runtimes=())
        self._bpffs, self._pinned = bpffs, pinned

    async def create(self, run: str, lab: ResolvedLab, isolation: Isolation, steps: Steps) -> RunNodes:
        names = tuple(node.name for node in lab.nodes)
        steps.undo(f"nodes of {run}", lambda: self.remove(run))
        mark = Mark(self._instance, run, PLAIN, isolation.value, 0, names, names if self._bpffs else (), complete=True)
        await self._load_modules(lab, steps)
        async with steps.step("namespaces", f"Create {count_of(names, 'node')} and {count_of(lab.links, 'link')}"):
            await self._make_run(
                mark, "build_plain", nodes=names, bpffs=self._bpffs, pinned=self._pinned, topology=wires.topology(lab),
                complete_mark=asdict(mark),
            )
            if self._pinned:
                self._leave_memory(run)
        nodes = self._nodes(mark, lab)
        await self._shape(nodes, steps)
        return nodes

    async def adopt(self, run: str, lab: ResolvedLab) -> RunNodes | None:
        place = RunDir(self._base, run)
        mark = read_mark(place)
        if mark is None or not self._is_whole(mark, PLAIN, lab):
            return None
        return self._nodes(mark, lab)

    async def reset_node(self, nodes: RunNodes, node: str, steps: Steps) -> None:
        self._place(nodes, node)
        mark = read_mark(RunDir(self._base, nodes.run))
        if mark is None:
            raise NetlabError(ErrorCode.RUN_NOT_RUNNING)
        async with steps.step("namespaces", f"Create {node} anew"):
            await self._hierarchies.remove(cgroup_of(self._instance, nodes.run, node))
            await self._cut(nodes, node)
            await self._ask("remove_node", nodes.run, node=node)
            await self._ask("make_plain", nodes.run, nodes=[node], bpffs=node in mark.bpf_nodes, pinned=self._pinned)
        async with steps.step("wires", "Connect its links"):
            await self._rejoin(nodes, node)
        await self._shape(nodes, steps, node)

    async def execute(
        self, nodes: RunNodes, node: str, argv: list[str], *, stdin: bytes = b"", timeout_s: float = 10,
        output_limit: int = 64 * 1024, cwd: str = LAB, background: bool = False,
    ) -> ExecResult:
        self._place(nodes, node)
        if background:
            null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            try:
                await self._spawn(nodes, node, argv, [null, null, null], cwd, lives_on=True)
            finally:
                os.close(null)
            return ExecResult(0, b"", b"")
        return await running.run(
            lambda stdio: self._spawn(nodes, node, argv, stdio, cwd), stdin=stdin, timeout_s=timeout_s, output_limit=output_limit,
        )

    async def open_terminal(self, nodes: RunNodes, node: str, rows: int, cols: int, argv: list[str] | None = None) -> NewTerminal:
        self._place(nodes, node)
        master, slave = os.openpty()
        try:
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
            attributes = termios.tcgetattr(slave)
            attributes[0] |= IUTF8
            termios.tcsetattr(slave, termios.TCSANOW, attributes)
            child = await self._spawn(nodes, node, argv or LOGIN_SHELL, [slave] * 3, LAB, lives_on=True, terminal=True)
        except BaseException:
            os.close(master)
            raise
        finally:
            os.close(slave)
        os.set_blocking(master, False)
        return NewTerminal(master, child.pid)

    def _leave_memory(self, run: str) -> None:
        """What an attendee's programs eat kills an attendee's program, not the agent."""
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        self._hierarchies.limit(cgroup_of(self._instance, run), max(whole - AGENT_BYTES, whole // 2), PIDS_MAX)

    async def _load_modules(self, lab: ResolvedLab, steps: Steps) -> None:
        """Only here: a node's kernel is its attendee's own."""
        wanted = modules_of(lab.spec)
        if not wanted:
            return
        async with steps.step("modules", f"Load {count_of(wanted, 'kernel module')}"):
            done = await process.run(["modprobe", "--all", *wanted], timeout_s=MODULES_S)
            if done.code != 0:
                said = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.code}"]
                raise NetlabError(ErrorCode.START_FAILED, why=f"its kernel lacks a module ({said[0]})", id=new_bug_id())

    def _nodes(self, mark: Mark, lab: ResolvedLab) -> RunNodes:
        place = RunDir(self._base, mark.run)
        nodes = RunNodes(mark.run, lab, place.lab)
        for name in mark.nodes:
            bpffs = place.node(name).bpffs if name in mark.bpf_nodes else None
            nodes.places[name] = NodePlace(name, place.node(name).netns, None, 0, 0, bpffs)
        return nodes

    async def _spawn(
        self, nodes: RunNodes, node: str, argv: Sequence[str], stdio: list[int], cwd: str,
        lives_on: bool = False, terminal: bool = False,
    ) -> Child:
        """`/lab` is the run's folder also on a machine that has none of that name."""
        if not os.path.isdir(LAB) and (cwd == LAB or cwd.startswith(LAB + "/")):
            cwd = str(nodes.lab_dir.parent if self._pinned else nodes.lab_dir) + cwd.removeprefix(LAB)
        cgroup = self._hierarchies.bookkeeping_root / cgroup_of(self._instance, nodes.run, node)
        environment = {**_ENVIRONMENT, MAX_PPS_VARIABLE: str(nodes.lab.spec.max_pps or self._config.storm_pps)}
        return await self._worker.spawn(
            argv, stdio, base=str(self._base), run=nodes.run, plain_node=node, cwd=cwd, env=environment, cgroup=str(cgroup),
            dies_with_worker=not lives_on, controlling_terminal=terminal,
        )
