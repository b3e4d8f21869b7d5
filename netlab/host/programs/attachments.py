"""Which BPF programs are attached where in a lab, whoever attached them: XDP by rtnetlink, classifiers by tc dumps.

Called by `service` and `checks` about once a second, so it asks for filters only where a clsact or ingress qdisc is.
Names come from bpf(2) by id; nothing is read from the attendee's object or pins.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal, cast

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from netlab.host.kernel import bpf
from netlab.host.nodes.api import Nodes, RunNodes
from netlab.wire.events import Attachment

log = logging.getLogger(__name__)

Mode = Literal["native", "generic", "offload"]
_MODES: tuple[tuple[str, Mode], ...] = (
    ("IFLA_XDP_DRV_PROG_ID", "native"), ("IFLA_XDP_SKB_PROG_ID", "generic"), ("IFLA_XDP_HW_PROG_ID", "offload"),
)
_ATTACHED_MODES: dict[int, Mode] = {1: "native", 2: "generic", 3: "offload"}
_PARENTS: tuple[tuple[int, Literal["tc-ingress", "tc-egress"]], ...] = ((0xFFFFFFF2, "tc-ingress"), (0xFFFFFFF3, "tc-egress"))
"""The pseudo classids of clsact (include/uapi/linux/pkt_sched.h)."""
HAS_CLASSIFIERS = frozenset({"clsact", "ingress"})


async def attachments(nodes: Nodes, run_nodes: RunNodes) -> list[Attachment]:
    """Of all nodes, in the lab's order."""
    found = await asyncio.gather(*(attachments_of(nodes, run_nodes, node) for node in run_nodes.places))
    return [attachment for of_node in found for attachment in of_node]


async def attachments_of(nodes: Nodes, run_nodes: RunNodes, node: str) -> list[Attachment]:
    sock = await open_route_socket(nodes, run_nodes, node)
    with sock:
        found = await asyncio.to_thread(read_attachments, sock, node)
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
    found: list[Attachment] = []
    with IPRoute(use_socket=sock) as route:
        names = {}
        for link in route.get_links():
            names[link["index"]] = str(link.get("ifname"))
            for mode, program in _xdp_programs(link):
                found.append(_attachment(node, names[link["index"]], "xdp", mode, program))
        with_filters = {q["index"] for q in route.get_qdiscs() if q.get("kind") in HAS_CLASSIFIERS}
        for index in sorted(with_filters & set(names)):
            for parent, hook in _PARENTS:
                for program in _classifiers(route, index, parent):
                    found.append(_attachment(node, names[index], hook, "", program))
    return [a for a in found if a.program_id]


def _xdp_programs(link: Any) -> Iterator[tuple[Mode, int]]:
    xdp = link.get("xdp")
    if xdp is None:
        return
    several = False
    for attribute, mode in _MODES:
        if program := xdp.get(attribute):
            several = True
            yield mode, int(program)
    mode_now = _ATTACHED_MODES.get(_number(xdp.get("IFLA_XDP_ATTACHED")))
    if not several and mode_now and xdp.get("IFLA_XDP_PROG_ID"):
        yield mode_now, int(xdp.get("IFLA_XDP_PROG_ID"))


def _number(value: Any) -> int:
    """pyroute2 names some of the modes and leaves others as numbers."""
    names = {"xdp": 1, "xdpgeneric": 2, "xdpoffload": 3}
    return names.get(value, 0) if isinstance(value, str) else int(value or 0)


def _classifiers(route: IPRoute, index: int, parent: int) -> Iterator[int]:
    try:
        filters = list(route.get_filters(index=index, parent=parent))
    except NetlinkError as error:
        if error.code in (errno.ENODEV, errno.ENOENT, errno.EINVAL):  # went away in the meantime, or no such side
            return
        raise
    for one in filters:
        if one.get("kind") == "bpf" and (options := one.get("options")) is not None and (program := options.get("TCA_BPF_ID")):
            yield int(program)


def _attachment(node: str, interface: str, hook: str, mode: str, program: int) -> Attachment:
    name = ""
    with suppress(FileNotFoundError):  # detached in the meantime
        name = bpf.program_info(program).name
    return Attachment.model_validate(
        {"node": node, "interface": interface, "hook": hook, "mode": mode, "program_id": program, "name": name}
    )


def present(found: list[Attachment], node: str, interface: str, hook: str) -> Attachment | None:
    return next((a for a in found if (a.node, a.interface, cast(str, a.hook)) == (node, interface, hook)), None)
