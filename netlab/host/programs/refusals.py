"""The catalogue of refusals: what the verifier, libbpf or the sandbox say, and what to do about it in plain words.

Used by `verifier`. Matching text is all one can do here: the verifier's reasons have no codes. Order matters, the first
entry that matches wins. An entry whose cause is the sandbox (no BTF, no PERFMON for strangers) says what to do instead.
"""

import re
from dataclasses import dataclass
from typing import Literal

Source = Literal["verifier", "sandbox"]


@dataclass(frozen=True)
class Cause:
    hint: str
    source: Source = "verifier"


@dataclass(frozen=True)
class _Entry:
    pattern: str
    hint: str
    sandbox: bool = False
    """Refused because of what strangers' nodes may not do; elsewhere the same words have another cause."""


_SHARED = "This lab runs on a kernel that is shared with others"

_CATALOGUE: tuple[_Entry, ...] = (
    # what the sandbox takes away
    _Entry(
        r"R\d+ pointer -= pointer prohibited|R\d+ pointer -= pkt_end|pointer subtraction|R\d+ tried to subtract pointer",
        f"{_SHARED}, where pointers cannot be subtracted: instead of `data_end - data < N` write `data + N > data_end`.",
        sandbox=True,
    ),
    _Entry(
        r"has pointer with unsupported alu operation|pointer arithmetic with it prohibited for !root|"
        r"different maps, paths or scalars",
        f"{_SHARED}, where only constants can be added to a packet's pointers: handle the usual length (like ip->ihl == 5) "
        "and pass the rest.",
        sandbox=True,
    ),
    _Entry(
        r"cannot use helper bpf_trace_(v?printk)|unknown func bpf_trace_(v?printk)",
        f"{_SHARED}, where bpf_printk() is not allowed: count in a map instead and read it with `bpftool map dump pinned`.",
        sandbox=True,
    ),
    _Entry(
        r"cannot use helper bpf_(probe_read|get_current_task|perf_event|probe_write|snprintf|copy_from_user|override)|"
        r"unknown func bpf_(probe|perf)",
        f"{_SHARED}, where programs cannot look into it: only the packet, the context and your own maps can be read.",
        sandbox=True,
    ),
    _Entry(
        r"cannot use helper bpf_spin_(un)?lock|unknown func bpf_spin_(un)?lock|"
        r"has to have BTF in order to use bpf_(spin_lock|timer)|doesn't have valid bpf_(spin_lock|timer)|bpf_spin_lock",
        f"{_SHARED}, where spin locks and timers are not allowed: use __sync_fetch_and_add() or a per-CPU map.",
        sandbox=True,
    ),
    _Entry(
        r"missing btf func_info|cannot use helper bpf_(loop|for_each_map_elem|timer_\w+|user_ringbuf_drain)|callback|"
        r"unknown func bpf_(loop|for_each)",
        f"{_SHARED}, where callbacks (bpf_loop, timers) are not allowed: use a plain for loop with a constant bound.",
        sandbox=True,
    ),
    _Entry(
        r"kfunc|calling kernel function|kernel function .* is not allowed|without CAP_|requires.*(BTF|btf)|missing BTF|"
        r"no vmlinux BTF|btf.* is required",
        f"{_SHARED}, where functions of the kernel and its type information are not available to programs.",
        sandbox=True,
    ),
    _Entry(
        r"failed to create.*(Operation not permitted|-1\b|-EPERM)",
        f"{_SHARED}, where this map type is not allowed: hash, array, their per-CPU and LRU kinds, LPM trie, ring buffer, "
        "devmap and prog array are.",
        sandbox=True,
    ),
    # what is loaded for a node, because this kernel has no BPF tokens
    _Entry(
        r"cannot use helper #\d+ here|may_goto is not allowed",
        f"{_SHARED} and has no BPF tokens: only helpers for maps, time, the packet, redirects, routes and ring buffers work.",
        sandbox=True,
    ),
    _Entry(
        r"tail calls need BPF tokens|[Oo]nly XDP programs",
        f"{_SHARED} and has no BPF tokens: XDP programs without tail calls can be loaded, by this button.",
        sandbox=True,
    ),
    _Entry(r"maps larger than \d+ MB in all", "Lower max_entries, or the size of what an entry holds.", sandbox=True),
    # the packet
    _Entry(
        r"invalid access to packet",
        "The verifier does not know that the packet is so long. Before this line, compare the end of what you read with "
        "data_end: `if (data + sizeof(*header) > data_end) return XDP_PASS;`, and read only what you compared.",
    ),
    _Entry(
        r"offset is outside of the packet|R\d+ min value is outside of the (allowed )?(packet|memory)",
        "Check the whole range that you read against data_end before you read it.",
    ),
    _Entry(
        r"dereference of modified ctx ptr|R1 type=.*ctx",
        "Use the context as it is: read ctx->data into a variable first, and calculate with that.",
    ),
    _Entry(
        r"invalid bpf_context access",
        "This field of the context cannot be read or written here; in XDP there are data, data_end, data_meta, "
        "ingress_ifindex and rx_queue_index.",
    ),
    _Entry(
        r"math between pkt(_end)? pointer and register with unbounded min value|pkt pointer .*unbounded|"
        r"value is outside of the allowed memory range",
        "Bound the number before you add it to a pointer, like `if (n > 60) return XDP_PASS;`, or mask it: `n &= 63`.",
    ),
    _Entry(
        r"R\d+ pointer arithmetic on pkt_end prohibited|pointer arithmetic on pkt_end",
        "Nothing can be added to data_end: write `data + N > data_end`, not `data > data_end - N`.",
    ),
    # values
    _Entry(r"R0 !read_ok", "The program may end without a return value: let every path return one, like XDP_PASS."),
    _Entry(
        r"At program exit the register R0 .*should have been|should have been in \[",
        "Return one of the XDP actions (0 to 4): XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT.",
    ),
    _Entry(r"R\d+ !read_ok", "A variable is used before it has a value on at least one path: initialise it."),
    _Entry(
        r"invalid (indirect )?(read from|access to) stack|invalid read from stack",
        "Memory on the stack is used before it has a value: initialise it, structs with `= {}`.",
    ),
    _Entry(
        r"invalid (stack )?(write|read) .*stack|invalid variable-offset .*stack|invalid write to stack",
        "An index reaches beyond an array on the stack: bound it first.",
    ),
    _Entry(
        r"combined stack size|stack size .* exceeds|combined stack",
        "All functions together have 512 bytes of stack: put large things into a per-CPU array map.",
    ),
    # maps
    _Entry(
        r"map_value_or_null|ptr_or_null_|_or_null'",
        "This pointer may be NULL: test it first, like `if (!value) return XDP_PASS;`.",
    ),
    _Entry(
        r"invalid access to map value",
        "An index reaches beyond the map's value: bound it first, or look at value_size of the map.",
    ),
    _Entry(
        r"R\d+ type=\S+ expected=(fp|map_key|map_value)",
        "Keys and values are passed by pointer: put them into a variable and pass its address.",
    ),
    # control flow
    _Entry(
        r"back-edge|infinite loop detected|loop detected",
        "The verifier cannot see that this loop ends: give it a constant upper bound, like `for (i = 0; i < 64; i++)`.",
    ),
    _Entry(
        r"BPF program is too large|processed 1000001 insns|too many instructions|sequence of \d+ jumps is too complex",
        "There are too many paths to follow: make loops shorter, or split the work into functions or tail calls.",
    ),
    _Entry(r"unreachable insn", "Some code can never run: look for a return or a jump before it."),
    _Entry(
        r"the call stack of \d+ frames is too deep|recursive call",
        "Functions may call each other at most 8 deep, and never themselves.",
    ),
    # resources
    _Entry(
        r"Unreleased reference|reference has not been (acquired|released)|BPF_EXIT instruction .*(would lead to|"
        r"cannot be used).*(reference|lock)|unreleased",
        "What was taken must be given back on every path, also where an error returns early: bpf_ringbuf_discard(), "
        "bpf_sk_release(), ...",
    ),
    _Entry(r"leaks addr|R\d+ leaks", "A pointer may not leave the program, neither in a map nor in a packet: store a number."),
    # pointers and helpers
    _Entry(
        r"R\d+ invalid mem access '(inv|scalar)'",
        "This is a number, not a pointer: pointers come from ctx, a map lookup or an address of a variable.",
    ),
    _Entry(
        r"R\d+ (pointer comparison prohibited|pointer (arithmetic|operation) .*prohibited|"
        r"bitwise operator .* on pointer prohibited)|pointer arithmetic with .* operator",
        "Pointers allow only + and comparisons with data_end.",
    ),
    _Entry(
        r"misaligned (packet|stack|value|context) access",
        "Copy the bytes with __builtin_memcpy() into a variable instead of casting the pointer.",
    ),
    _Entry(
        r"program of this type cannot use helper|unknown func",
        "This helper is not allowed in this kind of program: `bpftool feature list_builtins helpers` lists them all, man "
        "bpf-helpers says where they work.",
    ),
    _Entry(r"cannot write into|cannot store|write into mem not allowed", "This memory can only be read."),
    _Entry(r"cannot call GPL-restricted|GPL only|gpl", 'Add `char _license[] SEC("license") = "GPL";`.'),
    # libbpf, before the verifier
    _Entry(
        r"missing BPF prog type|failed to guess program type|unrecognized ELF section name|no program section found|"
        r"can't load|sec '.*': (unknown|corrupted)",
        'The section names the kind of program: SEC("xdp") for XDP, SEC("tc") for TC.',
    ),
    _Entry(r"static program", "A program must not be static."),
    _Entry(r"failed to find BTF|BTF is required|BTF loading error|failed to load BTF", "Build with -g."),
    _Entry(
        r"undefined reference|failed to find.*extern|extern .*not found|can't resolve",
        "A function or variable is declared but never defined.",
    ),
    _Entry(r"Cannot allocate memory|-12\b|-ENOMEM", "A map is larger than the node's memory: lower max_entries."),
    _Entry(r"Argument list too long|-7\b|E2BIG", "The program or a map's key is too large."),
)


def explain(reason: str, trusted: bool) -> Cause:
    """The first entry that knows these words; an empty hint when none does. `trusted`: the sandbox takes nothing away."""
    for entry in _CATALOGUE:
        if re.search(entry.pattern, reason):
            if not entry.sandbox:
                return Cause(entry.hint)
            if not trusted:
                return Cause(entry.hint, "sandbox")
    return Cause("")
