"""Attacks on other processes, on the host's files and devices, on limits, on the terminal, and on one's own privileges."""

from errno import EACCES, EINVAL, EIO, ENOENT, ENOSPC, ENOSYS, ENXIO, EPERM, EROFS, ESRCH
from typing import Any

from tests.attacks.attack import Attack

GONE = frozenset((ESRCH, EINVAL, EPERM))
NO_FILE = frozenset((ENOENT, EACCES, EPERM))
WEAK: dict[str, Any] = {"open_when_weak": True}

DESCRIPTORS = [
    Attack("descriptors", "left open by the runtime", r"""
      all(map { my $l = readlink "/proc/self/fd/$_"; "$_:$l" } grep { my $l = readlink "/proc/self/fd/$_"; $_ > 2 && $l !~ m{^/proc/\d+/fd$} && length $l }
        map { m{/(\d+)$} } glob "/proc/self/fd/*")""", none=True),
    Attack("descriptors", "left open in init", r"""
      opendir(my $d, "/proc/1/fd") or refused();
      all(grep { !m{^(/dev/(null|zero)|pipe:|socket:|anon_inode:)} && length } map { readlink "/proc/1/fd/$_" } readdir $d)""",
           none=True),
    Attack("descriptors", "a working directory outside of the root", r"""
      all(grep { sysopen(my $h, "/proc/self/fd/$_/../../../../../../etc/hostname", O_RDONLY) } 3 .. 63)""", none=True),
    Attack("descriptors", "the runtime's own program", r"all(grep { /(crun|runc)/ } map { readlink "
           r"($_) // () } glob '/proc/[0-9]*/exe')", none=True),
]

PROCESSES = [
    Attack("processes", "signal a neighbour's process", "kill(0, $H{victim_pid}) ? opened('alive') : refused()", GONE),
    Attack("processes", "kill a neighbour's process", "kill('KILL', $H{victim_pid}) ? opened('killed') : refused()", GONE),
    Attack("processes", "trace a neighbour's process", "try(101, 16, $H{victim_pid}, 0, 0)", GONE),
    Attack("processes", "a descriptor of a neighbour's process", "try(434, $H{victim_pid}, 0)", GONE),
    Attack("processes", "see the host's processes", r"all(grep { -e } map { '/proc/' . $_ } $H{victim_pid}, $H{host_pid})", none=True),
    Attack("processes", "read init's memory", "my $b = ' ' x 8; my $l = pack('QQ', at($b), 8); my $r = pack('QQ', 0x400000, 8);"
           "try(310, 1, $l, 1, $r, 1, 0)", **WEAK),
    Attack("processes", "write init's memory", "my $b = ' ' x 8; my $l = pack('QQ', at($b), 8); my $r = pack('QQ', 0x400000, 8);"
           "try(311, 1, $l, 1, $r, 1, 0)"),
    Attack("processes", "take init's descriptors", "my $p = syscall(434, 1, 0); $p == -1 and refused(); try(438, $p, 0, 0)", **WEAK),
    Attack("processes", "a neighbour's memory by /proc", "try_open('/proc/' . $H{victim_pid} . '/mem', O_RDWR)", frozenset((ENOENT,))),
    Attack("processes", "compare kernel objects", "try(312, $$, 1, 0, 0, 0)", **WEAK),
]

FILES = [
    Attack("files", "through init's root", "try_open('/proc/1/root' . $H{secret})", NO_FILE),
    Attack("files", "by its path", "try_open($H{secret})", NO_FILE),
    Attack("files", "the neighbour's /lab", "try_open($H{victim_lab})", NO_FILE),
    Attack("files", "out of a chroot", r"""
      mkdir "/tmp/jail"; chroot("/tmp/jail") or refused(); chdir ".." for 1 .. 64; chroot("."); try_open($H{secret})""", NO_FILE),
    Attack("files", "by handle", "my $h = pack('LlQ', 8, 1, 2); sysopen(my $d, '/', O_RDONLY) or refused(); try(304, fileno $d, $h, 0)"),
    Attack("files", "name a handle", "my $h = pack('LlQ16', 128, 0); my $m = pack('L', 0); try(303, -100, '/lab', $h, $m, 0)", **WEAK),
    Attack("files", "write into the image's lower layer", r"""
      my @rows = grep { m{ /run/netlab/} } split /\n/, slurp('/proc/self/mountinfo') // ''; my @p = map { (split ' ')[4] } @rows;
      all(grep { -d } @p)""", none=True),
    Attack("files", "trusted attributes of overlay", r"open(my $f, '>', '/root/x'); try(188, '/root/x', 'trusted.overlay.opaque', 'y', 1, 0)"),
]

DEVICES = [
    Attack("devices", "mknod a disk", "try(133, '/tmp/disk', 060660, (8 << 8))"),
    Attack("devices", "mknod memory", "try(133, '/tmp/mem', 020660, (1 << 8) | 1)"),
    Attack("devices", "mknod in /dev", "try(133, '/dev/kvm', 020660, (10 << 8) | 232)"),
    Attack("devices", "any that would matter", r"""
      all(grep { sysopen(my $h, $_, O_RDWR) } map { "/dev/$_" } qw(mem kmem port kmsg kvm fuse loop-control loop0 vda sda nvme0 net/tun
        vhost-net vhost-vsock vsock uinput rtc0 hpet mapper/control snapshot userfaultfd vfio/vfio ttyS0 tty0 console cpu_dma_latency))""",
           none=True),
]

