"""Impaired links of a run: what a lab begins with, what is changed while it runs, and the same again after a node's reset.

Called by `carry_out`, `lifecycle` and the guest's agent. The run's record holds the newest wish for each end, also 'nothing';
a reset of the whole run goes back to what the lab says. netem itself is the nodes' business.
"""

import logging

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.resolve import resolve
from netlab.host.engine.live_run import LiveRun
from netlab.host.kernel.netem import Netem
from netlab.wire.commands import ImpairLink
from netlab.wire.events import Impairment, LinkImpaired

log = logging.getLogger(__name__)


async def apply(live: LiveRun, command: ImpairLink) -> None:
    """Raises CANNOT_IMPAIR; then nothing has changed."""
    wanted = Impairment.model_validate(command.model_dump(include=set(Impairment.model_fields)))
    if wanted.jitter_ms > wanted.delay_ms:
        raise _cannot(wanted, "its delay varies by more than it is", "Give a delay of at least the jitter.")
    ends = [i for node in resolve(live.lab).nodes if node.name == wanted.node for i in node.interfaces if i.peer]
    if wanted.interface not in {end.name for end in ends}:
        there = ", ".join(end.name for end in ends) or "none"
        raise _cannot(wanted, "it is no end of a link", f"Ends of links in {wanted.node}: {there}.")
    await _set(live, wanted)
    live.record.impairments = {**live.record.impairments, _end(wanted): wanted}
    live.save_soon()
    live.tell(LinkImpaired, command.id, impairment=wanted)


def begin(live: LiveRun) -> None:
    """The nodes are new, and impaired as the lab says: the record is, too, and whoever knew it otherwise is told."""
    before = live.record.impairments
    first = {
        f"{i.node}:{i.name}": Impairment(node=i.node, interface=i.name, **i.impairment.model_dump())
        for node in resolve(live.lab).nodes for i in node.interfaces if i.impairment
    }
    gone = {end: Impairment(node=old.node, interface=old.interface) for end, old in before.items() if end not in first}
    live.record.impairments = first
    for impairment in (*gone.values(), *first.values()):
        live.tell(LinkImpaired, impairment=impairment)


def tell_all(live: LiveRun) -> None:
    for impairment in live.record.impairments.values():
        live.tell(LinkImpaired, impairment=impairment)


async def again(live: LiveRun) -> None:
    """After a node's reset, which brought its links back as the lab says. An end where the attendee has a qdisc stays so."""
    for end, impairment in live.record.impairments.items():
        try:
            await _set(live, impairment)
        except NetlabError as refused:
            log.info("%s of %s is not impaired again: %s", end, live.run, refused)


async def _set(live: LiveRun, wanted: Impairment) -> None:
    netem = Netem(wanted.delay_ms, wanted.jitter_ms, wanted.loss_percent, wanted.rate_kbit)
    await live.parts.nodes.impair(live.nodes_there, wanted.node, wanted.interface, netem)


def _end(impairment: Impairment) -> str:
    return f"{impairment.node}:{impairment.interface}"


def _cannot(wanted: Impairment, why: str, fix: str) -> NetlabError:
    return NetlabError(ErrorCode.CANNOT_IMPAIR, node=wanted.node, interface=wanted.interface, why=why, fix=fix)
