"""The process that loads an attendee's XDP program where the kernel has no BPF tokens: one a load, started by `broker` alone.

It begins as root in the agent's place, enters the node's network namespace and memory limits, and gives up everything but
CAP_BPF and CAP_NET_ADMIN before it reads the first byte of the object: no PERFMON (the verifier refuses looks into the
kernel), no SYS_ADMIN (no other namespace, no object by id), an otherwise unused uid, an empty root, a list of system calls,
limits on time and memory. btf_load is not on that list, so the verifier refuses what it refuses strangers with a token.
It attaches by netlink: the program outlives it, and the node's `ip link ... xdp off` takes it off.

Standard library only, one file: it runs as `python -I -S <this file>`. It never writes a file or starts a program.
"""

import ctypes
import errno
import os
import resource
import signal
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

EXIT_BROKEN, EXIT_REFUSED, EXIT_NO_FUNCTION, EXIT_ATTACH = 10, 20, 21, 30
OBJECT_BYTES_MAX = 1 << 20
TOO_LARGE = f"The object is larger than {OBJECT_BYTES_MAX >> 10} KiB."
MAPS_BYTES_MAX = 16 << 20
MAP_ENTRY_OVERHEAD_BYTES = 64
STDERR_BYTES_MAX = 256 * 1024
"""The end of what libbpf said: a refusal stands at the end of the verifier's log."""
TIME_LIMIT_S, CPU_LIMIT_S = 20, 10

CAP_NET_ADMIN, CAP_BPF = 12, 39
CAPABILITIES = 1 << CAP_NET_ADMIN | 1 << CAP_BPF
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET = 0x00020000, 0x04000000, 0x08000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_REMOUNT, MS_BIND, MS_REC, MS_SLAVE = 1, 2, 32, 4096, 1 << 14, 1 << 19
PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 8, 22, 24, 38
NR_CAPSET, NR_BPF = 126, 321
PROG_GET_FD_BY_ID = 13

BPF_PROG_TYPE_XDP = 6
XDP_FLAGS = {"native": 4, "generic": 2, "offload": 8}
MAP_TYPES = frozenset({1, 2, 5, 6, 9, 11, 14, 27})  # hash, array, percpu_{hash,array}, lru_hash, lpm_trie, devmap, ringbuf
"""As with a token, less prog_array: the kernel empties one when nobody holds a descriptor or pin of it."""
PROG_ARRAY, RING_BUFFER, PER_CPU = 3, 27, frozenset({5, 6})
HELPERS = frozenset({
    1, 2, 3,  # map_{lookup,update,delete}_elem
    5, 118, 125, 160,  # ktime_get_ns, jiffies64, ktime_get_boot_ns, ktime_get_coarse_ns
    7, 8,  # get_prandom_u32, get_smp_processor_id
    23, 51,  # redirect, redirect_map: within the node
    28,  # csum_diff
    44, 54, 65, 189, 188, 190,  # xdp_adjust_{head,meta,tail}, xdp_{load,get_buff_len,store}_bytes
    69,  # fib_lookup: the node's own routes
    84, 85, 86, 99,  # sk_lookup_{tcp,udp}, sk_release, skc_lookup_tcp: the node's own sockets
    130, 131, 132, 133, 134,  # ringbuf_{output,reserve,submit,discard,query}
})
"""What a loaded program may call (include/uapi/linux/bpf.h); whatever newer kernels add is not among it."""

# include/uapi/linux/bpf.h: MAP_CREATE, MAP_{LOOKUP,UPDATE}_ELEM, PROG_LOAD, OBJ_GET_INFO_BY_FD, MAP_FREEZE, PROG_BIND_MAP
BPF_COMMANDS = (0, 1, 2, 5, 15, 22, 35)
AF_NETLINK = 16
# read write close fstat lseek rt_sigprocmask rt_sigreturn pread64 access mremap madvise munmap brk getpid sendto recvfrom sendmsg
# recvmsg bind getsockname setsockopt getsockopt exit uname fcntl geteuid gettid futex clock_gettime exit_group newfstatat
# faccessat getrandom statx faccessat2
ALLOWED = (
    0, 1, 3, 5, 8, 14, 15, 17, 21, 25, 28, 11, 12, 39, 44, 45, 46, 47, 49, 51, 54, 55, 60, 63, 72, 107, 186, 202, 228, 231, 262,
    269, 318, 332, 439,
)
NR_MMAP, NR_MPROTECT, NR_SOCKET, NR_OPENAT = 9, 10, 41, 257
AUDIT_ARCH_X86_64, X32_BIT = 0xC000003E, 0x40000000
RET_KILL, RET_ERRNO, RET_ALLOW = 0x80000000, 0x00050000, 0x7FFF0000

libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Task:
    """The arguments, in their order."""

    netns: str
    group: str
    """cgroup.procs of the node: its memory limit pays for the maps."""
    uid: int
    interface: str
    function: str
    mode: str
    old_mode: str
    """Of the XDP program that is there now, or ''."""
    old_id: int


def checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def leave(code: int, *lines: str) -> NoReturn:
    for line in lines:
        os.write(2, line.encode(errors="replace") + b"\n")
    tell_the_end()
    os._exit(code)


# shutting itself in -----------------------------------------------------------------------------------------------------


def enter_node(task: Task) -> int:
    """Its network namespace and memory limit; the interface's index."""
    with open(task.group, "w") as group:
        group.write(str(os.getpid()))
    with open(task.netns) as netns:
        checked(libc.setns(netns.fileno(), CLONE_NEWNET), "setns")
    return int(libc.if_nametoindex(task.interface.encode()))


def shut_in(uid: int) -> None:
    """After this there is no way back."""
    empty_root()
    limits = {"CPU": CPU_LIMIT_S, "AS": 512 << 20, "FSIZE": 32 << 20, "NOFILE": 64, "CORE": 0, "NPROC": 0}
    checked(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "keep capabilities")
    for number in range(64):  # EINVAL: the kernel has no such capability
        if not CAPABILITIES >> number & 1 and libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0) and ctypes.get_errno() != errno.EINVAL:
            raise OSError(ctypes.get_errno(), "drop a capability")
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    low, high = CAPABILITIES & 0xFFFFFFFF, CAPABILITIES >> 32
    header, sets = struct.pack("=Ii", 0x20080522, 0), struct.pack("=6I", low, low, 0, high, high, 0)
    checked(libc.syscall(NR_CAPSET, header, sets), "capset")
    checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    checked(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "die with the agent")
    signal.alarm(TIME_LIMIT_S)
    for name, limit in limits.items():
        hard = limit + 2 if name == "CPU" else limit  # the soft one ends it by a signal that says why
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (limit, hard))
    code = b"".join(seccomp_filter())
    kept = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("=H6xQ", len(code) // 8, ctypes.addressof(kept)))
    checked(libc.prctl(PR_SET_SECCOMP, 2, program, 0, 0), "seccomp")


def empty_root() -> None:
    """A root with nothing but what libbpf reads of the machine: the kernel's types and the number of CPUs."""
    checked(libc.unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC), "unshare")
    mount(b"none", b"/", None, MS_REC | MS_SLAVE)
    mount(b"tmpfs", b"/mnt", b"tmpfs", MS_NOSUID)
    for folder in ("/sys/kernel/btf", "/sys/devices/system/cpu"):
        if os.path.isdir(folder):
            there = f"/mnt{folder}"
            os.makedirs(there)
            mount(folder.encode(), there.encode(), None, MS_BIND)
    mount(b"none", b"/mnt", None, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID)
    os.chroot("/mnt")
    os.chdir("/")


def mount(source: bytes, target: bytes, kind: bytes | None, flags: int) -> None:
    checked(libc.mount(source, target, kind, ctypes.c_ulong(flags), None), f"mount on {target.decode()}")


