"""Attacks on the kernel itself: namespaces, mounts, modules, clocks, rarely used system calls, sysctls, information."""

from errno import EACCES, ENOENT, ENOSYS, EPERM, EROFS
from typing import Any

from tests.attacks.attack import Attack

READ_ONLY = frozenset((EPERM, EACCES, EROFS, ENOENT))
NO_CALL = frozenset((EPERM, ENOSYS))
WEAK: dict[str, Any] = {"open_when_weak": True}

NAMESPACE_FLAGS = {"mount": 0x20000, "user": 0x10000000, "net": 0x40000000, "pid": 0x20000000, "ipc": 0x8000000, "time": 0x80}

NAMESPACES = [
    *(Attack("namespaces", f"unshare {name}", f"try(272, {flag})", open_when_weak=True) for name, flag in NAMESPACE_FLAGS.items()),
    Attack("namespaces", "unshare in a thread's high bits", "try(272, (1 << 32) | 0x10000000)"),
    Attack("namespaces", "clone with a new user namespace",
           "my $p = syscall(56, 0x10000000 | 17, 0, 0, 0, 0); exit 0 if $p == 0; $p == -1 ? refused() : opened($p)", NO_CALL, **WEAK),
    Attack("namespaces", "clone with a new mount namespace",
           "my $p = syscall(56, 0x20000 | 17, 0, 0, 0, 0); exit 0 if $p == 0; $p == -1 ? refused() : opened($p)", NO_CALL, **WEAK),
    Attack("namespaces", "clone3", "my $a = pack('Q11', 0x10000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0);"
           "my $p = syscall(435, $a, 88); exit 0 if $p == 0; $p == -1 ? refused() : opened($p)", NO_CALL, **WEAK),
    *(Attack("namespaces", f"setns to init's {name}", f"sysopen(my $h, '/proc/1/ns/{name}', O_RDONLY) or refused();"
             "try(308, fileno $h, 0)") for name in ("user",)),
    *(Attack("namespaces", f"setns to init's {name}", f"sysopen(my $h, '/proc/1/ns/{name}', O_RDONLY) or refused();"
             "try(308, fileno $h, 0)", open_when_weak=True) for name in ("mnt", "net", "pid", "cgroup")),
    Attack("namespaces", "rewrite the uid map", "try_write('/proc/self/uid_map', '0 0 4294967295')"),
    Attack("namespaces", "map a host uid for init", "try_write('/proc/1/uid_map', '0 0 1')"),
]

MOUNTS = [
    Attack("mounts", "mount a tmpfs", "mkdir '/tmp/m'; try(165, 'none', '/tmp/m', 'tmpfs', 0, 0)", **WEAK),
    Attack("mounts", "mount another proc", "mkdir '/tmp/m'; try(165, 'none', '/tmp/m', 'proc', 0, 0)", **WEAK),
    Attack("mounts", "mount sysfs", "mkdir '/tmp/m'; try(165, 'none', '/tmp/m', 'sysfs', 0, 0)", **WEAK),
    Attack("mounts", "mount cgroup2", "mkdir '/tmp/m'; try(165, 'none', '/tmp/m', 'cgroup2', 0, 0)"),
    Attack("mounts", "mount debugfs", "mkdir '/tmp/m'; try(165, 'none', '/tmp/m', 'debugfs', 0, 0)"),
    Attack("mounts", "mount a device", "mkdir '/tmp/m'; try(165, '/dev/vda', '/tmp/m', 'ext4', 1, 0)"),
    Attack("mounts", "bind the root elsewhere", "mkdir '/tmp/m'; try(165, '/', '/tmp/m', 0, 4096, 0)", **WEAK),
    Attack("mounts", "remount /sys writable", "try(165, 'none', '/sys', 0, 32 | 4096, 0)"),
    Attack("mounts", "take a mask away", "try(166, '/proc/kcore', 2)"),
    Attack("mounts", "take the read-only /proc/sys away", "try(166, '/proc/sys/kernel', 2)"),
    Attack("mounts", "pivot_root", "mkdir '/tmp/m'; try(155, '/', '/tmp/m')"),
    Attack("mounts", "fsopen", "try(430, 'tmpfs', 0)", **WEAK),
    Attack("mounts", "open_tree of the root", "try(428, -100, '/', 1)", **WEAK),
    Attack("mounts", "move_mount", "try(429, -100, '/run', -100, '/tmp', 0)"),
    Attack("mounts", "mount_setattr", "my $a = pack('Q4', 0, 1, 0, 0); try(442, -100, '/sys', 0, $a, 32)"),
    Attack("mounts", "fspick", "try(433, -100, '/', 0)", **WEAK),
]

