"""The asyncio side of the fork server: starts it, asks it, starts it again when it died. Used by `nodes`.

    worker = NsWorker(); await worker.start(); ...; await worker.close()

Requests are carried out in the order in which they were sent, so what is sent after a cancelled request comes after it.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from netlab.host.kernel.process import ENVIRONMENT
from netlab.host.nsworker.protocol import MESSAGE_BYTES_MAX, Message, close_all, encode, pair, receive, send

log = logging.getLogger(__name__)


class WorkerDied(Exception):
    """The fork server ended with requests under way; whether they were carried out is not known."""


@dataclass(frozen=True)
class Answer:
    """A result; the caller owns the descriptors."""

    result: Any
    fds: list[int] = field(default_factory=list)


class Child:
    """A process that the fork server started for us."""

    def __init__(self, worker: "NsWorker", pid: int, ended: "asyncio.Future[int]") -> None:
        self.pid = pid
        self._worker, self._ended = worker, ended

    @property
    def ended(self) -> bool:
        return self._ended.done()

    async def wait(self) -> int:
        """Its exit code, negative for a signal. Raises WorkerDied."""
        return await asyncio.shield(self._ended)

    async def kill(self, *, family: bool = True) -> None:
        """With all of its descendants, and wait until it is gone."""
        if not self._ended.done():
            whom = "family" if family else "process"
            await self._worker.call("kill", pid=self.pid, signal=int(signal.SIGKILL), whom=whom)
            await asyncio.wait({self._ended})


class NsWorker:
    def __init__(self) -> None:
        self._sock: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._buffer = bytearray(MESSAGE_BYTES_MAX)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._children: dict[int, asyncio.Future[int]] = {}
        self._unsent: deque[tuple[bytes, list[int]]] = deque()
        self._number = 0
        self._starting = asyncio.Lock()
        self._closed = False

    @property
    def pid(self) -> int:
        """0 when none is running."""
        return self._process.pid if self._process and self._sock else 0

    async def start(self) -> None:
        """Start the process. `call` does it too when it has to."""
        async with self._starting:
            if self._sock is not None:
                return
            if self._closed:
                raise WorkerDied("the fork server's client is closed")
            ours, theirs = pair()
            try:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "netlab.host.nsworker", str(theirs.fileno()),
                    pass_fds=[theirs.fileno()], stdin=asyncio.subprocess.DEVNULL, env=_environment(),
                )
            except BaseException:
                ours.close()
                raise
            finally:
                theirs.close()
            ours.setblocking(False)
            self._sock = ours
            asyncio.get_running_loop().add_reader(ours, self._readable)

    async def close(self) -> None:
        """Let the process end. What it made stays."""
        self._closed = True
        process = self._process
        self._lost("closed")
        if process is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def call(self, op: str, fds: Sequence[int] = (), **arguments: Any) -> Answer:
        """Have one op carried out. Raises OSError with the kernel's errno, WorkerDied."""
        if self._sock is None:
            await self.start()
        self._number += 1
        number = self._number
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        duplicates = [os.dup(fd) for fd in fds] if self._unsent else list(fds)
        self._send(encode({"id": number, "op": op, **arguments}), duplicates, own=bool(self._unsent))
        try:
            return await answer
        finally:
            self._waiting.pop(number, None)

    async def spawn(
        self, argv: Sequence[str], stdio: Sequence[int], *, base: str, run: str = "", plain_node: str = "",
        view: bool = False, cgroup: str = "", env: Mapping[str, str] | None = None, cwd: str = "/", dies_with_worker: bool = True,
        controlling_terminal: bool = False,
    ) -> Child:
        """Start a program; `stdio` are its three descriptors, which stay the caller's to close."""
        answer = asyncio.ensure_future(self.call(
            "spawn", stdio, argv=list(argv), env={**ENVIRONMENT, **(env or {})}, cwd=cwd, base=base, run=run,
            plain_node=plain_node, view=view, cgroup=cgroup, dies_with_us=dies_with_worker,
            controlling_terminal=controlling_terminal,
        ))
        return await self._born(answer)

    async def spawn_confined(
        self, argv: Sequence[str], descriptors: Sequence[int], *, uid: int, binds: Sequence[tuple[str, str]],
        links: Sequence[tuple[str, str]] = (), devices: Sequence[tuple[str, int, int]] = (), cgroups: Sequence[str] = (),
        limits: Mapping[str, int] | None = None, dies_with_worker: bool = False,
    ) -> Child:
        """Start a program shut in as `confined` says. `descriptors` become its 0, 1, 2, ...; they stay the caller's to close."""
        return await self._born(asyncio.ensure_future(self.call(
            "spawn_confined", descriptors, argv=list(argv), env=dict(ENVIRONMENT), uid=uid, binds=list(binds),
            links=list(links), devices=list(devices), cgroups=list(cgroups), limits=dict(limits or {}),
            dies_with_us=dies_with_worker,
        )))

    async def _born(self, answer: "asyncio.Future[Answer]") -> Child:
        """The child that an op answers with. Its caller may be cancelled meanwhile: then it is killed."""
        try:
            pid: int = (await asyncio.shield(answer)).result
        except asyncio.CancelledError:
            await asyncio.wait({answer})
            if not answer.cancelled() and answer.exception() is None:
                await Child(self, answer.result().result, self._child_end(answer.result().result)).kill()
            raise
        return Child(self, pid, self._child_end(pid))

    def _child_end(self, pid: int) -> "asyncio.Future[int]":
        """The future may be there already: its end can overtake the one who waits for its beginning."""
        if pid not in self._children:
            self._children[pid] = asyncio.get_running_loop().create_future()
        return self._children[pid]

    def _send(self, data: bytes, fds: list[int], own: bool) -> None:
        assert self._sock is not None
        if not self._unsent:
            try:
                send(self._sock, data, fds)
                return
            except BlockingIOError:
                asyncio.get_running_loop().add_writer(self._sock, self._writable)
            except OSError as broken:
                self._lost(str(broken))
                return
        self._unsent.append((data, fds if own else [os.dup(fd) for fd in fds]))

    def _writable(self) -> None:
        assert self._sock is not None
        while self._unsent:
            data, fds = self._unsent[0]
            try:
                send(self._sock, data, fds)
            except BlockingIOError:
                return
            except OSError as broken:
                self._lost(str(broken))
                return
            self._unsent.popleft()
            close_all(fds)
        asyncio.get_running_loop().remove_writer(self._sock)

    def _readable(self) -> None:
        assert self._sock is not None
        try:
            message, fds = receive(self._sock, self._buffer)
        except BlockingIOError:
            return
        except OSError as broken:
            self._lost(str(broken))
            return
        if message is None:
            self._lost("ended")
        elif "exited" in message:
            self._ended(message["exited"], message["status"])
        else:
            self._answered(message, fds)

    def _ended(self, pid: int, status: int) -> None:
        future = self._child_end(pid)
        if not future.done():
            future.set_result(status)
        asyncio.get_running_loop().call_later(1, self._children.pop, pid, None)

    def _answered(self, message: Message, fds: list[int]) -> None:
        waiting = self._waiting.pop(message["id"], None)
        if waiting is None or waiting.done():
            close_all(fds)
        elif "errno" in message:
            close_all(fds)
            waiting.set_exception(OSError(message["errno"], message["error"]))
        else:
            waiting.set_result(Answer(message["result"], fds))

    def _lost(self, why: str) -> None:
        """The process is gone: everybody who waits is told, the next call starts another."""
        if self._sock is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._sock)
            loop.remove_writer(self._sock)
            self._sock.close()
            self._sock = None
            if not self._closed:
                log.error("the fork server is gone (%s); the next request starts another", why)
        for _, fds in self._unsent:
            close_all(fds)
        self._unsent.clear()
        waiting, self._waiting = self._waiting, {}
        children, self._children = self._children, {}
        futures: list[asyncio.Future[Any]] = [*waiting.values(), *children.values()]
        for future in futures:
            if not future.done():
                future.set_exception(WorkerDied(why))
                future.exception()  # nobody has to be waiting


def _environment() -> dict[str, str]:
    """Python finds our package as this process did."""
    return {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
