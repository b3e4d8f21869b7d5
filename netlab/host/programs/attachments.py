"""Which BPF programs are attached where in a lab, whoever attached them: XDP by rtnetlink, classifiers by tc dumps and,
for tcx, by bpf(2) in the node.

Called by `service` and `checks` about once a second, so it asks for filters only where a clsact or ingress qdisc is.
Names come from bpf(2) by id; nothing is read from the attendee's object or pins.
"""

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Literal, cast

from netlab.host.kernel import bpf
from netlab.host.kernel import netlink_dump as dump
from netlab.host.nodes.api import Nodes, RunNodes
from netlab.wire.events import Attachment

Mode = Literal["native", "generic", "offload"]
_MODES: tuple[tuple[int, Mode], ...] = (
    (dump.IFLA_XDP_DRV_PROG_ID, "native"), (dump.IFLA_XDP_SKB_PROG_ID, "generic"), (dump.IFLA_XDP_HW_PROG_ID, "offload"),
)
_PARENTS: tuple[tuple[int, Literal["tc-ingress", "tc-egress"]], ...] = ((0xFFFFFFF2, "tc-ingress"), (0xFFFFFFF3, "tc-egress"))
"""The pseudo classids of clsact (include/uapi/linux/pkt_sched.h)."""
HAS_CLASSIFIERS = frozenset({"clsact", "ingress"})
WENT_AWAY = frozenset({errno.ENODEV, errno.ENOENT, errno.EINVAL})
"""Between two questions the interface or its qdisc was deleted; or an ingress qdisc has no egress side."""


async def attachments(nodes: Nodes, run_nodes: RunNodes) -> list[Attachment]:
    """Of all nodes, in the lab's order."""
    found = await asyncio.gather(*(attachments_of(nodes, run_nodes, node) for node in run_nodes.places))
    return [attachment for of_node in found for attachment in of_node]


async def attachments_of(nodes: Nodes, run_nodes: RunNodes, node: str) -> list[Attachment]:
    sock = await open_route_socket(nodes, run_nodes, node)
    with sock:
        found = await asyncio.to_thread(read_attachments, sock, node)
    tcx = await nodes.tcx(run_nodes, node)
    found = [*await asyncio.to_thread(_by_tcx, node, tcx), *found]
    bpffs = run_nodes.places[node].bpffs
    if bpffs is None or all(a.name for a in found):
        return found
    pins = await asyncio.to_thread(bpf.read_pins, bpffs)
    return [a if a.name else a.model_copy(update={"name": pins.programs.get(a.program_id, "")}) for a in found]


async def open_route_socket(nodes: Nodes, run_nodes: RunNodes, node: str) -> socket.socket:
    """For IPRoute(use_socket=...), which wants a datagram socket."""
    return await nodes.open_socket(run_nodes, node, socket.AF_NETLINK, socket.SOCK_DGRAM, socket.NETLINK_ROUTE)


def read_attachments(sock: socket.socket, node: str) -> list[Attachment]:
    """Blocking: run it in a thread."""
    links = dump.links(sock)
    found = [_attachment(node, link.name, "xdp", mode, program) for link in links for mode, program in _xdp_programs(link)]
    with_filters = {index for index, kind in dump.qdiscs(sock) if kind in HAS_CLASSIFIERS}
    for link in links:
        for parent, hook in _PARENTS if link.index in with_filters else ():
            found += [_attachment(node, link.name, hook, "", program) for program in _classifiers(sock, link.index, parent)]
    return found


def _by_tcx(node: str, tcx: list[tuple[str, str, int]]) -> list[Attachment]:
    return [_attachment(node, interface, hook, "tcx", program) for interface, hook, program in tcx]


def _xdp_programs(link: dump.Link) -> Iterator[tuple[Mode, int]]:
    for attribute, mode in _MODES:
        if program := link.xdp.get(attribute):
            yield mode, dump.number(program)


def _classifiers(sock: socket.socket, index: int, parent: int) -> list[int]:
    try:
        return dump.bpf_classifiers(sock, index, parent)
    except OSError as error:
        if error.errno in WENT_AWAY:
            return []
        raise


def _attachment(node: str, interface: str, hook: str, mode: str, program: int) -> Attachment:
    name = ""
    with suppress(FileNotFoundError):  # detached in the meantime
        name = bpf.program_info(program).name
    return Attachment.model_validate(
        {"node": node, "interface": interface, "hook": hook, "mode": mode, "program_id": program, "name": name}
    )


def present(found: list[Attachment], node: str, interface: str, hook: str, name: str = "") -> Attachment | None:
    """What *Build & load* put there, or would replace; of several classifiers the one of that name."""
    here = [a for a in found if (a.node, a.interface, cast(str, a.hook)) == (node, interface, hook) and a.mode != "tcx"]
    named = [a for a in here if name and a.name[: bpf.NAME_CHARS_MAX] == name[: bpf.NAME_CHARS_MAX]]
    return next(iter(named or here), None)
