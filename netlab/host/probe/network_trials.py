"""Trials of links, queueing disciplines, classifiers and nftables, by netlink messages packed by hand.

Each runs in a network namespace of its own (`trial`). Constants: include/uapi/linux/{if_link,pkt_sched,pkt_cls}.h,
linux/netfilter/nf_tables.h, linux/netdev.h.
"""

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from netlab.host.kernel import simulated
from netlab.host.kernel.netlink import (
    IFLA_IFNAME,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_LINKINFO,
    IFLA_MTU,
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLMSG_ERROR,
    RTM_NEWLINK,
    VETH_INFO_PEER,
    attribute,
    message,
    route_socket,
    send_all,
    set_up,
)
from netlab.host.probe.trial import No, errno_name

RTM_NEWQDISC, RTM_NEWTFILTER = 36, 44
IFLA_LINK = 5
TCA_KIND, TCA_OPTIONS = 1, 2
TC_H_ROOT, TC_H_CLSACT, TC_H_MIN_INGRESS = 0xFFFFFFFF, 0xFFFFFFF1, 0xFFFFFFF2
CLSACT_HANDLE = 0xFFFF0000
ETH_P_ALL = 3
IFLA_VLAN_ID, IFLA_VXLAN_ID, IFLA_MACVLAN_MODE, IFLA_VRF_TABLE = 1, 1, 1, 1
MACVLAN_MODE_BRIDGE = 4
TCA_HTB_INIT, TCA_TBF_PARMS, TCA_FLOWER_CLASSID = 2, 1, 1
TCA_BPF_FD, TCA_BPF_NAME, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT = 6, 7, 8, 1
NETLINK_NETFILTER, NETLINK_GENERIC = 12, 16
NFNL_SUBSYS_NFTABLES, NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END = 10, 0x10, 0x11
NFT_MSG_NEWTABLE, NFT_MSG_NEWCHAIN, NFPROTO_INET = 0, 3, 1
GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 16, 3, 1, 2
NETDEV_CMD_PAGE_POOL_STATS_GET = 9
NLM_F_DUMP, NLMSG_DONE = 0x300, 3
VETH_INDEX, PEER_INDEX = 100, 101

_IFINFO = struct.Struct("=BxHiII")
_TCMSG = struct.Struct("=BxxxiIII")


def _new_link(kind: str, name: str, index: int = 0, data: bytes = b"", more: bytes = b"") -> bytes:
    info = attribute(IFLA_INFO_KIND, kind.encode() + b"\0") + (attribute(IFLA_INFO_DATA, data) if data else b"")
    body = _IFINFO.pack(0, 0, index, 0, 0) + attribute(IFLA_IFNAME, name.encode() + b"\0") + more
    return message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body + attribute(IFLA_LINKINFO, info))


