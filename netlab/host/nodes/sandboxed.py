"""Sandboxed nodes: a user namespace, a network namespace and a container each, over one host uid range a run.

Called by the engine on a host whose kernel is shared with attendees. The fork server makes namespaces and file systems,
crun (or runc) the containers; this module says in which order, and finds all of it again after a restart.
"""

import asyncio
import errno
import fcntl
import json
import logging
import os
import shutil
import socket
import struct
import termios
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from netlab.config import Config
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_bug_id
from netlab.domain.lab import NODE_DISK_MB, Isolation
from netlab.domain.resolve import ResolvedLab
from netlab.host.kernel import uid_slots
from netlab.host.kernel.readable import readable
from netlab.host.nodes import marks, running
from netlab.host.nodes.api import ExecResult, NewTerminal, NodePlace, RunNodes
from netlab.host.nodes.base import SANDBOXED, NodesBase, count_of
from netlab.host.nodes.marks import Mark, read_mark
from netlab.host.nsworker.client import Child, NsWorker
from netlab.host.nsworker.folders import WALKED_MODE
from netlab.host.nsworker.places import RunDir
from netlab.host.sandbox import bundle, delegation
from netlab.host.sandbox.bundle import BundleSpec, Confinement
from netlab.host.sandbox.door import CONTAINER_RUNTIMES
from netlab.host.steps import Steps

log = logging.getLogger(__name__)

INIT = ("/usr/bin/catatonit", "-P")
LOGIN_SHELL = ("/bin/bash", "-l")
CONTAINERS_AT_ONCE = 8
CONTAINER_START_S = 30.0
TERMINAL_START_S = 15.0
CONTROL_BYTES = 4096
CONFINED = Confinement()


class ContainerFailed(Exception):
    """crun or runc did not do what it always does: a broken host or a bug of ours."""


