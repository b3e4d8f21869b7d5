"""What the engine calls for attendees' programs: build and load, detach, what is attached. Puts the parts together.

    programs = Programs(config, nodes)                      on a host
    programs = Programs(config, nodes, HostCompiler(say))   in a guest, which has its objects from the host
    outcome = await programs.build(run_nodes, program, files, load=True, mode=None)

A user's mistake is an outcome with diagnostics, never an exception; limits that were hit are NetlabErrors.
"""

import asyncio
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from pyroute2 import IPRoute

from netlab.config import Config
from netlab.domain.lab import ProgramSpec
from netlab.host.kernel import bpf
from netlab.host.nodes.api import Nodes, RunNodes
from netlab.host.programs import attachments as attached
from netlab.host.programs.broker import Broker
from netlab.host.programs.compiler import Compiler, SandboxCompiler
from netlab.host.programs.load import Loaded, attach_reason, load
from netlab.host.programs.map_layouts import MapLayouts
from netlab.host.programs.verifier import read_refusal
from netlab.wire.events import Attachment, Diagnostic, VerifierLine

Outcome = Literal["built", "build_failed", "refused", "attach_failed", "attached"]
Mode = Literal["native", "generic"]
_XDP_FLAGS = {"native": 4, "generic": 2, "offload": 8}
"""XDP_FLAGS_* of include/uapi/linux/if_link.h."""


@dataclass(frozen=True)
class ProgramOutcome:
    """The fields of the event ProgramResult that are not the engine's own."""

    program: str
    outcome: Outcome
    summary: str
    diagnostics: list[Diagnostic] = field(default_factory=list)
    log: list[VerifierLine] = field(default_factory=list)
    build_ms: float = 0
    load_ms: float = 0
    instructions: int = 0
    map_layouts: MapLayouts = field(default_factory=dict)
    """Of the object that was attached."""


class Programs:
    def __init__(self, config: Config, nodes: Nodes, compiler: Compiler | None = None) -> None:
        self._nodes = nodes
        self._broker: Broker | None = None
        if compiler is None:
            sandbox = compiler = SandboxCompiler(config)
            self._broker = Broker(config, sandbox.loader_uid)
        self.compiler = compiler

    async def build(
        self, run_nodes: RunNodes, program: ProgramSpec, files: Mapping[str, str], *, load: bool, mode: Mode | None
    ) -> ProgramOutcome:
        """Raises BUILD_TIMEOUT, LOAD_TIMEOUT, FILE_UNKNOWN (the source was deleted)."""
        built = await self.compiler.compile(program, files)
        warnings = sum(d.severity == "warning" for d in built.diagnostics)
        if built.object is None:
            errors = sum(d.severity == "error" for d in built.diagnostics)
            summary = f"{program.source} does not compile: {_count(errors, 'error')}."
            return ProgramOutcome(program.name, "build_failed", summary, built.diagnostics, build_ms=built.build_ms)
        if not load:
            summary = f"{program.source} compiles" + (f", with {_count(warnings, 'warning')}." if warnings else ".")
            return ProgramOutcome(program.name, "built", summary, built.diagnostics, build_ms=built.build_ms)
        loaded = await self._load(run_nodes, program, files, built.object, mode or program.attach.mode)
        return ProgramOutcome(
            program.name, loaded.outcome, loaded.summary, [*built.diagnostics, *loaded.diagnostics], loaded.log,
            built.build_ms, loaded.load_ms, loaded.instructions, loaded.map_layouts,
        )

    async def format(self, path: str, text: str) -> str:
        """Raises BUILD_TIMEOUT, CANNOT_FORMAT."""
        return await self.compiler.format(path, text)

    async def detach(self, run_nodes: RunNodes, node: str, interface: str, hook: str) -> None:
        """Take off whatever is there; nothing when nothing is."""
        there = await attached.attachments_of(self._nodes, run_nodes, node)
        found = [a for a in there if (a.interface, a.hook) == (interface, hook)]
        if not found:
            return
        if hook == "xdp":
            sock = await attached.open_route_socket(self._nodes, run_nodes, node)
            with sock:
                await asyncio.to_thread(_detach_xdp, sock, interface, found)
        else:
            argv = ["tc", "filter", "del", "dev", interface, hook.removeprefix("tc-")]
            await self._nodes.execute(run_nodes, node, argv, cwd="/")
            if any(a.mode == "tcx" for a in found):
                await self._nodes.detach_tcx(run_nodes, node, interface, hook)

    async def attachments(self, run_nodes: RunNodes) -> list[Attachment]:
        return await attached.attachments(self._nodes, run_nodes)

    async def _load(
        self, run_nodes: RunNodes, program: ProgramSpec, files: Mapping[str, str], object_bytes: bytes, mode: Mode
    ) -> ProgramOutcome:
        at = program.attach
        before = attached.present(await attached.attachments_of(self._nodes, run_nodes, at.node), at.node, at.interface, at.hook)
        began = time.perf_counter()
        if self._broker is not None and run_nodes.places[at.node].bpffs is None:
            loaded = await self._broker.load(run_nodes, program, object_bytes, mode, before)
        else:
            loaded = await load(self._nodes, run_nodes, program, object_bytes, mode, before.mode if before else "")
        load_ms = (time.perf_counter() - began) * 1000
        if loaded.state == "refused":
            return await self._refused(program, files[program.source], object_bytes, loaded, load_ms)
        if loaded.state == "no_function":
            return _no_function(program, loaded, load_ms)
        if loaded.state == "attach_failed":
            reason = attach_reason(loaded.stderr)
            summary = f"Loaded, but it could not be attached to {at.node}:{at.interface}: {reason}."
            return ProgramOutcome(program.name, "attach_failed", summary, load_ms=load_ms)
        found = await attached.attachments_of(self._nodes, run_nodes, at.node)
        now = attached.present(found, at.node, at.interface, at.hook, program.function)
        return replace(_attached(program, now, load_ms), map_layouts=await self.compiler.map_layouts(object_bytes))

    async def _refused(
        self, program: ProgramSpec, text: str, object_bytes: bytes, loaded: Loaded, load_ms: float
    ) -> ProgramOutcome:
        table = await self.compiler.line_table(object_bytes)
        refusal = read_refusal(loaded.stderr, table, program.source, text, program.function)
        said = refusal.diagnostic
        summary = f"The verifier refused it on line {said.line}: {said.message}"
        return ProgramOutcome(program.name, "refused", summary, [said], refusal.log, load_ms=load_ms)


