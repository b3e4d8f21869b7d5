"""Qdiscs of a lab, set by tc in its nodes, and impairments of links that change while it runs, by netlink.

Called by the nodes' common part. An impairment replaces only what the kernel or an earlier impairment put at the root.
"""

import asyncio
import errno
import socket

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_bug_id
from netlab.domain.resolve import ResolvedLab
from netlab.host.kernel import netem
from netlab.host.kernel.netem import Netem
from netlab.host.kernel.netlink import NETLINK_ROUTE
from netlab.host.nodes.api import Nodes, RunNodes

TC_S = 10


def qdiscs(lab: ResolvedLab, among: set[tuple[str, str]] | None = None) -> dict[str, list[str]]:
    """Node -> lines for `tc -batch`; of all interfaces, or of some as (node, name)."""
    found: dict[str, list[str]] = {}
    for node in lab.nodes:
        for interface in node.interfaces:
            if interface.qdisc and (among is None or (node.name, interface.name) in among):
                line = " ".join(["qdisc replace dev", interface.name, "root", *interface.qdisc.words()])
                found.setdefault(node.name, []).append(line)
    return found


async def set_qdiscs(runtime: Nodes, nodes: RunNodes, node: str, lines: list[str]) -> None:
    """Raises START_FAILED with tc's own words: an author's mistake."""
    stdin = "".join(f"{line}\n" for line in lines).encode()
    done = await runtime.execute(nodes, node, ["tc", "-batch", "-"], stdin=stdin, timeout_s=TC_S, cwd="/")
    if done.exit_code != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        why = f"tc refused a qdisc of {node}: {said[0] if said else done.exit_code}"
        raise NetlabError(ErrorCode.START_FAILED, why=why, id=new_bug_id())


async def impair(runtime: Nodes, nodes: RunNodes, node: str, interface: str, wanted: Netem) -> None:
    sock = await runtime.open_socket(nodes, node, socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE)
    with sock:
        sock.setblocking(True)
        try:
            await asyncio.to_thread(netem.impair, sock, interface, wanted)
        except netem.Occupied as occupied:
            why, fix = f"the qdisc {occupied.kind} is there", f"Remove it first: tc qdisc del dev {interface} root"
            raise NetlabError(ErrorCode.CANNOT_IMPAIR, node=node, interface=interface, why=why, fix=fix) from None
        except OSError as refused:
            if refused.errno not in REFUSALS:
                raise
            why, fix = REFUSALS[refused.errno]
            raise NetlabError(ErrorCode.CANNOT_IMPAIR, node=node, interface=interface, why=why, fix=fix) from None


REFUSALS = {
    errno.ENODEV: ("it is not there", "Reset the node."),
    errno.ENOENT: ("the kernel of this host has no netem", "A workshop with a private kernel has it."),
}
