"""Attacks by the network and by BPF: out of the lab, across namespaces, unusual sockets, programs that see too much."""

from errno import (
    E2BIG,
    EACCES,
    EADDRNOTAVAIL,
    EAFNOSUPPORT,
    ECONNREFUSED,
    EHOSTUNREACH,
    EINVAL,
    ENETUNREACH,
    ENODEV,
    ENOENT,
    ENOMEM,
    ENOSYS,
    EPERM,
    EPROTONOSUPPORT,
    ESRCH,
)
from typing import Any

from tests.attacks.attack import Attack

NO_FAMILY = frozenset((EPERM, EACCES, EAFNOSUPPORT, EPROTONOSUPPORT, ENOSYS))
NO_ROUTE = frozenset((ENETUNREACH, EHOSTUNREACH))
NO_ID = frozenset((EPERM, EACCES, EINVAL, ENODEV, ENOENT, ESRCH))
WEAK: dict[str, Any] = {"open_when_weak": True}

FAMILIES = {
    "vsock": 40, "alg": 38, "tipc": 30, "bluetooth": 31, "can": 29, "key": 15, "rds": 21, "nfc": 39, "qipcrtr": 42, "smc": 43,
    "ax25": 3, "x25": 9, "appletalk": 5, "mctp": 45, "phonet": 35, "ieee802154": 36,
}
SOCKETS = [
    *(Attack("sockets", f"family {name}", f"""
      for my $type (1, 2, 3, 5) {{ socket(my $s, {number}, $type, 0) and opened("type $type") }} refused()""", NO_FAMILY)
      for name, number in FAMILIES.items()),
    Attack("sockets", "the family's number with high bits", "try(41, (1 << 32) | 40, 1, 0)", NO_FAMILY),
    Attack("sockets", "the host's abstract sockets", r"""
      socket(my $s, AF_UNIX, SOCK_STREAM, 0) or refused(); connect($s, pack("Sa*", AF_UNIX, "\0$H{abstract}")) ? opened("connected") : refused()""",
           frozenset((ECONNREFUSED,))),
    Attack("sockets", "the audit log", r"""
      netlink(9, 1005, 0, "attack\0")""", NO_FAMILY | {ECONNREFUSED}),
]

ROUTES = [
    Attack("routes", "the host's loopback", r"""
      socket(my $s, AF_INET, SOCK_STREAM, 0) or refused(); connect($s, sockaddr_in($H{port}, inet_aton("127.0.0.1"))) ? opened("connected") : refused()""",
           frozenset((ECONNREFUSED,))),
    Attack("routes", "the host's own address", r"""
      socket(my $s, AF_INET, SOCK_STREAM, 0) or refused(); connect($s, sockaddr_in($H{port}, inet_aton($H{host_address}))) ? opened("connected") : refused()""",
           NO_ROUTE),
    Attack("routes", "the neighbour's address", r"""
      socket(my $s, AF_INET, SOCK_DGRAM, 0) or refused(); connect($s, sockaddr_in(9, inet_aton("10.88.0.1"))) ? opened("a route") : refused()""",
           NO_ROUTE),
    Attack("routes", "IPv6 by itself", r"""
      socket(my $s, AF_INET6, SOCK_DGRAM, 0) or refused();
      connect($s, pack("SnLa16L", 10, 9, 0, pack("H*", "20010db8000000000000000000000001"), 0)) ? opened("a route") : refused()""",
           NO_ROUTE | {EAFNOSUPPORT, EADDRNOTAVAIL}),
]

# struct ifinfomsg; IFLA_IFNAME 3, IFLA_NET_NS_PID 19, IFLA_NET_NS_FD 28, IFLA_TARGET_NETNSID 46
NSIDS = [
    Attack("netlink", f"delete an interface in the namespace with id {number}",
           f"netlink(0, 17, 0, pack('CxSlLL', 0, 0, 0, 0, 0) . attribute(46, pack('l', {number})) . attribute(3, \"eth0\\0\"))", NO_ID)
    for number in range(4)
]
NETLINK = [
    *NSIDS,
    Attack("netlink", "list interfaces across namespaces",
           "netlink(0, 18, 0, pack('CxSlLL', 0, 0, 1, 0, 0) . attribute(46, pack('l', 0)))", NO_ID),
    Attack("netlink", "make an interface in a process's namespace outside",
           r"netlink(0, 16, 0x600, pack('CxSlLL', 0, 0, 0, 0, 0) . attribute(3, 'out0' . chr(0)) . attribute(19, pack('L', $H{victim_pid}))"
           r" . attribute(18, attribute(1, 'bridge' . chr(0))))", NO_ID),
    Attack("netlink", "address a namespace by the number of its inode",
           "netlink(0, 88, 0, pack('Cxxx', 0) . attribute(1, pack('l', 7)) . attribute(2, pack('L', $H{victim_pid})))", NO_ID),
]

