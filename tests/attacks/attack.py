"""One attack: what root in a node tries against the host or a neighbour, as a Perl program, and how it must be refused.

A payload ends with one line: `errno N` (the kernel said no), `none` (there is nothing to be had), or `open ...` (it got
through). Perl is in every node, and its `syscall` reaches what no tool offers. Numbers are those of x86_64.
"""

import re
from dataclasses import dataclass
from errno import EACCES, EPERM

REFUSED = frozenset((EPERM, EACCES))

PRELUDE = r"""
use strict; no warnings; use Fcntl; use Socket; $| = 1;
my %H = map { my ($k, $v) = split /=/, $_, 2; ($k, $v =~ /^\d+$/ ? $v + 0 : $v) } @ARGV;
sub refused { print "errno ", $! + 0, "\n"; exit 0 }
sub opened { print "open @_\n"; exit 0 }
sub none { print "none\n"; exit 0 }
sub try { my @a = @_; my $r = syscall($a[0], @a[1 .. $#a]); $r == -1 ? refused() : opened($r) }
sub try_open { my ($p, $f) = @_; sysopen(my $h, $p, $f // O_RDONLY) ? opened($p) : refused() }
sub try_write { my ($p, $t) = @_; sysopen(my $h, $p, O_WRONLY) or refused(); defined(syswrite($h, $t)) ? opened($p) : refused() }
sub slurp { sysopen(my $h, $_[0], O_RDONLY) or return undef; my $d = ""; sysread($h, $d, 1 << 16); $d }
sub all { @_ ? opened(join " ", @_) : none() }
sub at { unpack "Q", pack "P", $_[0] }
sub code { join "", map { pack "CCsl", @$_ } @_ }
my $RET0 = code([0xb7, 0, 0, 0], [0x95, 0, 0, 0]);
sub token { sysopen(my $d, "/sys/fs/bpf", O_RDONLY | 0200000) or refused();
  my $t = syscall(321, 36, my $a = pack("LLx8", 0, fileno $d), 16); $t == -1 ? refused() : $t }
my $LICENCE = "GPL\0";
sub bpf_load { my ($type, $insns, $token, $attach) = @_;
  my $a = pack("LLQQLLQLLa16LL", $type, length($insns) / 8, at($insns), at($LICENCE), 0, 0, 0, 0,
    defined $token ? 1 << 16 : 0, "attack", 0, $attach // 0) . ("\0" x 72) . pack("l", $token // 0);
  syscall(321, 5, $a, length $a) }
sub bpf_map { my ($type, $key, $value, $entries, $token) = @_;
  my $a = pack("LLLLL", $type, $key, $value, $entries, defined $token ? 1 << 16 : 0) . ("\0" x 56) . pack("l", $token // 0);
  syscall(321, 0, $a, length $a) }
sub attribute { my ($k, $d) = @_; my $l = length($d) + 4; pack("SS", $l, $k) . $d . ("\0" x (-$l & 3)) }
sub netlink { my ($proto, $type, $flags, $body) = @_; socket(my $s, 16, 3, $proto) or refused();
  send($s, pack("LSSLL", 16 + length $body, $type, 5 | $flags, 1, 0) . $body, 0) // refused();
  my $in = ""; vec($in, fileno $s, 1) = 1; select($in, undef, undef, 2) or none(); recv($s, my $r, 65536, 0);
  my (undef, $t) = unpack "LS", $r; my $e = unpack "x16l", $r; if ($t == 2 && $e) { $! = -$e; refused() } opened("type $t") }
"""


@dataclass(frozen=True)
class Attack:
    """`errnos`: the refusals that count. `none`: finding nothing counts. `killed`: the kernel may end the payload."""

    family: str
    name: str
    perl: str
    errnos: frozenset[int] = REFUSED
    none: bool = False
    killed: bool = False
    open_when_weak: bool = False
    """It gets through where only a user namespace is left of the sandbox: this is how the list proves that it can fail."""

    @property
    def id(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", f"{self.family} {self.name}".lower()).strip("-")

    def argv(self, facts: dict[str, str]) -> list[str]:
        return ["/usr/bin/perl", "-e", PRELUDE + self.perl, "--", *(f"{k}={v}" for k, v in facts.items())]


@dataclass(frozen=True)
class Outcome:
    """What became of it: the payload's last line, or how it ended without one."""

    word: str
    detail: str

    @classmethod
    def of(cls, stdout: bytes, exit_code: int) -> "Outcome":
        lines = [line for line in stdout.decode(errors="replace").splitlines() if line.split(" ")[0] in ("errno", "none", "open")]
        if lines:
            word, _, detail = lines[-1].partition(" ")
            return cls(word, detail)
        return cls("killed" if exit_code in (159, 137, -31, -9) else "broken", str(exit_code))

    def is_refusal_of(self, attack: Attack) -> bool:
        if self.word == "errno":
            return int(self.detail) in attack.errnos
        return (self.word == "none" and attack.none) or (self.word == "killed" and attack.killed)


CONTROLS = {
    "open a file of one's own": "try_open('/etc/hostname')",
    "write a setting of one's own": "try_write('/proc/sys/net/ipv4/ip_forward', '0')",
    "load an XDP program with the token": "bpf_load(6, $RET0, token(), 37) == -1 ? refused() : opened('loaded')",
    "make a map with the token": "bpf_map(2, 4, 8, 1, token()) == -1 ? refused() : opened('made')",
    "call a helper that XDP has": r"""
        my $c = code([0x85, 0, 0, 5], [0xb7, 0, 0, 2], [0x95, 0, 0, 0]);
        bpf_load(6, $c, token(), 37) == -1 ? refused() : opened("loaded")""",
    "signal a process of one's own": "kill(0, $$) ? opened('alive') : refused()",
    "read one's own environment": "try_open('/proc/self/environ')",
    "make a FIFO": "try(133, '/tmp/fifo', 010600, 0)",
    "use a terminal": r"""
        sysopen(my $m, "/dev/ptmx", O_RDWR | O_NOCTTY) or refused(); my $w = "x" x 8; try(16, fileno $m, 0x5413, $w)""",
    "ask for interfaces": "netlink(0, 18, 0, pack('CxSlLL', 0, 0, 1, 0, 0))",
    "make an interface": r"""
        my $kind = attribute(18, attribute(1, "bridge\0"));
        netlink(0, 16, 0x600, pack("CxSlLL", 0, 0, 0, 0, 0) . attribute(3, "br9\0") . $kind)""",
    "delete it": "netlink(0, 17, 0, pack('CxSlLL', 0, 0, 0, 0, 0) . attribute(3, 'br9' . chr(0)))",
    "fork by clone": "my $p = syscall(56, 17, 0, 0, 0, 0); exit 0 if $p == 0; $p == -1 ? refused() : opened($p)",
    "take a descriptor of oneself": "try(434, $$, 0)",
    "set an attribute of a file": "open(my $f, '>', '/root/own'); try(188, '/root/own', 'user.x', 'y', 1, 0)",
}
"""The same helpers on what a node may do: a payload that is broken would be 'refused' too, so here they must get through."""