MACHINE = [
    Attack("machine", "init_module", "try(175, 'x', 1, '')"),
    Attack("machine", "finit_module", "try(313, 0, '', 0)"),
    Attack("machine", "delete_module", "try(176, 'veth', 0)"),
    Attack("machine", "kexec_load", "try(246, 0, 0, 0, 0)"),
    Attack("machine", "kexec_file_load", "try(320, 0, 0, 0, '', 8)"),
    Attack("machine", "reboot", "try(169, 0xfee1dead, 672274793, 0x89abcdef, 0)"),
    Attack("machine", "settimeofday", "my $t = pack('QQ', time() + 86400, 0); try(164, $t, 0)"),
    Attack("machine", "clock_settime", "my $t = pack('QQ', time() + 86400, 0); try(227, 0, $t)"),
    Attack("machine", "adjtimex", "my $t = pack('L', 1) . (chr(0) x 204); try(159, $t)"),
    Attack("machine", "swapon", "try(167, '/tmp/x', 0)"),
    Attack("machine", "acct", "try(163, '/tmp/x')"),
    Attack("machine", "quotactl", "try(179, 0x800001, '/dev/vda', 0, 0)"),
    Attack("machine", "read the kernel's log", "my $b = ' ' x 4096; try(103, 3, $b, 4096)"),
    Attack("machine", "clear the kernel's log", "try(103, 5, 0, 0)"),
    Attack("machine", "sethostname", "try(170, 'owned', 5)", **WEAK),
    Attack("machine", "sysrq", "-c '/proc/sysrq-trigger' && (stat _)[6] == 0x103 and none(); try_write('/proc/sysrq-trigger', 'h')",
           READ_ONLY, none=True),
    Attack("machine", "core pattern", "try_write('/proc/sys/kernel/core_pattern', '|/lab/x')", READ_ONLY),
    Attack("machine", "modprobe path", "try_write('/proc/sys/kernel/modprobe', '/lab/x')", READ_ONLY),
    Attack("machine", "uevent helper", "try_write('/sys/kernel/uevent_helper', '/lab/x')", READ_ONLY),
    Attack("machine", "binfmt_misc", "try_write('/proc/sys/fs/binfmt_misc/register', ':x:M::x::/lab/x:')", READ_ONLY),
    Attack("machine", "cgroup release agent", "all(grep { -e } glob '/sys/fs/cgroup/release_agent /sys/fs/cgroup/*/release_agent')", none=True),
    Attack("machine", "escape the cgroup's limits", "all(grep { -e } glob '/sys/fs/cgroup/memory.max /sys/fs/cgroup/*/*')", none=True),
]

