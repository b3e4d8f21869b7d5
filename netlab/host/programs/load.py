"""Loads and attaches a built program inside the attendee's node, with the node's own BPF token. Called by `service`.

Nothing privileged of ours touches the object: it goes in on stdin, and the node's bpftool, ip and tc do the rest with
the rights of the attendee's shell. A refused program leaves the old one attached; a replacement in the same mode is one
atomic exchange in the kernel.
"""

import re
from dataclasses import dataclass
from typing import Literal

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import AttachPoint, ProgramSpec
from netlab.host.nodes.api import Nodes, RunNodes
from netlab.host.programs.broker_worker import EXIT_ATTACH, EXIT_NO_FUNCTION, EXIT_REFUSED
from netlab.wire.events import VERIFIER_LOG_BYTES_MAX

LOAD_LIMIT_S = 20
STDERR_BYTES_MAX = VERIFIER_LOG_BYTES_MAX + 16 * 1024

# $1 name, $2 function, $3 hook, $4 interface, $5 how ip calls the mode, $6 the other mode when a program is there in it,
# $7 the filter's priority
SCRIPT = r"""
set -u
umask 022
dir=/run/netlab obj=/run/netlab/$1.o pins=/sys/fs/bpf/$1 new=/sys/fs/bpf/$1_new
discard() { rm -rf "$new"; exit "$1"; }
mkdir -p "$dir" && cat > "$obj.new" || exit 10
rm -rf "$new"
pinmaps=(pinmaps "$new/maps")
! grep -qaw pinning "$obj.new" || pinmaps=()
bpftool prog loadall "$obj.new" "$new" "${pinmaps[@]}" 2>&1 >/dev/null | tail -c 262144 >&2
[ "${PIPESTATUS[0]}" = 0 ] || discard 20
[ -e "$new/$2" ] || { ls "$new" | grep -v '^maps$' >&2; discard 21; }
case $3 in
xdp)
    [ -z "$6" ] || ip link set dev "$4" "$6" off
    if ! ip -force link set dev "$4" "$5" pinned "$new/$2"; then
        [ -z "$6" ] || ip -force link set dev "$4" "$6" pinned "$pins/$2" 2>/dev/null
        discard 30
    fi ;;
tc-*)
    tc qdisc show dev "$4" | grep -q '^qdisc clsact ' || tc qdisc add dev "$4" clsact || discard 30
    tc filter replace dev "$4" "${3#tc-}" protocol all prio "$7" handle 1 bpf direct-action pinned "$new/$2" || discard 30 ;;
esac
rm -rf "$pins"; mv "$new" "$pins"; mv "$obj.new" "$obj"
"""
"""bash, in the node. The pins stay for the shell: /sys/fs/bpf/<program>/<function>, and its maps below maps/. An object whose
maps say themselves where they are pinned (`__uint(pinning, ...)`) is left to do so: bpftool would not pin them a second time."""

State = Literal["attached", "refused", "no_function", "attach_failed"]
STATES: dict[int, State] = {
    0: "attached", EXIT_REFUSED: "refused", EXIT_NO_FUNCTION: "no_function", EXIT_ATTACH: "attach_failed",
}
IP_MODES = {"native": "xdpdrv", "generic": "xdpgeneric", "offload": "xdpoffload"}


@dataclass(frozen=True)
class Loaded:
    """`state` says how far it came; `stderr` is the tools'."""

    state: State
    stderr: str = ""


async def load(
    nodes: Nodes, run_nodes: RunNodes, program: ProgramSpec, object_bytes: bytes, mode: Literal["native", "generic"],
    present_mode: str,
) -> Loaded:
    """`present_mode`: that of an XDP program which is attached there now, or ''. Raises LOAD_TIMEOUT, START_FAILED."""
    at: AttachPoint = program.attach
    other = IP_MODES[present_mode] if present_mode and present_mode != mode else ""
    where = [at.hook, at.interface, IP_MODES[mode], other, str(at.priority)]
    argv = ["bash", "-c", SCRIPT, "load", program.name, program.function, *where]
    done = await nodes.execute(
        run_nodes, at.node, argv, stdin=object_bytes, timeout_s=LOAD_LIMIT_S, output_limit=STDERR_BYTES_MAX, cwd="/",
    )
    if done.timed_out:
        raise NetlabError(ErrorCode.LOAD_TIMEOUT, limit_s=LOAD_LIMIT_S)
    stderr = done.stderr.decode(errors="replace")
    if done.exit_code in STATES:
        return Loaded(STATES[done.exit_code], stderr)
    return Loaded("attach_failed", stderr or f"The node's shell ended with code {done.exit_code}.")


def attach_reason(stderr: str) -> str:
    """The kernel's sentence in what ip or tc printed."""
    ours = (line.strip(" \t.") for line in stderr.splitlines() if not line.startswith(("libbpf:", "We have an error")))
    said = [re.sub(r"^(Error|RTNETLINK answers|Warning):\s*", "", line) for line in ours if line]
    return said[0] if said and said[0] else "the kernel refused it without saying why"
