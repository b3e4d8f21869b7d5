"""What clang printed -> diagnostics on the lines of the attendee's files, with a hint where beginners stumble.

Pure text work; called by `service`. Errors inside a system header are shown on the line that includes it.
"""

import re
from collections.abc import Iterator

from netlab.wire.events import Diagnostic

DIAGNOSTICS_MAX = 100
MESSAGE_CHARS_MAX = 600
LAB_PREFIX = "/lab/"

_MESSAGE = re.compile(
    r"^(?P<file>[^:\s][^:]*):(?P<line>\d+):(?P<column>\d+): (?P<severity>fatal error|error|warning|note|remark): (?P<text>.*)$"
)
_INCLUDED = re.compile(r"^In file included from (?P<file>[^:]+):(?P<line>\d+)")
_PLACELESS = re.compile(r"^(?:clang[-0-9]*: )?(?P<severity>fatal error|error|warning): (?:<unknown>:0:0: )?(?P<text>.*)$")
_BACKEND = re.compile(r"^(?P<file>[^:\s]+\.[ch]):(?P<line>\d+):(?P<column>\d+): in function \S+ .*?: (?P<text>.*)$")

_HINTS: tuple[tuple[str, str], ...] = (
    (r"(undeclared|implicit).*'?bpf_(hton|ntoh|cpu_to|be\d|le\d)", "Add #include <bpf/bpf_endian.h>."),
    (
        r"(undeclared|undefined|implicit|unknown type|expected parameter).*'(SEC|bpf_\w+|__always_inline|__uint|__type)'",
        "Add #include <bpf/bpf_helpers.h>.",
    ),
    (r"did you mean '", ""),  # clang's own guess is the better hint
    (
        r"(undeclared|implicit).*'XDP_\w+'|'struct xdp_md'|unknown type name '__u(8|16|32|64)'",
        "Add #include <linux/bpf.h> as the first include.",
    ),
    (r"undeclared identifier 'ETH_P_|'struct ethhdr'", "Add #include <linux/if_ether.h>."),
    (r"'struct iphdr'", "Add #include <linux/ip.h>."),
    (r"undeclared identifier 'IPPROTO_", "Add #include <linux/in.h>."),
    (
        r"'struct (icmphdr|udphdr|tcphdr|ipv6hdr)'",
        "Include its header: <linux/icmp.h>, <linux/udp.h>, <linux/tcp.h> or <linux/ipv6.h>.",
    ),
    (
        r"file not found",
        "There are the kernel's headers (<linux/...>), libbpf's (<bpf/...>) and your own files in /lab; no C library.",
    ),
    (r"^expected ';'", "The statement before this place has no semicolon."),
    (r"^expected '}'", "A brace { above is never closed."),
    (r"BPF stack limit|stack size .*exceed", "A BPF program has 512 bytes of stack: put large things into a per-CPU array map."),
    (
        r"built-in function '(\w+)' is not supported|undefined reference|unsupported.*libcall",
        "There is no C library in BPF: use __builtin_memcpy with a constant size, or a loop.",
    ),
    (
        r"too many args|stack arguments are not supported",
        "A function in BPF takes at most five arguments: pass a struct by pointer.",
    ),
    (
        r"unsupported signed division|unsupported dynamic stack",
        "BPF has no such instruction here: use unsigned types and arrays of constant size.",
    ),
)


def parse_clang(stderr: str, source: str) -> list[Diagnostic]:
    """`source` is the program's own file: what has no place of its own is shown there."""
    found: list[Diagnostic] = []
    for diagnostic in _messages(stderr, source):
        if diagnostic not in found:
            found.append(diagnostic)
        if len(found) == DIAGNOSTICS_MAX:
            break
    return found


def hint_for(message: str) -> str:
    return next((hint for pattern, hint in _HINTS if re.search(pattern, message)), "")


def lab_path(file: str) -> str | None:
    """A path as the compiler prints it -> relative to /lab; None for a file that is not the attendee's."""
    if file.startswith(LAB_PREFIX):
        return file.removeprefix(LAB_PREFIX)
    if file.startswith(("/", "<")):
        return None
    return file.removeprefix("./")


def _messages(stderr: str, source: str) -> Iterator[Diagnostic]:
    included: tuple[str, int] | None = None
    for line in stderr.splitlines():
        if below := _INCLUDED.match(line):
            path = lab_path(below["file"])
            included = (path, int(below["line"])) if path else included
        elif message := _MESSAGE.match(line):
            path = lab_path(message["file"])
            severity = message["severity"].removeprefix("fatal ")
            text = message["text"][:MESSAGE_CHARS_MAX]
            if path:
                yield _diagnostic(path, int(message["line"]), int(message["column"]), severity, text)
            elif severity != "note" and included:
                header = message["file"].split("/include/")[-1]
                yield _diagnostic(*included, 0, severity, f"in {header}:{message['line']}: {text}")
            included = None if path else included
        elif backend := _BACKEND.match(line):
            path = lab_path(backend["file"]) or source
            yield _diagnostic(path, int(backend["line"]), int(backend["column"]), "error", backend["text"][:MESSAGE_CHARS_MAX])
        elif placeless := _PLACELESS.match(line):
            text = placeless["text"][:MESSAGE_CHARS_MAX]
            if not re.match(r"no such file|linker command|unable to execute", text):
                yield _diagnostic(source, 1, 0, placeless["severity"].removeprefix("fatal "), text)


def _diagnostic(path: str, line: int, column: int, severity: str, text: str) -> Diagnostic:
    kind = severity if severity in ("error", "warning") else "note"
    return Diagnostic.model_validate({
        "path": path, "line": max(line, 1), "column": column, "severity": kind, "message": text,
        "hint": hint_for(text) if kind != "note" else "", "source": "clang",
    })
