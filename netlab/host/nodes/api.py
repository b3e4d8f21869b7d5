"""The contract between the engine and what makes nodes: plain ones (namespaces) and sandboxed ones (containers).

Implemented by `plain` and `sandboxed`; called by `netlab.host.engine`, the benches and the lab tester. Everything here
is found again after the agent was killed: the truth is in the kernel and under `run_dir`, never in memory.
"""

import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from netlab.domain.lab import Isolation
from netlab.domain.resolve import ResolvedLab
from netlab.host.kernel.netem import Netem
from netlab.host.steps import Steps
from netlab.wire.host_report import Leftover


@dataclass(frozen=True)
class NodePlace:
    """Where a node is in this kernel. `init_pid` is 0 for a plain node, which has no process of its own."""

    node: str
    netns: Path
    userns: Path | None
    init_pid: int
    uid_base: int
    """Host uid of the node's root; 0 for a plain node."""
    bpffs: Path | None
    """The node's BPF file system as the host sees it, None when the node gets no BPF."""


@dataclass(frozen=True)
class ExecResult:
    """What a command in a node did. `exit_code` is -1 when it was stopped for time; output is cut at the limit."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    timed_out: bool = False
    truncated: bool = False


@dataclass(frozen=True)
class NewTerminal:
    """A shell that waits for input: the master's descriptor (the caller owns it) and the shell's pid on the host."""

    master: int
    pid: int


@dataclass
class RunNodes:
    """A run's nodes as they are. `lab_dir` is /lab of every node as the host sees it."""

    run: str
    lab: ResolvedLab
    lab_dir: Path
    places: dict[str, NodePlace] = field(default_factory=dict)


class Nodes(Protocol):
    """Every method may be cancelled and leaves no half: what it began it undoes, or finishes on the next `remove`."""

    async def create(self, run: str, lab: ResolvedLab, isolation: Isolation, steps: Steps) -> RunNodes:
        """Namespaces, links, addresses, routes, sysctls, containers. Undo actions go onto `steps`."""

    async def adopt(self, run: str, lab: ResolvedLab) -> RunNodes | None:
        """The same for a run that is there already (after a restart of the agent); None when it is not whole."""

    async def remove(self, run: str) -> None:
        """Everything of the run, found by its marks. Idempotent; returns when nothing of it can be seen any more."""

    async def reset_node(self, nodes: RunNodes, node: str, steps: Steps) -> None:
        """A new namespace and container in the old one's place, its links joined again to their other ends."""

    async def set_link(self, nodes: RunNodes, node: str, interface: str, up: bool) -> None:
        """Set one end of a link up or down (the storm guard's tool)."""

    async def impair(self, nodes: RunNodes, node: str, interface: str, wanted: Netem) -> None:
        """What one end of a link does to what it sends, from now on. Raises CANNOT_IMPAIR; then nothing has changed."""

    async def fresh_keys(self, nodes: RunNodes) -> None:
        """New key pairs for the lab's tunnels, every peer told: for a run that was made from another's copy."""

    async def execute(
        self, nodes: RunNodes, node: str, argv: list[str], *, stdin: bytes = b"", timeout_s: float = 10,
        output_limit: int = 64 * 1024, cwd: str = "/lab", background: bool = False,
    ) -> ExecResult:
        """Run a command as the node's root, with its limits. `background`: started, not waited for."""

    async def open_terminal(self, nodes: RunNodes, node: str, rows: int, cols: int, argv: list[str] | None = None) -> NewTerminal:
        """A login shell (or `argv`) on a pty of the node's own devpts. Raises TERMINAL_FAILED, NODE_UNKNOWN."""

    async def open_socket(self, nodes: RunNodes, node: str, family: int, type: int, protocol: int = 0) -> socket.socket:
        """A socket made inside the node's network namespace. It pins the namespace: close it soon."""

    async def tcx(self, nodes: RunNodes, node: str) -> list[tuple[str, str, int]]:
        """(interface, tc-ingress or tc-egress, program id) of what is attached by tcx, in the kernel's order."""

    async def detach_tcx(self, nodes: RunNodes, node: str, interface: str, hook: str) -> None:
        """Take off all that is attached there by tcx. Raises OSError (ENODEV)."""

    async def owned_runs(self) -> set[str]:
        """Runs of this instance of which anything at all exists, by their marks."""

    async def leftovers(self, known: set[str]) -> list[Leftover]:
        """What carries this instance's mark and belongs to none of the known runs."""