def _attached(program: ProgramSpec, now: Attachment | None, load_ms: float) -> ProgramOutcome:
    at = program.attach
    if now is None:  # somebody was quicker, in a shell
        summary = f"It was taken off {at.node}:{at.interface} at once."
        return ProgramOutcome(program.name, "attach_failed", summary, load_ms=load_ms)
    count = _instructions(now.program_id)
    how = f" in {now.mode} mode" if now.mode else ""
    took = f"verified and loaded in {load_ms:.0f} ms"
    summary = f"{program.function} runs on {at.node}:{at.interface}{how}: {_count(count, 'instruction')}, {took}."
    return ProgramOutcome(program.name, "attached", summary, load_ms=load_ms, instructions=count)


def _no_function(program: ProgramSpec, loaded: Loaded, load_ms: float) -> ProgramOutcome:
    said = (line for line in loaded.stderr.splitlines() if not line.startswith("libbpf:"))
    there = ", ".join(said) or "none"
    message = f"There is no program named {program.function}: the file has {there}."
    hint = f'Keep the name {program.function} and its SEC("...") line: this is what is attached.'
    diagnostic = Diagnostic(path=program.source, line=1, severity="error", message=message, hint=hint, source="verifier")
    return ProgramOutcome(program.name, "attach_failed", message, [diagnostic], load_ms=load_ms)


def _instructions(program_id: int) -> int:
    try:
        return bpf.program_info(program_id).instructions
    except FileNotFoundError:
        return 0


def _detach_xdp(sock: socket.socket, interface: str, found: list[Attachment]) -> None:
    with IPRoute(use_socket=sock) as route:
        for index in route.link_lookup(ifname=interface):
            for attachment in found:
                attributes = [("IFLA_XDP_FD", -1), ("IFLA_XDP_FLAGS", _XDP_FLAGS[attachment.mode])]
                route.link("set", index=index, xdp={"attrs": attributes})


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
