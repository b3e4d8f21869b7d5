"""What a namespace's protocols and sockets count, from /proc/net: TCP, UDP, ICMP, IP, sockets in use.

Used by the node's slow reader, once a second while somebody looks. Names: Documentation/networking/snmp_counter.rst. Every
descriptor pins its namespace.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache

from netlab.host.counters.readings import Slow
from netlab.host.kernel.syscalls import inside_netns

SNMP, NETSTAT, SOCKSTAT = "snmp", "netstat", "sockstat"
READ_BYTES = 16 * 1024
TCP_LINE = b"\nTcp: "
"""Of snmp, twice: names, then values. While TCP has sent and received nothing, netstat has nothing new of it, and is dear."""

TCP = (
    ("Tcp", "RetransSegs", "tcp_retransmitted", "packets"), ("TcpExt", "TCPTimeouts", "tcp_timeouts", "1"),
    ("Tcp", "OutRsts", "tcp_resets", "packets"), ("Tcp", "AttemptFails", "tcp_attempts_failed", "1"),
    ("TcpExt", "ListenOverflows", "tcp_listen_overflows", "1"), ("Tcp", "InCsumErrors", "tcp_checksum_errors", "packets"),
    ("Tcp", "InSegs", "tcp_in", "packets"), ("Tcp", "OutSegs", "tcp_out", "packets"),
)
UDP = (
    ("Udp", "InDatagrams", "udp_in", "packets"), ("Udp", "OutDatagrams", "udp_out", "packets"),
    ("Udp", "NoPorts", "udp_no_port", "packets"), ("Udp", "RcvbufErrors", "udp_receive_buffer_full", "packets"),
    ("Udp", "SndbufErrors", "udp_send_buffer_full", "packets"), ("Udp", "InCsumErrors", "udp_checksum_errors", "packets"),
)
ICMP = (
    ("Icmp", "InMsgs", "icmp_in", "packets"), ("Icmp", "OutMsgs", "icmp_out", "packets"),
    ("Icmp", "OutDestUnreachs", "icmp_unreachable_sent", "packets"),
    ("Icmp", "OutTimeExcds", "icmp_time_exceeded_sent", "packets"),
)
IP = (
    ("Ip", "ForwDatagrams", "ip_forwarded", "packets"), ("Ip", "FragCreates", "ip_fragments_made", "packets"),
    ("Ip", "ReasmOKs", "ip_reassembled", "packets"), ("Ip", "ReasmFails", "ip_reassembly_failed", "packets"),
)
SOCKETS = (
    ("TCP", "inuse", "sockets_tcp", "1"), ("TCP", "tw", "sockets_time_wait", "1"), ("UDP", "inuse", "sockets_udp", "1"),
    ("RAW", "inuse", "sockets_raw", "1"),
)
KINDS = (("tcp", TCP), ("udp", UDP), ("icmp", ICMP), ("ip", IP), ("sockets", SOCKETS))

WANTED = {(group, field): kind for kind, wanted in KINDS for group, field, *_ in wanted}
"""Which kind it belongs to."""

Said = dict[tuple[str, str], int]
Places = tuple[tuple[int, tuple[str, str]], ...]
"""Which word of a line is which field."""


class StackReader:
    def __init__(self, netns: str) -> None:
        self._netns = netns
        self._files: dict[str, int] = {}
        self._texts: dict[str, bytes] = {}
        self._tcp = b""
        self._said: Said = {}
        self._moved: set[str] = set()
        """Kinds that may count something else than when `_slow` was made."""
        self._slow: dict[str, Slow] = {}
        self._counting: dict[str, tuple[list[tuple[str, str]], tuple[tuple[str, str], ...]]] = {}
        """By kind: where its values are said, and its counters."""
        self.tcp_sockets = 0
        """In use, when it was last read: whether asking for flows makes sense."""

    def close(self) -> None:
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files = {}

    def read(self) -> list[Slow]:
        """Raises OSError."""
        if not self._files:
            self._open()
        if not any([self._take(SNMP), self._take(SOCKSTAT)]):
            return [*self._slow.values()]
        tcp = self._texts.get(SNMP, b"").rpartition(TCP_LINE)[2].partition(b"\n")[0]
        if tcp != self._tcp:
            self._tcp = tcp
            self._take(NETSTAT)
        self.tcp_sockets = self._said.get(("TCP", "inuse"), 0)
        for kind, wanted in KINDS:
            if kind in self._moved and (slow := self._of_kind(kind, wanted, self._said)):
                self._slow[kind] = slow
        self._moved.clear()
        return [*self._slow.values()]

    def _take(self, name: str) -> bool:
        """Read a file; whether it says something else than before."""
        if name not in self._files:
            return False
        text = os.pread(self._files[name], READ_BYTES, 0)
        if text == self._texts.get(name):
            return False
        said = parse(text, self._texts.get(name, b""))
        self._said |= said
        self._moved |= {WANTED[key] for key in said}
        if name != NETSTAT:  # long, and seldom read
            self._texts[name] = text
        return True

    def _open(self) -> None:
        with inside_netns(self._netns):
            for name in (SNMP, NETSTAT, SOCKSTAT):
                with suppress(FileNotFoundError):  # a kernel without that protocol
                    self._files[name] = os.open(f"/proc/thread-self/net/{name}", os.O_RDONLY | os.O_CLOEXEC)

    def _of_kind(self, kind: str, wanted: tuple[tuple[str, str, str, str], ...], said: Said) -> Slow | None:
        """Nothing before it has counted for the first time: a lab's list shows what happens in it."""
        if kind not in self._counting:
            there = [(group, field) for group, field, *_ in wanted if (group, field) in said]
            if not any(said[key] for key in there):
                return None
            names = tuple((name, unit) for group, field, name, unit in wanted if (group, field) in said)
            self._counting[kind] = there, names
        keys, names = self._counting[kind]
        return Slow("", kind, names, tuple([said[key] for key in keys]))


