"""The guest's agent: carries out what comes through the port with the same engine as a host, and tells what happens.

Put together by `process`. One run, GUEST_RUN, in this kernel. The host may bake a lab into the machine (BAKE), take a
template of it, and make somebody's machine of each clone (PERSONALISE); or just start a lab. Commands of the run's life
(reset, stop, pause) are the host's business: it has the machine.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from pydantic import ValidationError

from netlab.domain.errors import ErrorBody, ErrorCode, NetlabError
from netlab.domain.ids import new_bug_id
from netlab.domain.lifecycle import RunState
from netlab.host.engine import impair
from netlab.host.engine.take_over import Wish
from netlab.host.guest import baking
from netlab.host.guest.builder import HostCompiler
from netlab.host.guest.outlet import Baked, PortOutlet
from netlab.host.guest.personal import Identity
from netlab.host.guest.port import Port
from netlab.host.runtimes.namespaces import NamespacesRuntime
from netlab.wire.commands import ApplySolution, Command, RunCheck, StartRun, parse_command
from netlab.wire.events import RunStateChanged
from netlab.wire.guest_port import GUEST_RUN, Kind, Message
from netlab.wire.host_report import AbilityReport
from netlab.wire.terminals import TerminalMessage, terminal_message

log = logging.getLogger(__name__)

START_LIMIT_S = 90
"""The engine gives up a start after a minute by itself."""
FIRST_SAMPLES_S = 1.0
SAMPLED_AFTER_CHECK_S = 30.0
Fields = dict[str, Any]


class GuestAgent:
    """`engine` makes the runtime, given where it tells what happens and who compiles for it."""

    def __init__(self, identity: Identity, engine: Callable[[PortOutlet, HostCompiler], NamespacesRuntime]) -> None:
        self._identity = identity
        self.outlet = PortOutlet(self._hold, self._state_changed)
        self._compiler = HostCompiler(self.outlet.say)
        self.runtime = engine(self.outlet, self._compiler)
        self._port = Port(self._take, self.outlet.pump, self._compiler.ask_again)
        self._state: asyncio.Future[RunStateChanged] | None = None
        self._baked: Baked | None = None
        self._held_by_host = self._behind = self._watched = False
        self._rest: asyncio.TimerHandle | None = None
        self._orderly: asyncio.Queue[Message] = asyncio.Queue()
        self._at_once: dict[Kind, Callable[[Fields], None]] = {
            Kind.TERMINAL: self._terminal, Kind.WATCH: self._watch, Kind.WANT_FULL: self._want_full, Kind.HOLD: self._host_holds,
            Kind.CLOCK: self._clock, Kind.PING: self._ping, Kind.BUILT: self._compiler.built,
        }
        self._in_turn: dict[Kind, Callable[[Fields], Coroutine[Any, Any, None]]] = {
            Kind.BAKE: self._bake, Kind.PERSONALISE: self._personalise, Kind.COMMAND: self._command, Kind.SYNC: self._sync,
        }

    async def serve(self, port: str, kernel: str, abilities: list[AbilityReport]) -> None:
        """Until it is cancelled."""
        self.outlet.attach(self._port)
        self._port.open(port)
        self.outlet.say(Kind.BOOTED, 0, kernel=kernel, abilities=json.dumps([a.model_dump() for a in abilities]))
        try:
            while True:
                message = await self._orderly.get()
                await self._carry_out(message)
        finally:
            self._port.close()

    # --- what comes

    def _take(self, message: Message) -> None:
        """From the port, in order. What nobody may wait for is done at once, even while a lab is built."""
        at_once = self._at_once.get(message.kind)
        if at_once is not None:
            self._guarded(message.kind, lambda: at_once(message.fields))
        elif message.kind in self._in_turn:
            self._orderly.put_nowait(message)
        else:
            log.warning("a message %s is nothing for a guest", message.kind)

    def _guarded(self, kind: Kind, work: Callable[[], None]) -> None:
        try:
            work()
        except (KeyError, TypeError, ValidationError, NetlabError) as error:
            log.warning("the message %s was not understood: %s", kind, error)

    async def _carry_out(self, message: Message) -> None:
        try:
            await self._in_turn[message.kind](message.fields)
        except (KeyError, TypeError) as error:
            log.warning("the message %s was not understood: %r", message.kind, error)

    # --- at once

    def _terminal(self, fields: Fields) -> None:
        """As JSON; or as it is, for input that is not text."""
        given = fields["message"]
        known: TerminalMessage
        known = terminal_message.validate_python(given) if isinstance(given, dict) else terminal_message.validate_json(given)
        self.runtime.terminal(known.model_copy(update={"run": GUEST_RUN}))

    def _watch(self, fields: Fields) -> None:
        self._watched = bool(fields["on"])
        self.runtime.set_watched({GUEST_RUN} if self._watched else set())

    async def _wake_sampler(self) -> None:
        """Nobody looks, so counters rest; a check that is asked for nevertheless wants to know how they stand."""
        if self._watched:
            return
        if self._rest is None:
            self.runtime.set_sampled({GUEST_RUN})
            await asyncio.sleep(FIRST_SAMPLES_S)
        else:
            self._rest.cancel()
        self._rest = asyncio.get_running_loop().call_later(SAMPLED_AFTER_CHECK_S, self._let_sampler_rest)

    def _let_sampler_rest(self) -> None:
        self._rest = None
        if not self._watched:
            self.runtime.set_sampled(set())

    def _want_full(self, _: Fields) -> None:
        self.runtime.want_full_sample(GUEST_RUN)

    def _host_holds(self, fields: Fields) -> None:
        self._held_by_host = bool(fields["on"])
        self.runtime.hold_terminals(self._held_by_host or self._behind)

    def _hold(self, behind: bool) -> None:
        """So much is on the way to the host that nothing may be added that can wait."""
        self._behind = behind
        self.runtime.hold_terminals(self._held_by_host or behind)
        self.runtime.hold_files(behind)

    def _clock(self, fields: Fields) -> None:
        self._identity.reseed(fields["seed"])
        self._identity.set_clock(fields["now"])

    def _ping(self, fields: Fields) -> None:
        self._port.send(Kind.PONG, n=fields["n"])

    # --- one after the other

    async def _bake(self, fields: Fields) -> None:
        """The lab is built, its shells wait at their prompts, the machine is quiet: a template can be made of it."""
        self._identity.nobody_yet()
        self._baked = self.outlet.hold_back()

        async def bake() -> None:
            await self._start(_parse_start(fields["command"]))
            await baking.settle(self.runtime, self._baked)

        error = await self._error_of(bake())
        if error is not None:
            self._baked = None
            self.outlet.let_out()
        else:
            baking.freeze()
        self.outlet.say(Kind.BAKED, 0, error=error.model_dump_json() if error else None)

    async def _personalise(self, fields: Fields) -> None:
        """Randomness before anything else: whatever comes then is this clone's own."""
        self._clock(fields)
        self._identity.name_machine(fields["hostname"], fields["machine_id"])
        baked, self._baked = self._baked, None
        self.outlet.let_out()

        async def start() -> None:
            if baked is None:
                await self._start(_parse_start(fields["start"]))
            else:
                live = self.runtime.live(GUEST_RUN)
                await live.parts.nodes.fresh_keys(live.nodes_there)
                self.runtime.take_over(GUEST_RUN, Wish.from_json(fields["start"]), baked.output)
                impair.tell_all(live)
                if baked.schema is not None:
                    self.outlet.counter_schema(baked.schema)

        error = await self._error_of(start())
        self.outlet.say(Kind.READY, 0, error=error.model_dump_json() if error else None)

    async def _command(self, fields: Fields) -> None:
        text = fields["command"]
        error = await self._error_of(self._handle(text))
        self.outlet.say(Kind.REPLY, 0, command=_id_of(text), error=error.model_dump_json() if error else None)

    async def _sync(self, fields: Fields) -> None:
        self.runtime.sync_files()
        self.outlet.say(Kind.SYNCED, 0, n=fields["n"])

    async def _handle(self, text: str) -> None:
        command = _ours(parse_command(text))
        if isinstance(command, RunCheck | ApplySolution):
            await self._wake_sampler()
        await self.runtime.handle(command)

    async def _start(self, start: StartRun) -> None:
        """Returns when the lab runs. Raises what it failed with."""
        ended: asyncio.Future[RunStateChanged] = asyncio.get_running_loop().create_future()
        self._state = ended
        try:
            await self.runtime.handle(start)
            async with asyncio.timeout(START_LIMIT_S):
                state = await ended
        finally:
            self._state = None
        if state.state is not RunState.RUNNING:
            raise _Failed(state.error)

    def _state_changed(self, event: RunStateChanged) -> None:
        if self._state is not None and not self._state.done() and event.state in (RunState.RUNNING, RunState.FAILED):
            self._state.set_result(event)

    async def _error_of(self, work: Coroutine[Any, Any, None]) -> ErrorBody | None:
        """What the host is told of it; a bug ends one message, never the machine."""
        try:
            await work
        except NetlabError as error:
            return error.body()
        except _Failed as failed:
            return failed.body
        except Exception:
            bug = new_bug_id()
            log.exception("what the host wanted broke (%s)", bug)
            return NetlabError(ErrorCode.BUG, id=bug).body()
        return None


class _Failed(Exception):
    """The engine told that the start has failed."""

    def __init__(self, error: ErrorBody | None) -> None:
        super().__init__()
        self.body = error or NetlabError(ErrorCode.START_FAILED, why="the guest does not say why", id="").body()


def _parse_start(text: str) -> StartRun:
    command = parse_command(text)
    if not isinstance(command, StartRun):
        raise NetlabError(ErrorCode.BAD_MESSAGE, what=f"{command.kind} starts nothing.")
    return command.model_copy(update={"run": GUEST_RUN})


def _ours(command: Command) -> Command:
    return command.model_copy(update={"run": GUEST_RUN})


def _id_of(text: str) -> str:
    """Whose the reply is, also when the command was not understood."""
    try:
        return str(json.loads(text)["id"])
    except (ValueError, KeyError, TypeError):
        return ""
