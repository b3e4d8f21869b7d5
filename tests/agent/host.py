"""A host of a test's own: Redis, holder and agent as processes, seen as the web side sees them."""

import asyncio
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import redis

from netlab.config import Config
from netlab.domain.ids import new_command_id, new_run_id, new_terminal_id
from netlab.domain.lab import Isolation, RuntimeName
from netlab.queue.agent_client import AgentAway, send_commands
from netlab.wire.commands import Command, LabFile, StartRun
from netlab.wire.events import Event, RunStateChanged, parse_event
from netlab.wire.streams import WebStreams, connect
from netlab.wire.terminals import TerminalInput
from tests.contract.kit import PASS_C, give_hypervisor, lab
from tests.waiting import until

TOP = Path(__file__).resolve().parents[2]
END_WITHIN_S = 30
WITHIN_S = 60.0
"""Processes start, machines are made: on a machine that does other things, too."""


class Host:
    def __init__(self, config: Config, folder: Path, *, guest: bool = False) -> None:
        """`guest`: with the guest image, which each agent tries as soon as it starts."""
        self.config, self._folder = config, folder
        self.redis_socket = config.run_dir / "redis" / "redis.sock"
        self.env = {
            **os.environ, "PYTHONPATH": str(TOP), "NETLAB_INSTANCE": config.instance, "NETLAB_RUN_DIR": str(config.run_dir),
            "NETLAB_STATE_DIR": str(config.state_dir), "NETLAB_ROOTFS_DIR": str(config.rootfs_dir),
            "NETLAB_REDIS_URL": f"unix://{self.redis_socket}", "NETLAB_WORKER_UID": str(config.worker_uid),
            "NETLAB_GUEST_DIR": str(config.guest_dir if guest else folder / "no-guest"),
            "NETLAB_TEMPLATES_DIR": str(config.templates_dir),
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.log = folder / "log"

    # --- processes

    def start_redis(self) -> None:
        config = self.config
        config.run_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.redis_socket.parent.mkdir(mode=0o755, exist_ok=True)
        words = ["redis-server", "--port", "0", "--unixsocket", str(self.redis_socket), "--dir", str(self._folder)]
        self._start("redis", [*words, "--save", "", "--appendonly", "yes", "--appendfsync", "always"])
        deadline = time.monotonic() + WITHIN_S
        while not self._redis_answers():
            assert time.monotonic() < deadline, "Redis does not start"
            time.sleep(0.01)

    def _redis_answers(self) -> bool:
        """Its socket is there before it has read what it kept."""
        with redis.Redis(unix_socket_path=str(self.redis_socket)) as client:
            try:
                return bool(client.ping())
            except redis.exceptions.ConnectionError:
                return False

    def start(self, name: str) -> None:
        """holder or agent."""
        self._start(name, [sys.executable, "-m", "netlab.host", name])

    def _start(self, name: str, words: list[str]) -> None:
        with open(self.log, "ab") as log:
            self.processes[name] = subprocess.Popen(words, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes.pop(name).wait()

    def end(self, name: str) -> int:
        """SIGTERM, as the supervisor sends it; the exit code."""
        process = self.processes.pop(name)
        process.terminate()
        try:
            return process.wait(timeout=END_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def tool(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """`python -m netlab.host ...` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "netlab.host", *words], env=self.env, capture_output=True, text=True, timeout=60, check=False,
        )

    def end_all(self) -> str:
        """Whatever runs; then everything in the kernel goes. Returns what `clean` had to complain about."""
        complaints = []
        for name in [n for n in ("agent", "holder", "redis") if n in self.processes]:
            try:
                self.end(name)
            except subprocess.TimeoutExpired:
                complaints.append(f"the {name} did not end")
        cleaned = self.tool("clean")
        return "; ".join([*complaints, *([cleaned.stderr] if cleaned.returncode else [])])

    # --- as the web side

    async def open(self) -> None:
        give_hypervisor(self.config)
        self.start_redis()
        self.start("holder")
        self.start("agent")
        self.web = WebStreams(connect(self.env["NETLAB_REDIS_URL"]), self.config.instance)
        await self.serves()

    async def serves(self) -> None:
        await until(self.config.agent_socket.exists, "the agent's socket", WITHIN_S)

    async def send(self, *commands: Command) -> None:
        """As the worker does: again when the agent is away, for it may just be starting."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            try:
                return await asyncio.to_thread(send_commands, self.config.agent_socket, commands)
            except AgentAway:
                assert time.monotonic() < deadline, "the agent does not answer"
                await asyncio.sleep(0.05)

    async def events(self, run: str) -> list[Event]:
        return [parse_event(data) for _, data in await self.web.events_after(run, "0")]

    async def output(self, terminal: str) -> bytes:
        """All that is kept, checked to have neither gaps nor repetitions."""
        pieces = await self.web.terminal_output(terminal, 0, 10_000)
        for (before, _), (end, data) in pairwise(pieces):
            assert end - len(data) == before
        return b"".join(data for _, data in pieces)

    async def type(self, run: str, terminal: str, text: str) -> None:
        await self.web.send_terminal(self.config.host_name, TerminalInput(run=run, terminal=terminal, data=text.encode()))

    async def said(self, terminal: str, what: str, within_s: float = WITHIN_S) -> None:
        async def there() -> bool:
            return what.encode() in await self.output(terminal)

        await until(there, f"{what!r} on the terminal", within_s)

    async def told(self, run: str, **fields: Any) -> Event:
        """The newest event with these fields, as soon as there is one."""
        async def there() -> Event | None:
            found = [e for e in await self.events(run) if all(getattr(e, k, None) == v for k, v in fields.items())]
            return found[-1] if found else None

        return await until(there, f"an event with {fields}", WITHIN_S)

    async def states(self, run: str) -> list[str]:
        return [e.state.value for e in await self.events(run) if isinstance(e, RunStateChanged)]

    def start_command(self, **more: Any) -> StartRun:
        return StartRun(
            id=new_command_id(), run=new_run_id(), generation=1, lab=lab(), lab_digest="d",
            files=[LabFile(path="pass.bpf.c", content=PASS_C, version=1)], runtime=RuntimeName.NAMESPACES,
            isolation=Isolation.STRANGERS, terminals=[new_terminal_id(), new_terminal_id()], **more,
        )