class SandboxedNodes(NodesBase):
    def __init__(
        self, config: Config, worker: NsWorker, confinement: Confinement = CONFINED, *,
        container_runtimes: Sequence[str] = CONTAINER_RUNTIMES, overlay_by_host: bool = False,
    ) -> None:
        """`overlay_by_host` is found by itself; given, it takes the way of kernels before 6.6."""
        super().__init__(config, worker, container_runtimes)
        self._confinement = confinement
        self._overlay_by_host = overlay_by_host
        self._starting = asyncio.Semaphore(CONTAINERS_AT_ONCE)
        self._numbers = count(1)

    async def create(self, run: str, lab: ResolvedLab, isolation: Isolation, steps: Steps) -> RunNodes:
        self._check_rootfs()
        names = tuple(node.name for node in lab.nodes)
        steps.undo(f"nodes of {run}", lambda: self.remove(run))
        async with steps.step("namespaces", f"Create {count_of(names, 'isolated node')}"):
            uid_base = self._take_slot(run)
            mark = Mark(self._instance, run, SANDBOXED, isolation.value, uid_base, names)
            place = await self._make_run(mark)
            mark = replace(mark, bpf_nodes=tuple(await self._make_sandboxes(mark, names)))
            self._bring_programs(place)
        nodes = RunNodes(run, lab, place.lab)
        starting = [asyncio.ensure_future(self._start(mark, lab, name)) for name in names]
        try:
            async with steps.step("wires", f"Connect {count_of(lab.links, 'link')}, set addresses"):
                await self._connect(run, lab)
            async with steps.step("containers", f"Start {count_of(names, 'container')}"):
                pids = await asyncio.gather(*starting)
        except BaseException:
            await _cancelled(*starting)  # each: a gather is over when the first of them is
            raise
        nodes.places = {name: self._node_place(mark, name, pid) for name, pid in zip(names, pids, strict=True)}
        await self._shape(nodes, steps)
        replace(mark, complete=True).write(place)
        return nodes

    async def adopt(self, run: str, lab: ResolvedLab) -> RunNodes | None:
        place = RunDir(self._base, run)
        mark = read_mark(place)
        if mark is None or not self._is_whole(mark, SANDBOXED, lab):
            return None
        nodes = RunNodes(run, lab, place.lab)
        for name in mark.nodes:
            pid = self._init_pid(place, name)
            if pid not in self._hierarchies.pids(marks.cgroup_of(self._instance, run, name)):
                return None
            nodes.places[name] = self._node_place(mark, name, pid)
        return nodes

    async def reset_node(self, nodes: RunNodes, node: str, steps: Steps) -> None:
        self._place(nodes, node)
        run = nodes.run
        mark = read_mark(RunDir(self._base, run))
        if mark is None:
            raise NetlabError(ErrorCode.RUN_NOT_RUNNING)
        async with steps.step("remove", f"Remove {node}"):
            await self._hierarchies.remove(marks.cgroup_of(self._instance, run, node))
            self._containers.forget(run, node)
            await self._cut(nodes, node)
            await self._ask("remove_node", run, node=node)
        async with steps.step("namespaces", f"Create {node} anew"):
            with_bpf = await self._make_sandboxes(mark, (node,))
            mark = replace(mark, bpf_nodes=tuple({*mark.bpf_nodes, *with_bpf}))
        async with steps.step("containers", "Start its container"):
            pid = await self._start(mark, nodes.lab, node)
        async with steps.step("wires", "Connect its links"):
            await self._rejoin(nodes, node)
        nodes.places[node] = self._node_place(mark, node, pid)
        await self._shape(nodes, steps, node)

    async def execute(
        self, nodes: RunNodes, node: str, argv: list[str], *, stdin: bytes = b"", timeout_s: float = 10,
        output_limit: int = 64 * 1024, cwd: str = "/lab", background: bool = False,
    ) -> ExecResult:
        self._place(nodes, node)
        if background:  # the node's own /dev/null: ours must not be lent out, and a closed pipe would end it
            argv = ["/bin/sh", "-c", 'exec "$@" </dev/null >/dev/null 2>&1', "sh", *argv]
        process, pid_file = self._scratch(nodes.run, "process"), self._scratch(nodes.run, "pid")
        process.write_text(json.dumps(self._process(nodes.run, node, argv, cwd)))
        container = self._containers.container_id(nodes.run, node)
        command = self._containers.execute(container, process, pid_file, detach=background)
        try:
            return await running.run(
                lambda stdio: self._spawn(nodes.run, command, stdio), stdin=stdin, timeout_s=timeout_s, output_limit=output_limit,
                on_timeout=lambda: self._kill_session(nodes.run, node, pid_file),
            )
        finally:
            process.unlink(missing_ok=True)
            pid_file.unlink(missing_ok=True)

    async def open_terminal(self, nodes: RunNodes, node: str, rows: int, cols: int, argv: list[str] | None = None) -> NewTerminal:
        self._place(nodes, node)
        process = self._process(nodes.run, node, argv or LOGIN_SHELL, "/lab")
        process |= {"terminal": True, "consoleSize": {"height": rows, "width": cols}}
        console, file, pid_file = (self._scratch(nodes.run, what) for what in ("console", "process", "pid"))
        file.write_text(json.dumps(process))
        command = self._containers.execute(
            self._containers.container_id(nodes.run, node), file, pid_file, console=console, detach=True
        )
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as listener:
                listener.bind(str(console))
                listener.listen(1)
                master = await self._await_master(nodes.run, listener, command)
            pid = int(pid_file.read_text())
        finally:
            for path in (console, file, pid_file):
                path.unlink(missing_ok=True)
        os.set_blocking(master, False)
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        return NewTerminal(master, pid)

    # making -------------------------------------------------------------------------------------------------------------

    def _check_rootfs(self) -> None:
        """Its folder is a cache and may be emptied while netlab runs."""
        if not self._config.rootfs_dir.is_dir():
            bug = new_bug_id()
            log.error("no root file system at %s; `make up` builds it (%s)", self._config.rootfs_dir, bug)
            why = "the root file system of its nodes is missing on the host; `make up` builds it again"
            raise NetlabError(ErrorCode.START_FAILED, why=why, id=bug)

    def _take_slot(self, run: str) -> int:
        try:
            return uid_slots.take(self._instance, run, self._config.uid_slots).uid_base(self._config.uid_base)
        except uid_slots.NoSlotFree as full:
            raise NetlabError(ErrorCode.START_FAILED, why=str(full), id=new_bug_id()) from full

    def _release(self, run: str) -> None:
        uid_slots.release(self._instance, run)

    async def _make_sandboxes(self, mark: Mark, names: Sequence[str]) -> list[str]:
        """Those of the nodes that have a BPF file system."""
        arguments = {
            "uid_base": mark.uid_base, "uid_count": uid_slots.UIDS_PER_SLOT, "rootfs": str(self._config.rootfs_dir),
            "disk_mb": NODE_DISK_MB, "disk_inodes": bundle.DISK_INODES,
            "delegate": delegation.options(Isolation(mark.isolation)), "nodes": list(names),
        }
        try:
            answer = await self._ask("make_sandboxes", mark.run, overlay_by_host=self._overlay_by_host, **arguments)
        except OSError as refused:
            if refused.errno != errno.ENOTSUP or self._overlay_by_host:
                raise
            self._overlay_by_host = True
            for name in names:
                await self._ask("remove_node", mark.run, node=name)
            answer = await self._ask("make_sandboxes", mark.run, overlay_by_host=True, **arguments)
        made: list[str] = answer.result
        return made

    async def _start(self, mark: Mark, lab: ResolvedLab, name: str) -> int:
        """The container of one node; its init's pid."""
        place = RunDir(self._base, mark.run)
        node = place.node(name)
        spec = self._bundle_spec(mark, lab, name)
        node.config.write_text(json.dumps(bundle.config(spec, INIT)))
        pid_file = node.path / "pid"
        command = self._containers.run(self._containers.container_id(mark.run, name), node.path, pid_file)
        async with self._starting:
            done = await running.run(
                lambda stdio: self._spawn(mark.run, command, stdio), stdin=b"", timeout_s=CONTAINER_START_S,
                output_limit=CONTROL_BYTES, await_output=False,
            )
        if done.exit_code != 0:
            raise ContainerFailed(f"container of {name}: {_said(done)}")
        return int(pid_file.read_text())

    def _bundle_spec(self, mark: Mark, lab: ResolvedLab, name: str) -> BundleSpec:
        place = RunDir(self._base, mark.run)
        node, asked = place.node(name), lab.node(name).spec
        return BundleSpec(
            node=name, root=node.root, userns=node.userns, netns=node.netns, lab_dir=place.lab,
            bpffs=node.bpffs if name in mark.bpf_nodes else None, uid_base=mark.uid_base,
            uid_count=uid_slots.UIDS_PER_SLOT, cgroup="/" + marks.cgroup_of(self._instance, mark.run, name),
            memory_mb=asked.memory_mb, cpu_percent=asked.cpu_percent,
            perfmon=Isolation(mark.isolation) is Isolation.TRUSTED, runtime_wants_maps=not self._containers.is_crun,
            max_pps=lab.spec.max_pps or self._config.storm_pps,
            programs=tuple(sorted(place.programs.glob("*"))), confinement=self._confinement,
        )

    def _bring_programs(self, place: RunDir) -> None:
        """Into the run's folder: whoever starts a container walks there as the node's root, not to the host's caches."""
        place.programs.mkdir(WALKED_MODE)
        for program in (self._config.bpf_dir / "bin").glob("*"):
            shutil.copy(program, place.programs)

    async def _spawn(self, run: str, command: list[str], stdio: list[int]) -> Child:
        """In a group of the run: a runtime forks and detaches, and removing the run must end all of it."""
        group = self._hierarchies.bookkeeping_root / marks.starters_of(self._instance, run)
        return await self._worker.spawn(command, stdio, base=str(self._base), view=self._containers.is_crun, cgroup=str(group))

    def _node_place(self, mark: Mark, name: str, pid: int) -> NodePlace:
        node = RunDir(self._base, mark.run).node(name)
        bpffs = node.bpffs if name in mark.bpf_nodes else None
        return NodePlace(name, node.netns, node.userns, pid, mark.uid_base, bpffs)

    # running in a node --------------------------------------------------------------------------------------------------

    def _process(self, run: str, node: str, argv: Sequence[str], cwd: str) -> dict[str, Any]:
        """The node's own process object with another command: all of its confinement holds."""
        config = json.loads(RunDir(self._base, run).node(node).config.read_text())
        process: dict[str, Any] = config["process"]
        return process | {"args": list(argv), "cwd": cwd}

    def _scratch(self, run: str, what: str) -> Path:
        """A short path: a unix socket's has at most 107 bytes."""
        return RunDir(self._base, run).path / f".{what}{os.getpid()}-{next(self._numbers)}"

    async def _await_master(self, run: str, listener: socket.socket, command: list[str]) -> int:
        accepting = asyncio.ensure_future(_accept(listener))
        starting = asyncio.ensure_future(running.run(
            lambda stdio: self._spawn(run, command, stdio), stdin=b"", timeout_s=TERMINAL_START_S, output_limit=CONTROL_BYTES,
            await_output=False,
        ))
        master = -1
        try:
            await asyncio.wait({accepting, starting}, return_when=asyncio.FIRST_COMPLETED)
            done = None if accepting.done() else await starting
            if accepting.done() or (done and done.exit_code == 0):
                async with asyncio.timeout(TERMINAL_START_S):
                    connection = await accepting
                master = await _receive_fd(connection)
            done = await starting
            if done.exit_code != 0 or master < 0:
                why = _last_words(master) or _said(done)
                raise NetlabError(ErrorCode.TERMINAL_FAILED, why=why, id=new_bug_id())
            return master
        except BaseException:
            if master >= 0:
                os.close(master)
            await _cancelled(accepting, starting)
            if not accepting.cancelled() and accepting.exception() is None:  # the runtime came while we were called off
                accepting.result().close()
            raise

    async def _kill_session(self, run: str, node: str, pid_file: Path) -> None:
        """The command and what it started, which are in a session that crun made; killing crun would leave them there."""
        with suppress(FileNotFoundError, ProcessLookupError, ValueError):
            member = int(pid_file.read_text())
            self._hierarchies.kill_session(marks.cgroup_of(self._instance, run, node), member)

    @staticmethod
    def _init_pid(place: RunDir, name: str) -> int:
        try:
            return int((place.node(name).path / "pid").read_text())
        except (FileNotFoundError, ValueError):
            return -1


async def _accept(listener: socket.socket) -> socket.socket:
    """The next connection. Cancelled, it has accepted none: the event loop's own `sock_accept` may lose one then."""
    await readable(listener)
    return listener.accept()[0]


async def _receive_fd(connection: socket.socket) -> int:
    """The runtime has connected and sends the master at once; -1 when it sent none."""
    with connection:
        connection.setblocking(False)
        async with asyncio.timeout(TERMINAL_START_S):
            await readable(connection)
        _, fds, _, _ = socket.recv_fds(connection, CONTROL_BYTES, 1)
        return fds[0] if fds else -1


def _last_words(master: int) -> str:
    """A command that cannot be started is explained on its own terminal."""
    if master < 0:
        return ""
    os.set_blocking(master, False)
    with suppress(OSError):
        return os.read(master, CONTROL_BYTES).decode(errors="replace").strip()
    return ""


async def _cancelled(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel and wait until they have cleaned up behind themselves; a second cancel would cut that short."""
    for task in tasks:
        if not task.cancelling():
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _said(done: ExecResult) -> str:
    text = (done.stderr or done.stdout).decode(errors="replace").strip()
    return text or ("it took too long" if done.timed_out else f"exit code {done.exit_code}")