def seccomp_filter() -> Iterator[bytes]:
    """Classic BPF over struct seccomp_data (nr, arch, ip, args); x86_64, like the nodes' own profile."""
    load, jump_equal, jump_above, jump_set, give = 0x20, 0x15, 0x35, 0x45, 0x06
    refuse = op(give, RET_ERRNO | errno.EPERM)

    def only_values(number: int, values: tuple[int, ...]) -> Iterator[bytes]:
        yield op(jump_equal, number, 0, 2 + 2 * len(values))
        yield op(load, 16)
        for value in values:
            yield op(jump_equal, value, 0, 1) + op(give, RET_ALLOW)
        yield refuse

    def without_bits(number: int, argument: int, bits: int) -> Iterator[bytes]:
        yield op(jump_equal, number, 0, 4) + op(load, 16 + 8 * argument) + op(jump_set, bits, 0, 1) + refuse + op(give, RET_ALLOW)

    yield op(load, 4) + op(jump_equal, AUDIT_ARCH_X86_64, 1, 0) + op(give, RET_KILL)
    yield op(load, 0) + op(jump_above, X32_BIT, 0, 1) + op(give, RET_KILL)
    for number in ALLOWED:
        yield op(jump_equal, number, 0, 1) + op(give, RET_ALLOW)
    yield from only_values(NR_BPF, BPF_COMMANDS)
    yield from only_values(NR_SOCKET, (AF_NETLINK,))
    yield from without_bits(NR_MMAP, 2, 4)  # PROT_EXEC
    yield from without_bits(NR_MPROTECT, 2, 4)
    yield from without_bits(NR_OPENAT, 2, os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    yield refuse


def op(code: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, when_true, when_false, value)


# what libbpf says -------------------------------------------------------------------------------------------------------

_real_stderr = 2


def keep_stderr() -> None:
    """In memory, so that the end of it can be told: a verifier's log may have 16 MB."""
    global _real_stderr
    _real_stderr = os.dup(2)
    os.dup2(os.memfd_create("stderr"), 2)


def said() -> bytes:
    size = os.lseek(2, 0, os.SEEK_END)
    return os.pread(2, STDERR_BYTES_MAX, max(0, size - STDERR_BYTES_MAX))


def tell_the_end() -> None:
    if _real_stderr == 2:
        return
    text = said()
    while text:
        text = text[os.write(_real_stderr, text):]


# loading ----------------------------------------------------------------------------------------------------------------


def open_library() -> Any:
    """libbpf, which every host has: iproute2 needs it."""
    library = ctypes.CDLL("libbpf.so.1", use_errno=True)
    pointer, text, uint, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32, ctypes.c_size_t
    for name, result, arguments in (
        ("bpf_object__open_mem", pointer, [pointer, size, pointer]), ("bpf_object__load", ctypes.c_int, [pointer]),
        ("bpf_object__next_program", pointer, [pointer, pointer]), ("bpf_object__next_map", pointer, [pointer, pointer]),
        ("bpf_program__name", text, [pointer]), ("bpf_program__type", ctypes.c_int, [pointer]),
        ("bpf_program__set_autoload", ctypes.c_int, [pointer, ctypes.c_bool]), ("bpf_program__fd", ctypes.c_int, [pointer]),
        ("bpf_program__insns", pointer, [pointer]), ("bpf_program__insn_cnt", size, [pointer]),
        ("bpf_map__name", text, [pointer]), ("bpf_map__type", ctypes.c_int, [pointer]),
        ("bpf_map__max_entries", uint, [pointer]), ("bpf_map__key_size", uint, [pointer]),
        ("bpf_map__value_size", uint, [pointer]),
        ("bpf_map__set_pin_path", ctypes.c_int, [pointer, text]),
        ("bpf_xdp_attach", ctypes.c_int, [ctypes.c_int, ctypes.c_int, uint, pointer]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def read_object() -> bytes:
    parts: list[bytes] = []
    while (have := sum(map(len, parts))) <= OBJECT_BYTES_MAX and (data := os.read(0, OBJECT_BYTES_MAX + 1 - have)):
        parts.append(data)
    if have > OBJECT_BYTES_MAX:
        leave(EXIT_REFUSED, TOO_LARGE)
    return b"".join(parts)


def load(bpf: Any, object_bytes: bytes, function: str) -> Any:
    """The wanted program of the object, loaded. Ends the process when it is refused."""
    called = ctypes.create_string_buffer(function.encode())  # what its global variables' maps are named after
    options = ctypes.create_string_buffer(struct.pack("=QQ", 16, ctypes.addressof(called)), 16)
    opened = bpf.bpf_object__open_mem(object_bytes, len(object_bytes), options)
    if not opened:
        leave(EXIT_REFUSED, f"This is no object file that libbpf can read: {os.strerror(ctypes.get_errno())}.")
    programs = {name(bpf.bpf_program__name(p)): p for p in each(bpf.bpf_object__next_program, opened)}
    if function not in programs:
        leave(EXIT_NO_FUNCTION, *programs)
    for program in programs.values():
        bpf.bpf_program__set_autoload(program, program == programs[function])
    wanted = programs[function]
    if bpf.bpf_program__type(wanted) not in (0, BPF_PROG_TYPE_XDP):  # 0: libbpf says what is wrong with its section
        leave(EXIT_REFUSED, f"prog '{function}': only XDP programs can be loaded without BPF tokens.")
    check_maps(bpf, opened)
    if bpf.bpf_object__load(opened):
        leave(EXIT_REFUSED)
    count = bpf.bpf_program__insn_cnt(wanted)
    check_instructions(function, ctypes.string_at(bpf.bpf_program__insns(wanted), count * 8))
    return wanted


def each(step: Any, opened: int) -> Iterator[int]:
    item = step(opened, None)
    while item:
        yield item
        item = step(opened, item)


def name(raw: bytes | None) -> str:
    return (raw or b"").decode(errors="replace")


def check_maps(bpf: Any, opened: int) -> None:
    cpus, total = os.cpu_count() or 1, 0
    for item in each(bpf.bpf_object__next_map, opened):
        called, kind, entries = name(bpf.bpf_map__name(item)), bpf.bpf_map__type(item), bpf.bpf_map__max_entries(item)
        if kind == PROG_ARRAY:
            leave(EXIT_REFUSED, f"map '{called}': tail calls need BPF tokens, which this kernel has not.")
        if kind not in MAP_TYPES:
            leave(EXIT_REFUSED, f"map '{called}': failed to create: Operation not permitted (type {kind})")
        value_bytes = bpf.bpf_map__value_size(item) * (cpus if kind in PER_CPU else 1)
        total += entries * (1 if kind == RING_BUFFER else bpf.bpf_map__key_size(item) + value_bytes + MAP_ENTRY_OVERHEAD_BYTES)
        if total > MAPS_BYTES_MAX:
            leave(EXIT_REFUSED, f"map '{called}': maps larger than {MAPS_BYTES_MAX >> 20} MB in all: Cannot allocate memory")
        bpf.bpf_map__set_pin_path(item, None)


def check_instructions(function: str, code: bytes) -> None:
    """What the verifier accepted may still be more than is given here. Told as the verifier would tell it."""
    skip = False
    for at, (opcode, registers, _, immediate) in enumerate(struct.iter_unpack("=BBhi", code)):
        why, source = "", registers >> 4
        if skip:  # the second half of a 64-bit constant
            skip = False
            continue
        if opcode == 0x85 and source == 0 and immediate not in HELPERS:
            why = f"program of this type cannot use helper #{immediate} here"
        elif opcode == 0x85 and source not in (0, 1):
            why = "calling kernel function is not allowed"
        elif opcode == 0x18:
            skip = True
            why = "" if source in (0, 1, 2, 5, 6) else "callback or kernel symbol is not allowed"
        elif opcode in (0xE5, 0xE6):
            why = "may_goto is not allowed"
        if why:
            begin, end = f"prog '{function}': -- BEGIN PROG LOAD LOG --", "-- END PROG LOAD LOG --"
            leave(EXIT_REFUSED, begin, f"{at}: ({opcode:02x}) call or constant", why, end)


def attach(bpf: Any, index: int, program: Any, task: Task, old: int) -> None:
    """In the same mode one exchange in the kernel. A program of the other mode goes first, and comes back on failure."""
    other = task.old_mode if task.old_mode not in ("", task.mode) else ""
    if other:
        bpf.bpf_xdp_attach(index, -1, XDP_FLAGS[other], None)
    result = bpf.bpf_xdp_attach(index, bpf.bpf_program__fd(program), XDP_FLAGS[task.mode], None)
    if not result:
        return
    words = [line.split(b"Kernel error message: ")[1] for line in said().splitlines() if b"Kernel error message: " in line]
    if other and old >= 0:
        bpf.bpf_xdp_attach(index, old, XDP_FLAGS[other], None)
    leave(EXIT_ATTACH, f"Error: {name(words[-1]) if words else os.strerror(-result)}.")


def descriptor_of(program_id: int) -> int:
    """Of the program that is there now, while this process may still ask; -1 when it has gone."""
    return int(libc.syscall(NR_BPF, PROG_GET_FD_BY_ID, ctypes.create_string_buffer(struct.pack("=I", program_id), 128), 128))


def main(task: Task) -> None:
    bpf = open_library()
    index = enter_node(task)
    old = descriptor_of(task.old_id) if task.old_id else -1
    keep_stderr()
    shut_in(task.uid)
    program = load(bpf, read_object(), task.function)
    if not index:
        leave(EXIT_ATTACH, f"Error: there is no interface {task.interface}.")
    attach(bpf, index, program, task, old)
    os._exit(0)


if __name__ == "__main__":
    netns, group, uid, interface, function, mode, old_mode, old_id = sys.argv[1:]
    try:
        main(Task(netns, group, int(uid), interface, function, mode, old_mode, int(old_id)))
    except (OSError, ValueError, AttributeError) as broken:
        leave(EXIT_BROKEN, f"broker: {type(broken).__name__}: {broken}")