@contextmanager
def _kind_known(kind: str) -> Iterator[None]:
    """rtnetlink says ENOENT for a queueing discipline or classifier that the kernel does not have, EOPNOTSUPP for a link."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EOPNOTSUPP):
            raise No(f"the kernel has no {kind}, nor a module of it ({errno_name(error)})") from None
        raise


def _veth_messages() -> list[bytes]:
    peer = _IFINFO.pack(0, 0, PEER_INDEX, 0, 0) + attribute(IFLA_IFNAME, b"v1\0") + attribute(IFLA_MTU, struct.pack("=I", 1500))
    return [_new_link("veth", "v0", VETH_INDEX, attribute(VETH_INFO_PEER, peer)), set_up(VETH_INDEX), set_up(PEER_INDEX)]


def veth_pair() -> tuple[int, int]:
    """A veth pair in this namespace, both ends up: their interface indexes."""
    with route_socket() as sock:
        try:
            send_all(sock, _veth_messages())
        except OSError as error:
            raise No(f"there is no veth to try it on ({errno_name(error)})") from None
    return VETH_INDEX, PEER_INDEX


def veth() -> str:
    with route_socket() as sock:
        send_all(sock, _veth_messages())
    return ""


def link(kind: str, data: bytes = b"", *, upon: bool = False) -> Callable[[], str]:
    """Make a link of this kind; `upon`: on top of a veth."""

    def body() -> str:
        more = attribute(IFLA_LINK, struct.pack("=I", veth_pair()[0])) if upon else b""
        with route_socket() as sock, _kind_known(kind):
            send_all(sock, [_new_link(kind, "probe0", data=data, more=more)])
        return ""

    return body


vlan = link("vlan", attribute(IFLA_VLAN_ID, struct.pack("=H", 10)), upon=True)
vxlan = link("vxlan", attribute(IFLA_VXLAN_ID, struct.pack("=I", 10)))
macvlan = link("macvlan", attribute(IFLA_MACVLAN_MODE, struct.pack("=I", MACVLAN_MODE_BRIDGE)), upon=True)
vrf = link("vrf", attribute(IFLA_VRF_TABLE, struct.pack("=I", 10)))


def qdisc(kind: str, options: bytes = b"") -> Callable[[], str]:
    """Put it at the root of a veth."""

    def body() -> str:
        index, _ = veth_pair()
        with route_socket() as sock, _kind_known(kind):
            send_all(sock, [_new_qdisc(index, kind, TC_H_ROOT, 0x10000, options)])
        return ""

    return body


def _new_qdisc(index: int, kind: str, parent: int, handle: int, options: bytes = b"") -> bytes:
    body = _TCMSG.pack(0, index, handle, parent, 0) + attribute(TCA_KIND, kind.encode() + b"\0")
    return message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, body + (attribute(TCA_OPTIONS, options) if options else b""))


_RATE = struct.pack("=BBHhHI", 0, 1, 0, 0, 0, 1_250_000)
htb = qdisc("htb", attribute(TCA_HTB_INIT, struct.pack("=5I", 3, 10, 0, 0, 0)))
tbf = qdisc("tbf", attribute(TCA_TBF_PARMS, _RATE + bytes(12) + struct.pack("=3I", 100_000, 1_000_000, 0)))
netem = qdisc("netem", struct.pack("=6I", 0, 1000, 0, 0, 0, 0))
fq_codel = qdisc("fq_codel")
cake = qdisc("cake")


def _filter(kind: str, options: bytes) -> None:
    index, _ = veth_pair()
    info = (1 << 16) | socket.htons(ETH_P_ALL)
    body = _TCMSG.pack(0, index, 0, TC_H_MIN_INGRESS, info) + attribute(TCA_KIND, kind.encode() + b"\0")
    with route_socket() as sock:
        try:
            send_all(sock, [_new_qdisc(index, "clsact", TC_H_CLSACT, CLSACT_HANDLE)])
        except OSError as error:
            raise No(f"there is no clsact to put it into ({errno_name(error)})") from None
        with _kind_known(kind):
            send_all(sock, [message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, body + attribute(TCA_OPTIONS, options))])


def flower() -> str:
    _filter("flower", attribute(TCA_FLOWER_CLASSID, struct.pack("=I", 1)))
    return ""


def bpf_classifier(program: int) -> None:
    """Attach a loaded program by cls_bpf, direct-action."""
    _filter(
        "bpf",
        attribute(TCA_BPF_FD, struct.pack("=I", program)) + attribute(TCA_BPF_NAME, b"probe\0")
        + attribute(TCA_BPF_FLAGS, struct.pack("=I", TCA_BPF_FLAG_ACT_DIRECT)),
    )


def nftables() -> str:
    """A table and a chain that hooks into the input path."""

    def part(kind: int, family: int, resource: int, attributes: bytes, flags: int = 0) -> bytes:
        return message(kind, flags, struct.pack(">BBH", family, 0, resource) + attributes)

    table = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE
    chain = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN
    hook = attribute(4 | 0x8000, attribute(1, struct.pack(">I", 1)) + attribute(2, struct.pack(">i", 0)))
    input_chain = attribute(1, b"probe\0") + attribute(3, b"in\0") + hook + attribute(7, b"filter\0")
    batch = [
        part(NFNL_MSG_BATCH_BEGIN, socket.AF_UNSPEC, NFNL_SUBSYS_NFTABLES, b""),
        part(table, NFPROTO_INET, 0, attribute(1, b"probe\0"), NLM_F_CREATE),
        part(chain, NFPROTO_INET, 0, input_chain, NLM_F_CREATE | NLM_F_ACK),
        part(NFNL_MSG_BATCH_END, socket.AF_UNSPEC, NFNL_SUBSYS_NFTABLES, b""),
    ]
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as sock:
        sock.send(b"".join(batch))
        _answer(sock, "nfnetlink")
    return ""


def _answer(sock: socket.socket, where: str) -> bytes:
    """The first answer that is not an error; an acknowledgement counts as one."""
    answer = sock.recv(65536)
    (kind,) = struct.unpack_from("=H", answer, 4)
    if kind in (NLMSG_ERROR, NLMSG_DONE) and len(answer) >= 20:
        (code,) = struct.unpack_from("=i", answer, 16)
        if code < 0:
            raise OSError(-code, f"{where}: {os.strerror(-code)}")
    return answer


def page_pool_stats() -> str:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC) as sock:
        body = struct.pack("=BBH", CTRL_CMD_GETFAMILY, 1, 0) + attribute(CTRL_ATTR_FAMILY_NAME, b"netdev\0")
        sock.send(message(GENL_ID_CTRL, 0, body))
        family = _family_id(_answer(sock, "generic netlink family netdev"))
        sock.send(message(family, NLM_F_DUMP, struct.pack("=BBH", NETDEV_CMD_PAGE_POOL_STATS_GET, 1, 0)))
        _answer(sock, "netdev page-pool-stats-get")
    return ""


def _family_id(answer: bytes) -> int:
    at = 20
    while at + 4 <= len(answer):
        length, kind = struct.unpack_from("=HH", answer, at)
        if kind == CTRL_ATTR_FAMILY_ID:
            (family,) = struct.unpack_from("=H", answer, at + 4)
            return int(family)
        at += (length + 3) & ~3
    raise No("the kernel's answer names no family")


def netdevsim() -> str:
    """A device by sysfs, born in the writer's namespace, and taken away again."""
    bus = Path("/sys/bus/netdevsim")
    if not bus.exists():
        raise No("there is no /sys/bus/netdevsim (module netdevsim)")
    device = 0x7A000000 | os.getpid() & 0xFFFFFF
    (bus / "new_device").write_text(f"{device} 1")
    (bus / "del_device").write_text(str(device))
    return ""