# bpf(2) commands: PROG_GET_NEXT_ID 11, MAP_GET_NEXT_ID 12, PROG_GET_FD_BY_ID 13, MAP_GET_FD_BY_ID 14, BTF_LOAD 18,
# BTF_GET_FD_BY_ID 19, BTF_GET_NEXT_ID 23, LINK_GET_FD_BY_ID 30, LINK_GET_NEXT_ID 31, ENABLE_STATS 32
PROGRAM_TYPES = {
    "kprobe": (2, 0), "tracepoint": (5, 0), "perf event": (7, 0), "cgroup skb": (8, 0), "raw tracepoint": (17, 0),
    "cgroup sysctl": (23, 18), "fentry": (26, 24), "struct_ops": (27, 0), "LSM": (29, 27), "syscall": (31, 0), "netfilter": (32, 45),
}
BPF = [
    *(Attack("bpf", f"a {name} program with the node's token",
             f"bpf_load({kind}, $RET0, token(), {attach}) == -1 ? refused() : opened('loaded')", frozenset((EPERM,)))
      for name, (kind, attach) in PROGRAM_TYPES.items()),
    Attack("bpf", "an XDP program without the token", "bpf_load(6, $RET0, undef, 37) == -1 ? refused() : opened('loaded')"),
    Attack("bpf", "BTF, and with it callbacks",
           "my $b = pack('SCCLLLLL', 0xeb9f, 1, 0, 24, 0, 0, 0, 1) . chr(0); my $t = token();"
           "my $a = pack('QQLLLLLl', at($b), 0, length $b, 0, 0, 0, 1 << 16, $t); try(321, 18, $a, length $a)"),
    *(Attack("bpf", f"walk over all {name}", f"my $a = pack('LLLL', 0, 0, 0, 0); try(321, {command}, $a, 16)")
      for name, command in (("programs", 11), ("maps", 12), ("BTF", 23), ("links", 31))),
    Attack("bpf", "a neighbour's program by its id", "my $a = pack('LLL', $H{program_id}, 0, 0); try(321, 13, $a, 12)"),
    Attack("bpf", "a neighbour's map by its id", "my $a = pack('LLL', $H{map_id}, 0, 0); try(321, 14, $a, 12)"),
    Attack("bpf", "measure all programs", "my $a = pack('L', 0); try(321, 32, $a, 4)"),
    Attack("bpf", "a pointer to the current task", r"""
      my $c = code([0x85, 0, 0, 35], [0xb7, 0, 0, 2], [0x95, 0, 0, 0]); bpf_load(6, $c, token(), 37) == -1 ? refused() : opened("loaded")""",
           frozenset((EINVAL, EPERM, EACCES)), **WEAK),
    Attack("bpf", "read kernel memory", r"""
      my $c = code([0xbf, 0xa1, 0, 0], [0x07, 1, 0, -8], [0xb7, 2, 0, 8], [0xb7, 3, 0, 0], [0x85, 0, 0, 113], [0xb7, 0, 0, 2], [0x95, 0, 0, 0]);
      bpf_load(6, $c, token(), 37) == -1 ? refused() : opened("loaded")""", frozenset((EINVAL, EPERM, EACCES)), **WEAK),
    Attack("bpf", "print into the kernel's trace", r"""
      my $c = code([0xb7, 1, 0, 10], [0x7b, 0x1a, -8, 0], [0xbf, 0xa1, 0, 0], [0x07, 1, 0, -8], [0xb7, 2, 0, 2], [0x85, 0, 0, 6], [0xb7, 0, 0, 2], [0x95, 0, 0, 0]);
      bpf_load(6, $c, token(), 37) == -1 ? refused() : opened("loaded")""", frozenset((EINVAL, EPERM, EACCES)), **WEAK),
    Attack("bpf", "read beyond the packet", r"""
      my $c = code([0x61, 0x12, 0, 0], [0x71, 0x20, 4096, 0], [0x95, 0, 0, 0]); bpf_load(6, $c, token(), 37) == -1 ? refused() : opened("loaded")"""),
    Attack("bpf", "loop without end", r"""
      my $c = code([0xb7, 0, 0, 0], [0x05, 0, -2, 0], [0x95, 0, 0, 0]); bpf_load(6, $c, token(), 37) == -1 ? refused() : opened("loaded")""",
           frozenset((EINVAL, E2BIG, EPERM))),
    *(Attack("bpf", f"a map of type {name}", f"bpf_map({kind}, 4, {value}, 1, token()) == -1 ? refused() : opened('made')",
             frozenset((EPERM,)))
      for name, kind, value in (("perf event array", 4, 4), ("stack trace", 7, 8), ("cgroup array", 8, 4), ("sock map", 15, 4),
                                ("sock hash", 18, 4), ("user ring buffer", 31, 0), ("arena", 33, 0))),
    Attack("bpf", "800 MB of map in a node of 256", "bpf_map(2, 4, 1 << 20, 800, token()) == -1 ? refused() : opened('made')",
           frozenset((ENOMEM, E2BIG))),
]

ATTACKS = [*SOCKETS, *ROUTES, *NETLINK, *BPF]