LIMITS = [
    Attack("limits", "a higher priority", "try(141, 0, 0, -20)"),
    Attack("limits", "real-time scheduling", "my $p = pack('L', 50); try(144, 0, 1, $p)"),
    Attack("limits", "real-time disk access", "try(251, 1, 0, (1 << 13))"),
    Attack("limits", "more descriptors than allowed", "my $l = pack('QQ', 1 << 20, 1 << 20); try(302, 0, 7, $l, 0)"),
    Attack("limits", "never be chosen by the OOM killer", "try_write('/proc/self/oom_score_adj', '-1000')"),
    Attack("limits", "locked memory without end", "my $l = pack('QQ', ~0, ~0); try(302, 0, 8, $l, 0)"),
]

PTY = r"""
  use POSIX (); sysopen(my $m, "/dev/ptmx", O_RDWR | O_NOCTTY) or refused(); my $n = pack("L", 0); ioctl($m, 0x80045430, $n); my $z = pack("L", 0);
  ioctl($m, 0x40045431, $z); POSIX::setsid(); sysopen(my $t, "/dev/pts/" . unpack("L", $n), O_RDWR) or refused();
  ioctl($t, 0x540e, 0); my $c = "x"; my $d = pack("L", 3);
"""
NO_TTY = frozenset((ENOSYS,))
"""What the profile says to calls, and numbers of ioctl, that it does not know."""
TERMINAL = [
    Attack("terminal", "type into it (TIOCSTI)", PTY + "try(16, fileno $t, 0x5412, $c)", NO_TTY),
    Attack("terminal", "type into it by a number with high bits", PTY + "try(16, fileno $t, (1 << 32) | 0x5412, $c)", NO_TTY),
    Attack("terminal", "load a line discipline", PTY + "try(16, fileno $t, 0x5423, $d)", NO_TTY),
    Attack("terminal", "the console's copy and paste", PTY + "try(16, fileno $t, 0x541c, $c)", NO_TTY),
    Attack("terminal", "take over the console", PTY + "try(16, fileno $t, 0x541d, 0)", NO_TTY),
    Attack("terminal", "use up all terminals", r"""
      my @all; while (@all < 200) { sysopen(my $m, "/dev/ptmx", O_RDWR | O_NOCTTY) or refused(); push @all, $m } opened(scalar @all)""",
           frozenset((ENOSPC, ENXIO, EIO))),
]

PRIVILEGES = [
    Attack("privileges", "give oneself all capabilities", "my $h = pack('Ll', 0x20080522, 0); my $d = pack('L6', (~0) x 6); try(126, $h, $d)"),
    Attack("privileges", "capabilities of the bounding set", r"""
      all(grep { syscall(157, 23, $_, 0, 0, 0) == 1 } 2, 9, 14, 15, 16, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 30, 32 .. 38, 40)""",
           none=True, open_when_weak=True),
    Attack("privileges", "no_new_privs is missing", "syscall(157, 39, 0, 0, 0, 0) == 1 ? none() : opened('no_new_privs')", none=True, **WEAK),
    Attack("privileges", "seccomp is missing", "(slurp('/proc/self/status') // '') =~ /^Seccomp:\\s*2/m ? none() : opened('seccomp')", none=True, **WEAK),
    Attack("privileges", "a set-uid copy run by nobody", r"""
      system("cp /usr/bin/perl /root/up && chmod 4755 /root/up && chmod 755 /root"); $( = $) = "65534 65534"; $< = $> = 65534;
      my $who = `/root/up -e 'print \$>'`; $who eq "0" ? opened("euid 0") : none()""", none=True),
    Attack("privileges", "change the process's own map of memory", "try(157, 35, 9, 0x10000, 0, 0)", frozenset((EPERM, EINVAL))),
]

READ_ONLY_SYS = [
    Attack("sysfs", "write anything in /sys", r"""
      my @found; my @dirs = qw(/sys/kernel /sys/class/net /sys/devices/virtual/net /sys/bus /sys/fs); my $n = 0;
      while (my $d = shift @dirs and $n < 20000) { opendir(my $h, $d) or next; for my $e (readdir $h) { next if $e =~ /^\./; my $p = "$d/$e"; $n++;
        next if -l $p || -c _ || $p =~ m{^/sys/fs/bpf}; if (-d _) { push @dirs, $p } elsif (sysopen(my $w, $p, O_WRONLY)) { push @found, $p } } }
      all(@found)""", frozenset((EROFS,)), none=True),
]

ATTACKS = [*DESCRIPTORS, *PROCESSES, *FILES, *DEVICES, *LIMITS, *TERMINAL, *PRIVILEGES, *READ_ONLY_SYS]
