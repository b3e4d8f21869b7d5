"""Everything that is said with one guest, from its clone to its end: what goes down, and what may come up.

Made by `lifecycle` for each machine. Nothing that comes up is trusted: it is about this run, its terminals and the commands
that were sent, or it is not heard. When the guest is of no use any more `lost` is done; what follows is `lifecycle`'s.
"""

import asyncio
import logging
import secrets
import time
import uuid
from typing import Any

from netlab.domain.errors import ErrorBody, ErrorCode, NetlabError
from netlab.host.vm.api import Ending, Machine
from netlab.host.vm_runs.builds import GuestBuilds
from netlab.host.vm_runs.counters import GuestCounters
from netlab.host.vm_runs.hearing import Hearing
from netlab.host.vm_runs.live_vm import LiveVm
from netlab.host.vm_runs.port import CLOSED, GuestPort, Loss
from netlab.host.vm_runs.record import read_error
from netlab.host.vm_runs.starving import Starving
from netlab.wire.commands import Command, StartRun
from netlab.wire.guest_port import GUEST_RUN, Kind, Message
from netlab.wire.terminals import TerminalAck, TerminalInput, TerminalMessage

log = logging.getLogger(__name__)

REPLY_LIMIT_S = 6.0
SYNC_LIMIT_S = 2.0
PING_AGAIN_S = 1.0
ENDING_LIMIT_S = 1.0
"""Between the end of a port and the machine's own word why."""
INPUT_WAITING_MAX_BYTES = 2 << 20
"""Typed bytes that the guest has not taken; what goes beyond is dropped, as a line too long for a tty is."""
SEED_BYTES = 64
CONSOLE_LINES = 40
NEW_AGENT = "its netlab agent was ended"


async def last_lines(machine: Machine) -> str:
    """Of a guest's console, for the log: why its engine could not do what it was told."""
    return "\n".join((await machine.console()).splitlines()[-CONSOLE_LINES:])