SURFACE = [
    Attack("surface", "io_uring", "my $p = chr(0) x 120; try(425, 8, $p)", **WEAK),
    Attack("surface", "userfaultfd", "try(323, 1)", **WEAK),
    Attack("surface", "perf_event_open", "my $a = pack('LLQ', 1, 112, 0) . (chr(0) x 96); try(298, $a, 0, -1, -1, 0)"),
    Attack("surface", "add_key", "try(248, 'user', 'x', 'y', 1, -3)", **WEAK),
    Attack("surface", "keyctl", "try(250, 0, -3, 1)", **WEAK),
    Attack("surface", "iopl", "try(172, 3)", NO_CALL),
    Attack("surface", "ioperm", "try(173, 0, 4, 1)", NO_CALL),
    Attack("surface", "modify_ldt", "my $b = chr(0) x 64; try(154, 0, $b, 64)", NO_CALL, **WEAK),
    Attack("surface", "vmsplice", "pipe(my $r, my $w); my $d = 'x' x 8; my $v = pack('QQ', at($d), 8); try(278, fileno $w, $v, 1, 0)", **WEAK),
    Attack("surface", "memfd_secret", "try(447, 0)", NO_CALL),
    Attack("surface", "fanotify", "try(300, 0x200, 0)", **WEAK),
    Attack("surface", "move_pages", "try(279, 0, 0, 0, 0, 0, 0)", NO_CALL),
    Attack("surface", "process_madvise", "try(440, 0, 0, 0, 0, 0)", NO_CALL),
    Attack("surface", "no address randomisation", "try(135, 0x40000)", NO_CALL, **WEAK),
    Attack("surface", "a number that no kernel has", "try(9999)", frozenset((ENOSYS,))),
    Attack("surface", "an x32 call", "try(0x40000000 | 39)", NO_CALL, killed=True),
    Attack("surface", "a 32-bit call", r"""
      my $asm = ".globl _start\n_start: mov \$20,%eax\n int \$0x80\n mov %eax,%ebx\n mov \$60,%eax\n xor %edi,%edi\n syscall\n";
      open(my $f, ">", "/tmp/e.s"); print $f $asm; close $f;
      system("as -o /tmp/e.o /tmp/e.s && ld -o /tmp/e /tmp/e.o") and die "no assembler";
      system("/tmp/e"); ($? & 127) == 31 ? none() : opened("status $?")""", none=True, open_when_weak=True),
]

SYSCTLS = [
    Attack("sysctls", "open any global one for writing", r"""
      my (@found, @dirs) = (); push @dirs, map { "/proc/sys/$_" } qw(kernel vm fs user dev debug abi crypto);
      while (my $d = shift @dirs) { for my $p (glob "$d/*") { next if -l $p; if (-d $p) { push @dirs, $p } elsif (sysopen(my $h, $p, O_WRONLY)) { push @found, $p } } }
      all(@found)""", none=True, open_when_weak=True),
    Attack("sysctls", "a global switch among the network's", "try_write('/proc/sys/net/netfilter/nf_hooks_lwtunnel', '1')", READ_ONLY),
    Attack("sysctls", "limits of the neighbour table", "try_write('/proc/sys/net/ipv4/neigh/default/gc_thresh3', '8')", READ_ONLY),
    Attack("sysctls", "the conntrack limit", "try_write('/proc/sys/net/netfilter/nf_conntrack_max', '1')", READ_ONLY),
    Attack("sysctls", "the BPF compiler's hardening", "try_write('/proc/sys/net/core/bpf_jit_harden', '0')", READ_ONLY),
    Attack("sysctls", "socket memory of all", "try_write('/proc/sys/net/ipv4/tcp_mem', '1 1 1')", READ_ONLY),
]

MASKED = "kcore kallsyms kmsg keys key-users timer_list config.gz iomem ioports modules cmdline interrupts diskstats slabinfo vmallocinfo"
INFORMATION = [
    Attack("information", "kernel files with secrets in them", f"""
      all(grep {{ my $d = slurp("/proc/$_"); defined $d && length $d }} qw({MASKED}))""", none=True, open_when_weak=True),
    Attack("information", "notes of the kernel image", "my $d = slurp('/sys/kernel/notes'); length($d // '') ? opened('notes') : none()",
           none=True, open_when_weak=True),
    Attack("information", "tracefs, debugfs, securityfs, cgroupfs, modules", """
      all(map { glob "$_/*" } qw(/sys/kernel/tracing /sys/kernel/debug /sys/kernel/security /sys/fs/cgroup /sys/module /sys/firmware))""",
           none=True, open_when_weak=True),
    Attack("information", "kernel addresses", "my $d = slurp('/proc/kallsyms') // ''; $d =~ /^(?!0+ )[0-9a-f]{16} /m ? opened('addresses') : none()",
           none=True),
    Attack("information", "other processes' kernel stacks", "my $d = slurp('/proc/1/stack'); length($d // '') ? opened($d) : none()",
           none=True),
]

ATTACKS = [*NAMESPACES, *MOUNTS, *MACHINE, *SURFACE, *SYSCTLS, *INFORMATION]
