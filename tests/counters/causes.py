"""Ways to lose a packet, each done for real: a -- r -- b, where r routes, and z, which belongs to another lab."""

import ctypes
import os
import secrets
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from netlab.config import load_config
from netlab.host.kernel.syscalls import inside_netns
from netlab.host.nodes.api import NodePlace
from netlab.host.probe import bpf

A, R_A, R_B, B = "10.1.0.1", "10.1.0.2", "10.2.0.2", "10.2.0.1"
NOWHERE = "10.9.0.1"
CLOSED_PORT, PORT = 9, 5000
ETH_IPV4, ETH_IPV6, ETH_NOBODYS = 0x0800, 0x86DD, 0x88B5
IP_MTU_DISCOVER, IP_PMTUDISC_PROBE, SO_ATTACH_FILTER = 10, 3, 26
TC_ACT_SHOT = 2
ATTACH_TCX_EGRESS = 47
REDIRECT = struct.pack("<BBhiBBhiBBhiBBhi", 0xB7, 1, 0, 99_999, 0xB7, 2, 0, 0, 0x85, 0, 0, 23, 0x95, 0, 0, 0)
"""`return bpf_redirect(99999, 0)`: there is no such device."""


@dataclass
class Net:
    names: dict[str, str]
    held: list[int] = field(default_factory=list)

    def path(self, node: str) -> Path:
        return Path("/run/netns") / self.names[node]

    def places(self) -> dict[str, NodePlace]:
        return {n: NodePlace(n, self.path(n), None, 0, 0, None) for n in self.names}

    def run(self, node: str, line: str, *, check: bool = True) -> str:
        words = ["ip", "netns", "exec", self.names[node], "sh", "-c", line]
        return subprocess.run(words, check=check, capture_output=True, text=True).stdout

    def socket(self, node: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
        with inside_netns(self.path(node)):
            return socket.socket(family, kind, protocol)

    def send(self, node: str, to: str, count: int = 3, *, port: int = CLOSED_PORT, size: int = 20, **options: int) -> None:
        with self.socket(node, socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for name, value in options.items():
                number = {"ttl": socket.IP_TTL, "mtu_discover": IP_MTU_DISCOVER}[name]
                sock.setsockopt(socket.IPPROTO_IP, number, value)
            for _ in range(count):
                with suppress(OSError):
                    sock.sendto(b"x" * size, (to, port))

    def frame(self, node: str, body: bytes, ethertype: int = ETH_IPV4, to: bytes | None = None, count: int = 3) -> None:
        """Straight onto the wire, from a to r."""
        with self.socket(node, socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind(("eth0", ethertype))
            target = to or bytes.fromhex(self.run("r", "cat /sys/class/net/eth0/address").strip().replace(":", ""))
            for _ in range(count):
                sock.send(target + sock.getsockname()[4] + struct.pack("!H", ethertype) + body)

    def program(self, node: str, kind: int, code: bytes, attach: int, flags: int = 0) -> Callable[[], None]:
        """Attached to the node's eth0 until the answer is called."""
        program = bpf.load(kind, code, attach_type=attach)
        try:
            with inside_netns(self.path(node)):
                index = int(self.run(node, "cat /sys/class/net/eth0/ifindex"))
                link = bpf.attach_link(program, index, attach, flags)
        finally:
            os.close(program)
        return lambda: os.close(link)


@contextmanager
def net() -> Iterator[Net]:
    mark = f"nlt.ec.{secrets.token_hex(3)}"
    made = Net({node: f"{mark}.{node}" for node in "arbz"})
    try:
        for name in made.names.values():
            subprocess.run(["ip", "netns", "add", name], check=True)
        for node in made.names:
            made.run(node, "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1; ip link set lo up")
        made.run("r", f"ip link add eth0 type veth peer name eth0 netns {made.names['a']};"
                      f"ip link add eth1 type veth peer name eth0 netns {made.names['b']};"
                      f"ip addr add {R_A}/24 dev eth0; ip addr add {R_B}/24 dev eth1; ip link set eth0 up; ip link set eth1 up;"
                      "sysctl -qw net.ipv4.ip_forward=1")  # fmt: skip
        for node, own, router in (("a", A, R_A), ("b", B, R_B)):
            made.run(node, f"ip addr add {own}/24 dev eth0; ip link set eth0 up; ip route add default via {router};"
                           "sysctl -qw net.ipv4.icmp_ratelimit=0")  # fmt: skip
        made.run("r", "sysctl -qw net.ipv4.icmp_ratelimit=0")
        made.run("a", f"for i in $(seq 30); do ping -q -c 1 -W 1 {B} && exit; done; exit 1")  # neighbours and carriers are there
        yield made
    finally:
        for name in made.names.values():
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def ipv4(source: str, to: str, protocol: int, body: bytes, *, good_checksum: bool = True) -> bytes:
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 9, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(to))  # fmt: skip
    total = sum(struct.unpack("!10H", head))
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF if good_checksum else 0x1234
    return head[:10] + struct.pack("!H", checksum) + head[12:] + body


class Cause(NamedTuple):
    do: Callable[[Net], None]
    node: str
    object: str
    name: str
    """'' for a loss that the kernel tells as an event alone."""
    events: tuple[tuple[str, str], ...] = ()
    """(node, event) that go with it."""


def _filtered(net: Net) -> None:
    with net.socket("b", socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((B, PORT))
        refuse = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # classic BPF: return 0
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("H6xQ", 1, ctypes.addressof(refuse)))
        net.send("a", B, port=PORT)


def _full_buffer(net: Net) -> None:
    with net.socket("b", socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        sock.bind((B, PORT))
        net.send("a", B, 20, port=PORT, size=1000)


def _unread_answers(net: Net) -> None:
    net.run("a", "sysctl -qw net.ipv4.ping_group_range='0 0'")
    with net.socket("a", socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        for number in range(20):
            sock.sendto(struct.pack("!BBHHH", 8, 0, 0, 0, number) + bytes(1000), (B, 0))


def _bad_udp_checksum(net: Net) -> None:
    with net.socket("b", socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((B, PORT))
        net.frame("a", ipv4(A, B, 17, struct.pack("!HHHH", 1, PORT, 12, 0x1234) + b"oops"))


def _refused(net: Net) -> None:
    net.run("a", "ip neigh flush dev eth0")
    for _ in range(3):
        with net.socket("a", socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.connect_ex((B, 7))


def _strict_source(net: Net) -> None:
    net.run("r", "sysctl -qw net.ipv4.conf.eth0.rp_filter=1")
    net.frame("a", ipv4("10.2.0.99", B, 17, struct.pack("!HHHH", 1, CLOSED_PORT, 8, 0)))


def _too_big(net: Net) -> None:
    net.run("r", "ip link set eth1 mtu 1300")
    net.send("a", B, size=1400, mtu_discover=IP_PMTUDISC_PROBE)
    net.run("r", "ip link set eth1 mtu 1500")
    net.run("a", "ip route flush cache", check=False)


def _firewall(net: Net) -> None:
    nft = f"chroot {load_config().rootfs_dir} nft"  # the shells' own: a host needs none
    net.run("r", f"{nft} 'add table ip t; add chain ip t f {{ type filter hook forward priority 0; }};"
                 " add rule ip t f udp dport 9 drop'")  # fmt: skip
    net.send("a", B)
    net.run("r", f"{nft} flush ruleset")


def _full_queue(net: Net) -> None:
    net.run("r", "tc qdisc add dev eth1 root tbf rate 64kbit burst 2000 limit 3000")
    net.send("a", B, 20, size=1000)
    net.run("r", "tc qdisc del dev eth1 root")


def _unresolved(net: Net) -> None:
    net.run("a", "sysctl -qw net.ipv4.neigh.eth0.retrans_time_ms=100")
    net.send("a", "10.1.0.77")
    time.sleep(0.6)


def _with(kind: int, code: bytes, attach: int, flags: int = 0, node: str = "b") -> Callable[[Net], None]:
    def do(net: Net) -> None:
        detach = net.program(node, kind, code, attach, flags)
        try:
            net.send("a", B)
            time.sleep(0.3)  # one that sends again needs time for it
        finally:
            detach()

    return do


def _lost_segments(net: Net) -> None:
    detach = net.program("b", bpf.PROG_TYPE_XDP, bpf.returns(bpf.XDP_DROP), bpf.ATTACH_XDP, bpf.XDP_FLAGS_DRV_MODE)
    try:
        with net.socket("a", socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.settimeout(2.6)  # sent again after one second and after two
            with suppress(OSError):
                sock.connect((B, 7))
    finally:
        detach()


def _raw(protocol: int, body: bytes) -> Callable[[Net], None]:
    return lambda net: net.frame("a", ipv4(A, B, protocol, body))


_XDP, _TC = bpf.PROG_TYPE_XDP, bpf.PROG_TYPE_SCHED_CLS
_NATIVE, _GENERIC = bpf.XDP_FLAGS_DRV_MODE, bpf.XDP_FLAGS_SKB_MODE
_UDP_TO_CLOSED = struct.pack("!HHHH", 1, CLOSED_PORT, 8, 0)
CAUSES = {
    "udp to a closed port": Cause(lambda n: n.send("a", B), "b", "eth0", "NO_SOCKET", (("b", "icmp_sent"),)),
    "tcp to a closed port": Cause(
        _refused, "b", "eth0", "NO_SOCKET", (("b", "tcp_resets_sent"), ("a", "tcp_resets_received"), ("a", "neighbour_updates"))),
    "no route": Cause(lambda n: n.send("a", NOWHERE), "r", "eth0", "IP_INNOROUTES", (("r", "icmp_sent"),)),
    "ttl used up": Cause(lambda n: n.send("a", B, ttl=1), "r", "eth0", "IP_INHDR", (("r", "icmp_sent"),)),
    "larger than the mtu": Cause(_too_big, "r", "eth0", "PKT_TOO_BIG", (("r", "icmp_sent"),)),
    "reverse path": Cause(_strict_source, "r", "eth0", "IP_RPFILTER"),
    "firewall": Cause(_firewall, "r", "eth0", "NETFILTER_DROP"),
    "queue full": Cause(_full_queue, "r", "eth1", "QDISC_DROP"),
    "tc ingress": Cause(_with(_TC, bpf.returns(TC_ACT_SHOT), bpf.ATTACH_TCX_INGRESS), "b", "eth0", "TC_INGRESS"),
    "tc egress": Cause(_with(_TC, bpf.returns(TC_ACT_SHOT), ATTACH_TCX_EGRESS, node="a"), "a", "eth0", "TC_EGRESS"),
    "receive buffer full": Cause(
        _full_buffer, "b", "eth0", "SOCKET_RCVBUFF", (("b", "udp_queue_failures"),)),
    "answers that nobody reads": Cause(_unread_answers, "a", "eth0", "SOCKET_RCVBUFF", (("a", "receive_queue_full"),)),
    "neighbour away": Cause(_unresolved, "a", "eth0", "NEIGH_FAILED"),
    "xdp native drop": Cause(_with(_XDP, bpf.returns(bpf.XDP_DROP), bpf.ATTACH_XDP, _NATIVE), "b", "eth0", "XDP_DROP"),
    "xdp aborted": Cause(
        _with(_XDP, bpf.returns(bpf.XDP_ABORTED), bpf.ATTACH_XDP, _NATIVE), "b", "eth0", "XDP_DROP", (("b", "xdp_exceptions"),)),
    "xdp generic drop": Cause(_with(_XDP, bpf.returns(bpf.XDP_DROP), bpf.ATTACH_XDP, _GENERIC), "b", "eth0", "XDP_GENERIC_DROP"),
    "xdp redirect to nobody": Cause(
        _with(_XDP, REDIRECT, bpf.ATTACH_XDP, _NATIVE), "b", "eth0", "", (("b", "xdp_redirect_errors"),)),
    "socket filter": Cause(_filtered, "b", "eth0", "SOCKET_FILTER"),
    "wrong ip checksum": Cause(
        lambda n: n.frame("a", ipv4(A, B, 17, _UDP_TO_CLOSED, good_checksum=False)), "r", "eth0", "IP_CSUM"),
    "wrong udp checksum": Cause(_bad_udp_checksum, "b", "eth0", "UDP_CSUM"),
    "wrong icmp checksum": Cause(_raw(1, struct.pack("!BBHI", 8, 0, 0x1234, 1)), "b", "eth0", "ICMP_CSUM"),
    "unknown ip protocol": Cause(_raw(200, b"what is this"), "b", "eth0", "IP_NOPROTO"),
    "multicast as source": Cause(
        lambda n: n.frame("a", ipv4("224.0.0.1", B, 17, _UDP_TO_CLOSED)), "r", "eth0", "IP_INVALID_SOURCE"),
    "another mac address": Cause(
        lambda n: n.frame("a", ipv4(A, B, 17, _UDP_TO_CLOSED), to=b"\x02\0\0\0\0\x99"), "r", "eth0", "OTHERHOST"),
    "unknown ethertype": Cause(lambda n: n.frame("a", b"?" * 46, ETH_NOBODYS), "r", "eth0", "UNHANDLED_PROTO"),
    "ipv6 switched off": Cause(lambda n: n.frame("a", b"\x60" + bytes(47), ETH_IPV6), "r", "eth0", "IPV6DISABLED"),
    "segments sent again": Cause(_lost_segments, "b", "eth0", "XDP_DROP", (("a", "tcp_retransmits"),)),
}