class Conversation:
    def __init__(self, live: LiveVm, machine: Machine) -> None:
        self.machine = machine
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Why there is nothing to speak with any more: completes RUN_BROKEN's sentence."""
        self._live = live
        self._port = GuestPort(self._received, starves=Starving(machine.pid).look)
        builds = GuestBuilds(live.parts.compiler, live.lab, self._built)
        self._hearing = Hearing(live, GuestCounters(live.run), builds)
        self._waiting: dict[tuple[Kind, str], asyncio.Future[ErrorBody | None]] = {}
        self._numbers = 0
        self._watched = False
        self._port.lost.add_done_callback(self._port_lost)
        machine.ended.add_done_callback(self._ended)
        self._late: asyncio.TimerHandle | None = None

    # --- life

    async def open(self) -> None:
        self._port.connect(*await self.machine.open_port())
        if self._live.parts.held:
            self.hold(True)

    async def close(self) -> None:
        """Let go of the machine, as it is."""
        self.lost.cancel()
        if self._late is not None:
            self._late.cancel()
        await self._port.close()
        await self._hearing.builds.close()

    async def rest(self) -> None:
        """Everything that has come is confirmed: the machine may be stopped here."""
        await self._port.settle()

    def _lose(self, why: str) -> None:
        if not self.lost.done():
            self.lost.set_result(why)

    def _ended(self, ended: "asyncio.Future[Ending]") -> None:
        if not ended.cancelled():
            self._lose(ended.result().why)

    def _port_lost(self, lost: "asyncio.Future[Loss]") -> None:
        """A port that was closed is a machine that ended: that one knows better why."""
        loss = lost.result()
        if loss is CLOSED and self._late is None:
            self._late = asyncio.get_running_loop().call_later(ENDING_LIMIT_S, self._lose, loss.why)
        elif loss is not CLOSED:
            self._lose(loss.why)

    # --- what is asked of the guest

    async def personalise(self, start: StartRun) -> None:
        """The clone becomes this run. Raises NetlabError as the guest's engine explains it, TimeoutError, RUN_BROKEN."""
        self._live.record.guest_life = ""
        self._hearing.sent(start)
        guests = start.model_copy(update={"run": GUEST_RUN})
        answer = self._answer(Kind.READY, "")
        self._port.send(
            Kind.PERSONALISE, seed=secrets.token_bytes(SEED_BYTES), now=time.time(), hostname=start.run,
            machine_id=uuid.uuid4().hex, start=guests.model_dump_json(exclude={"lab"}),  # that is in the template
        )
        error = await self._of_lost(answer)
        if error is not None:
            log.error("the guest of %s: %s\n%s", self._live.run, error.message, await last_lines(self.machine))
        self._check(error)
        self._live.record.guest_life = self._port.session.peer

    async def wake(self, limit_s: float) -> None:
        """After a pause, or a restart of the agent: it is there, and knows the time. Raises TimeoutError, RUN_BROKEN."""
        self._port.send(Kind.CLOCK, now=time.time(), seed=secrets.token_bytes(SEED_BYTES))
        deadline = time.monotonic() + limit_s
        while True:
            try:  # pings may be lost, and a port that has just been taken over is where that happens
                return await self.ask(Kind.PING, Kind.PONG, min(PING_AGAIN_S, deadline - time.monotonic()))
            except TimeoutError:
                if time.monotonic() >= deadline:
                    raise

    async def ask(self, kind: Kind, answer: Kind, limit_s: float) -> None:
        self._numbers -= 1  # the port's own pings count upwards
        waiting = self._answer(answer, str(self._numbers))
        self._port.send(kind, n=self._numbers)
        async with asyncio.timeout(limit_s):
            await self._of_lost(waiting)

    async def sync(self) -> None:
        """What shells have changed until now has been told; a guest that does not answer has nothing more to tell."""
        try:
            await self.ask(Kind.SYNC, Kind.SYNCED, SYNC_LIMIT_S)
        except (TimeoutError, NetlabError) as error:
            log.info("the last changes of %s are not told: %r", self._live.run, error)

    async def command(self, command: Command) -> None:
        """Returns when the guest's engine has accepted it. Raises what the engine refuses with, RUN_SILENT, RUN_BROKEN."""
        self._hearing.sent(command)
        answer = self._answer(Kind.REPLY, command.id)
        self._port.send(Kind.COMMAND, command=command.model_copy(update={"run": GUEST_RUN}).model_dump_json())
        try:
            async with asyncio.timeout(REPLY_LIMIT_S):
                self._check(await self._of_lost(answer))
        except TimeoutError:
            raise NetlabError(ErrorCode.RUN_SILENT, limit_s=int(REPLY_LIMIT_S)) from None

    def _answer(self, kind: Kind, name: str) -> "asyncio.Future[ErrorBody | None]":
        future: asyncio.Future[ErrorBody | None] = asyncio.get_running_loop().create_future()
        self._waiting[kind, name] = future
        future.add_done_callback(lambda _: self._waiting.pop((kind, name), None))
        return future

    async def _of_lost(self, answer: "asyncio.Future[ErrorBody | None]") -> ErrorBody | None:
        """The answer, or RUN_BROKEN when there will be none."""
        try:
            either: set[asyncio.Future[Any]] = {answer, self.lost}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            why = self.lost.result() if not self.lost.cancelled() else "it was taken down"
            raise NetlabError(ErrorCode.RUN_BROKEN, why=why)
        finally:
            answer.cancel()

    @staticmethod
    def _check(error: ErrorBody | None) -> None:
        if error is not None:
            raise error.to_error()

    # --- beside commands

    def terminal(self, message: TerminalMessage) -> None:
        """Input, ack or resize, in the guest's counting."""
        if self._live.record.terminal(message.terminal) is None:
            return
        if isinstance(message, TerminalAck):
            offset = self._live.lines.ack(message.terminal, message.offset)
            if offset is None:
                return
            message = message.model_copy(update={"offset": offset})
        elif isinstance(message, TerminalInput) and self._port.backlog_bytes > INPUT_WAITING_MAX_BYTES:
            return
        fields = message.model_copy(update={"run": GUEST_RUN}).model_dump()
        if isinstance(message, TerminalInput):
            fields["data"] = message.data
        self._port.send(Kind.TERMINAL, message=fields)

    @property
    def backlog_bytes(self) -> int:
        return self._port.backlog_bytes

    def watch(self, watched: bool) -> None:
        self._port.watched = watched
        if watched != self._watched:
            self._watched = watched
            self._port.send(Kind.WATCH, on=watched)

    def want_full(self) -> None:
        self._port.send(Kind.WANT_FULL)

    def hold(self, held: bool) -> None:
        self._port.hold(held)
        self._port.send(Kind.HOLD, on=held)

    def _built(self, request: int, result: str, object_bytes: bytes | None) -> None:
        self._port.send(Kind.BUILT, request=request, result=result, object=object_bytes)

    # --- what the guest says

    def _received(self, message: Message) -> float:
        """Seconds that it has to wait before it is heard again. Nonsense counts as a frame that was not understood."""
        try:
            return self._take(message.kind, message.fields)
        except (ValueError, KeyError, TypeError) as error:
            log.warning("the guest of %s said nonsense: %s: %s", self._live.run, message.kind, str(error)[:200])
            self._port.session.bad_frames += 1
            return 0.0

    def _take(self, kind: Kind, fields: dict[str, Any]) -> float:
        life = self._live.record.guest_life
        if life and self._port.session.peer != life:  # it has one: nothing is heard before its HELLO
            self._lose(NEW_AGENT)
            return 0.0
        if kind in (Kind.PONG, Kind.SYNCED):
            self._answered(kind, str(fields["n"]), None)
        elif kind is Kind.REPLY:
            self._answered(kind, str(fields["command"]), read_error(fields["error"]))
        elif kind is Kind.READY:
            self._answered(kind, "", read_error(fields["error"]))
        else:
            return self._hearing.take(kind, fields)
        return 0.0

    def _answered(self, kind: Kind, name: str, error: ErrorBody | None) -> None:
        """Answers that nobody waits for any more are the port's own pings', and late ones."""
        waiting = self._waiting.get((kind, name))
        if waiting is not None and not waiting.done():
            waiting.set_result(error)