def parse(data: bytes, before: bytes = b"") -> Said:
    """What is WANTED of pairs of lines ('Tcp: InSegs ...', 'Tcp: 12 ...') or of lines 'TCP: inuse 3 tw 0'.

    What stood in the same lines `before` may be left out."""
    said: Said = {}
    known, above = before.split(b"\n"), b""
    for at, line in enumerate(data.split(b"\n")):
        if at >= len(known) or line != known[at]:
            words = line.split()
            if len(words) > 1 and _is_number(words[1]):
                places = _under(above) if above.startswith(words[0]) else ()
            elif len(words) > 2 and _is_number(words[2]):
                places = _between(words[0], tuple(words[1::2]))
            else:  # names, or nothing
                places = ()
            said |= [(key, _natural(words[place])) for place, key in places if place < len(words)]
        above = line
    return said


@lru_cache(maxsize=64)
def _under(names: bytes) -> Places:
    """Values that stand under their names."""
    group, *fields = names.split()
    return _wanted(group, enumerate(fields, 1))


@lru_cache(maxsize=64)
def _between(group: bytes, names: tuple[bytes, ...]) -> Places:
    """Values that stand each behind its name."""
    return _wanted(group, zip(range(2, 2 * len(names) + 1, 2), names, strict=True))


def _wanted(group: bytes, fields: Iterable[tuple[int, bytes]]) -> Places:
    keys = [(place, (group.rstrip(b":").decode("ascii", "replace"), name.decode("ascii", "replace"))) for place, name in fields]
    return tuple((place, key) for place, key in keys if key in WANTED)


def _natural(word: bytes) -> int:
    return max(0, int(word)) if _is_number(word) else 0


def _is_number(word: bytes) -> bool:
    return word.lstrip(b"-").isdigit()
