"""How templates are made: what is said to a machine before anybody knows whose it will be.

Called by `lifecycle` and by the watch of the guest image, handed to `Templates` as its `greet` and `bake`. A template is baked
from the lab alone, without a file of anybody's: what one attendee wrote must not lie in another one's memory.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from netlab.domain.errors import NetlabError
from netlab.domain.ids import new_command_id, new_terminal_id
from netlab.domain.lab import Isolation, LabSpec, RuntimeName
from netlab.host.vm.api import Bake, Machine
from netlab.host.vm_runs.conversation import last_lines
from netlab.host.vm_runs.port import GuestPort
from netlab.host.vm_runs.record import read_error
from netlab.wire.commands import StartRun
from netlab.wire.guest_port import GUEST_RUN, Kind, Message
from netlab.wire.host_report import AbilityReport

log = logging.getLogger(__name__)

BOOT_LIMIT_S = 120
"""A cold boot under software emulation takes 10 s on an idle machine."""
BAKE_LIMIT_S = 120

_abilities: TypeAdapter[list[AbilityReport]] = TypeAdapter(list[AbilityReport])
Booted = Callable[[str, list[AbilityReport]], None]


class BakeFailed(Exception):
    """A machine did not become a template: one sentence."""


def digest_of(lab: LabSpec) -> str:
    """What a lab's template depends on: all of the lab that the engine sees."""
    return hashlib.sha256(lab.model_dump_json().encode()).hexdigest()[:32]


def greet(booted: Booted) -> Bake:
    """Waits until the agent in a new machine has said what its kernel can do."""

    async def wait(machine: Machine) -> None:
        fields = await _ask(machine, Kind.BOOTED, BOOT_LIMIT_S)
        kernel, abilities = fields.get("kernel"), fields.get("abilities")
        try:
            found = _abilities.validate_json(abilities) if isinstance(abilities, str | bytes) else []
        except ValidationError as error:
            raise BakeFailed("the guest's abilities are not understood") from error
        booted(kernel if isinstance(kernel, str) else "", found)

    return wait


def bake(lab: LabSpec) -> Bake:
    """The lab is built and its shells wait. Raises NetlabError as the guest's engine explains it."""

    async def build(machine: Machine) -> None:
        command = StartRun(
            id=new_command_id(), run=GUEST_RUN, generation=1, lab=lab, lab_digest=digest_of(lab), files=[],
            runtime=RuntimeName.VM, isolation=Isolation.PRIVATE, terminals=[new_terminal_id() for _ in lab.terminals],
        )
        fields = await _ask(machine, Kind.BAKED, BAKE_LIMIT_S, Kind.BAKE, command=command.model_dump_json())
        try:
            error = read_error(fields.get("error"))
        except ValueError as nonsense:
            raise BakeFailed("the guest's answer is not understood") from nonsense
        if error is not None:
            log.error("the lab %s could not be baked: %s\n%s", lab.id, error.message, await last_lines(machine))
            raise NetlabError(error.code, **error.data)

    return build


async def _ask(machine: Machine, wanted: Kind, limit_s: float, kind: Kind | None = None, **fields: Any) -> dict[str, Any]:
    """Say something (or nothing), wait for one answer, let go of the port with everything confirmed."""
    answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    def received(message: Message) -> float:
        if message.kind is wanted and not answer.done():
            answer.set_result(message.fields)
        return 0.0

    port = GuestPort(received, silence_counts=False)  # it works hard, for at most `limit_s`
    port.connect(*await machine.open_port())
    try:
        if kind is not None:
            port.send(kind, **fields)
        waiting: set[asyncio.Future[Any]] = {answer, port.lost, machine.ended}
        await asyncio.wait(waiting, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            await port.settle()
            return answer.result()
        if machine.ended.done():
            raise BakeFailed(machine.ended.result().why)
        raise BakeFailed(port.lost.result().why if port.lost.done() else f"it did not answer within {limit_s:.0f} s")
    finally:
        await port.close()
