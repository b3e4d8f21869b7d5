"""netem as the root qdisc of an interface, and what stands at the root now. Packed by hand, as in `netlink`.

Used by the fork server (links that are impaired from the start) and by `nodes` (changed while a lab runs). It replaces
nothing but the kernel's default and what it put there itself, known by its handle.
"""

import errno
import socket
import struct
from dataclasses import dataclass

from netlab.host.kernel import netlink_dump
from netlab.host.kernel.netlink import NLM_F_CREATE, NLM_F_REPLACE, attribute, message, send_all

# include/uapi/linux/{rtnetlink,pkt_sched}.h
RTM_NEWQDISC, RTM_DELQDISC = 36, 37
TC_H_ROOT = 0xFFFFFFFF
TCA_KIND, TCA_OPTIONS = 1, 2
TCA_NETEM_RATE, TCA_NETEM_RATE64, TCA_NETEM_LATENCY64, TCA_NETEM_JITTER64 = 6, 8, 10, 11
HANDLE = 0x4E4C0000
"""4e4c: ('NL'), which tc shows. Qdiscs that the kernel puts there itself have none."""
LIMIT_PACKETS = 1000
"""What fits into its queue; tc's default."""
RATE_MAX = 0xFFFFFFFF

_TCMSG = struct.Struct("=BxxxiIII")
_QOPT = struct.Struct("=6I")
_RATE = struct.Struct("=IiIi")


class Occupied(Exception):
    """Another qdisc stands at the root: `kind` is its name."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"qdisc {kind} is there")
        self.kind = kind


@dataclass(frozen=True)
class Netem:
    """All zero: nothing."""

    delay_ms: float = 0
    jitter_ms: float = 0
    loss_percent: float = 0
    rate_kbit: int = 0


NOTHING = Netem()


def new_netem(ifindex: int, wanted: Netem) -> bytes:
    loss = round(wanted.loss_percent / 100 * 0xFFFFFFFF)
    options = _QOPT.pack(0, LIMIT_PACKETS, loss, 0, 0, 0)
    options += attribute(TCA_NETEM_LATENCY64, struct.pack("=q", round(wanted.delay_ms * 1_000_000)))
    options += attribute(TCA_NETEM_JITTER64, struct.pack("=q", round(wanted.jitter_ms * 1_000_000)))
    bytes_per_s = wanted.rate_kbit * 125
    options += attribute(TCA_NETEM_RATE, _RATE.pack(min(bytes_per_s, RATE_MAX), 0, 0, 0))  # 0 too: it would keep the old one
    options += attribute(TCA_NETEM_RATE64, struct.pack("=Q", bytes_per_s)) if bytes_per_s > RATE_MAX else b""
    body = _TCMSG.pack(socket.AF_UNSPEC, ifindex, HANDLE, TC_H_ROOT, 0)
    body += attribute(TCA_KIND, b"netem\0") + attribute(TCA_OPTIONS, options)
    return message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, body)


def delete_root(ifindex: int) -> bytes:
    return message(RTM_DELQDISC, 0, _TCMSG.pack(socket.AF_UNSPEC, ifindex, 0, TC_H_ROOT, 0))


def impair(sock: socket.socket, interface: str, wanted: Netem) -> None:
    """Blocking, on a route socket inside the node. Raises Occupied, or OSError: ENODEV, ENOENT for a kernel without netem."""
    index = next((link.index for link in netlink_dump.links(sock) if link.name == interface), None)
    if index is None:
        raise OSError(errno.ENODEV, interface)
    root = next((q for q in netlink_dump.root_qdiscs(sock) if q.ifindex == index), None)
    own = root is not None and root.kind == "netem" and root.handle == HANDLE
    if root is not None and root.handle and not own:
        raise Occupied(root.kind)
    if wanted != NOTHING:
        send_all(sock, [new_netem(index, wanted)])
    elif own:
        send_all(sock, [delete_root(index)])
