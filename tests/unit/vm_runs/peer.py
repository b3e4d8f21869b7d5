"""Machines without machines: the other end of each port is a guest that a test speaks for, word by word.

The port's session, its framing and its stream are the real ones; what is in a real machine is tried in tests/contract.
"""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

from netlab.domain.errors import ErrorBody
from netlab.host.steps import Steps
from netlab.host.vm.api import Bake, Ending, Shape, Template
from netlab.host.vm.image import MANIFEST, PARTS
from netlab.wire.commands import StartRun, parse_command
from netlab.wire.events import EventBase
from netlab.wire.guest_port import FRAME_BYTES_MAX, GUEST_RUN, Kind, Message, PortSession
from netlab.wire.host_report import Leftover
from tests.contract.kit import lab


class Guest:
    """The agent in a machine: answers what an engine would, keeps what it was told, says what a test wants."""

    def __init__(self) -> None:
        self.session = PortSession(frame_bytes_max=FRAME_BYTES_MAX)
        self.heard: list[Message] = []
        self.start: StartRun | None = None
        self.dumb = False
        self.answers_commands = True
        self.pings_to_lose = 0
        self.bake_error: ErrorBody | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        ours, theirs = socket.socketpair()
        self.end()
        reader, self._writer = await asyncio.open_connection(sock=ours)
        self.session.connected()
        self._task = asyncio.create_task(self._serve(reader))
        self.flush()
        return await asyncio.open_connection(sock=theirs)

    def end(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._writer is not None:
            self._writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(65536):
            for message in self.session.receive(data):
                self.heard.append(message)
                if not self.dumb:
                    self._answer(message)
            self.session.acknowledge()
            self.flush()

    def _answer(self, message: Message) -> None:
        fields = message.fields
        if message.kind is Kind.PING and self.pings_to_lose > 0:
            self.pings_to_lose -= 1
        elif message.kind is Kind.PING:
            self.say(Kind.PONG, n=fields["n"])
        elif message.kind is Kind.SYNC:
            self.say(Kind.SYNCED, n=fields["n"])
        elif message.kind is Kind.PERSONALISE:
            command = StartRun.model_validate({**json.loads(fields["start"]), "lab": lab()})  # the lab is in the template
            assert command.run == GUEST_RUN
            self.start = command
            for terminal, wanted in zip(command.terminals, command.lab.terminals, strict=True):
                self.event({"kind": "terminal_opened", "terminal": terminal, "node": wanted.node, "title": wanted.title})
                self.output(terminal, b"# ", 2)
            self.say(Kind.READY, error=None)
        elif message.kind is Kind.BAKE:
            self.say(Kind.BAKED, error=self.bake_error.model_dump_json() if self.bake_error else None)
        elif message.kind is Kind.COMMAND and self.answers_commands:
            self.say(Kind.REPLY, command=parse_command(fields["command"]).id, error=None)

    def say(self, kind: Kind, **fields: Any) -> None:
        self.session.send(kind, **fields)
        self.flush()

    def event(self, fields: dict[str, Any] | EventBase, **more: Any) -> None:
        if isinstance(fields, EventBase):
            self.say(Kind.EVENT, event=fields.model_dump_json())
        else:
            self.say(Kind.EVENT, event=json.dumps({"run": GUEST_RUN, "at": 1.0, **fields, **more}))

    def output(self, terminal: str, data: bytes, end_offset: int) -> None:
        self.say(Kind.OUTPUT, terminal=terminal, end_offset=end_offset, data=data)

    def raw(self, data: bytes) -> None:
        assert self._writer is not None
        self._writer.write(data)

    def flush(self) -> None:
        if self._writer is not None and (data := self.session.take()):
            self._writer.write(data)

    def commands(self) -> list[Any]:
        return [parse_command(m.fields["command"]) for m in self.heard if m.kind is Kind.COMMAND]


class PeerMachine:
    def __init__(self, run: str, shape: Shape, guest: Guest) -> None:
        self.run, self.shape, self.pid, self.guest = run, shape, 0, guest
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.fail_suspend: OSError | None = None

    async def open_port(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await self.guest.connect()

    async def kill(self) -> None:
        self.guest.end()
        if not self.ended.done():
            self.ended.set_result(Ending("stopped", "it was stopped"))

    async def console(self) -> str:
        return "what a guest prints"

    async def suspend(self, folder: Path) -> None:
        if self.fail_suspend is not None:
            raise self.fail_suspend
        (folder / "state").write_text("asleep")
        await self.kill()


class PeerMachines:
    """`clones` holds every machine that was made of a run, the newest last."""

    def __init__(self) -> None:
        self.running: dict[str, PeerMachine] = {}
        self.clones: dict[str, list[PeerMachine]] = {}
        self.asleep: dict[str, Guest] = {}

    def guest(self, run: str) -> Guest:
        return self.clones[run][-1].guest

    async def clone(self, run: str, template: Template, uid: int) -> PeerMachine:
        assert run not in self.running, "one machine a run"
        machine = self.running[run] = PeerMachine(run, template.shape, Guest())
        self.clones.setdefault(run, []).append(machine)
        return machine

    async def resume(self, run: str, folder: Path, template: Template, uid: int) -> PeerMachine:
        assert (folder / "state").read_text() == "asleep"
        machine = self.running[run] = PeerMachine(run, template.shape, self.guest(run))
        self.clones[run].append(machine)
        return machine

    async def adopt(self, run: str) -> PeerMachine | None:
        return self.running.get(run)

    async def remove(self, run: str) -> None:
        machine = self.running.pop(run, None)
        if machine is not None:
            await machine.kill()

    async def owned_runs(self) -> set[str]:
        return set(self.running)

    async def leftovers(self, known: set[str]) -> list[Leftover]:
        return [Leftover(kind="vm", name=run) for run in self.running if run not in known]


class PeerTemplates:
    """Keeps nothing on disk: a template is a name that was baked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.baked: list[str] = []
        self.condemned: list[str] = []
        self.error: ErrorBody | None = None

    async def base(self, shape: Shape, greet: Bake) -> Template:
        return await self._bake("base", shape, greet)

    async def get(self, lab_digest: str, shape: Shape, greet: Bake, bake: Bake, steps: Steps) -> Template:
        if lab_digest in self.baked:
            return Template(lab_digest, self._folder, shape)
        async with steps.step("template", "Prepare a machine with this lab in it"):
            return await self._bake(lab_digest, shape, bake)

    async def _bake(self, key: str, shape: Shape, bake: Bake) -> Template:
        if key not in self.baked:
            guest = Guest()
            guest.bake_error = self.error
            machine = PeerMachine("", shape, guest)
            guest.say(Kind.BOOTED, kernel="6.12-test", abilities='[{"ability": "veth", "works": true}]')
            try:
                await bake(machine)
            finally:
                await machine.kill()
            self.baked.append(key)
        return Template(key, self._folder, shape)

    def has(self, lab_digest: str, shape: Shape) -> bool:
        return lab_digest in self.baked

    async def condemn(self, template: Template) -> None:
        self.baked.remove(template.key)
        self.condemned.append(template.key)


def make_image(folder: Path, digest: str = "one") -> None:
    """What find_image takes for an image."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        (folder / part).write_bytes(b"part")
    manifest = {"digest": digest, "kernel_release": "6.12-test", "sizes": dict.fromkeys(PARTS, 4)}
    (folder / MANIFEST).write_text(json.dumps(manifest))