def dsa() -> str:
    """Make a switch of two ports in software; where there is no driver for one, find one of hardware."""
    if simulated.SWITCHES.exists():
        return _software_switch()
    conduits = [p.parent.name for p in Path("/sys/class/net").glob("*/dsa")]
    if not conduits:
        raise No("no interface is the conduit of a DSA switch")
    return f"conduit {', '.join(conduits)}"


def _software_switch() -> str:
    """Two cards wired together: behind the one the kernel, behind the other the switch."""
    first = simulated.free_netdevsims(2)
    number = simulated.free_switch(set())
    here = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        ends = [_new_card(first), _new_card(first + 1)]
        simulated.link_netdevsims((here, ends[0][0]), (here, ends[1][0]))
        simulated.new_switch(number, (here, ends[0][1]), ends[1][1], 2, "dsa", "probe")
        ports = [name for _, name in socket.if_nameindex() if name.startswith("probe")]
        if len(ports) != 2:
            raise No(f"the switch has {len(ports)} user ports instead of 2")
        return "dsa_netlab, with two user ports"
    finally:
        simulated.delete_switch(number)
        for card in (first, first + 1):
            simulated.delete_netdevsim(card)
        os.close(here)


def _new_card(number: int) -> tuple[int, str]:
    """Its interface, in this namespace: (index, name)."""
    before = set(socket.if_nameindex())
    simulated.new_netdevsim(number, 1)
    [found] = set(socket.if_nameindex()) - before
    return found
