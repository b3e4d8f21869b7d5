"""Compiles an attendee's program with clang in the build sandbox. Called by `service`; it never looks into the object."""

import platform
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import ProgramSpec
from netlab.host.kernel.process import ProcessFailed
from netlab.host.programs import build_sandbox
from netlab.host.programs.build_sandbox import EXIT_TIMED_OUT, OBJECT_BYTES_MAX, BuildSandbox
from netlab.host.programs.diagnostics import parse_clang
from netlab.wire.events import Diagnostic

KILLED = 137
"""128 + SIGKILL: the memory limit."""
_ARCHITECTURE = {"x86_64": "x86", "aarch64": "arm64"}

CFLAGS = (
    "-target", "bpf", f"-D__TARGET_ARCH_{_ARCHITECTURE.get(platform.machine(), platform.machine())}", "-g", "-O2", "-Wall",
    "-I/lab", f"-I/usr/include/{platform.machine()}-linux-gnu",
)
"""What an attendee would type; docs/lab-format.md tells it."""
_OUTPUT_FLAGS = ("-fno-caret-diagnostics", "-fno-color-diagnostics", "-fmessage-length=0", "-ferror-limit=50")


@dataclass(frozen=True)
class Built:
    """The object, or None with at least one error among the diagnostics."""

    object: bytes | None
    diagnostics: list[Diagnostic]
    build_ms: float


async def build(sandbox: BuildSandbox, program: ProgramSpec, files: Mapping[str, str]) -> Built:
    """Raises BUILD_TIMEOUT; FILE_UNKNOWN when the attendee has deleted the source."""
    if program.source not in files:
        raise NetlabError(ErrorCode.FILE_UNKNOWN, path=program.source, paths=", ".join(sorted(files)) or "none")
    began = time.perf_counter()
    argv = ["/usr/bin/clang", *CFLAGS, *_OUTPUT_FLAGS, "-c", program.source, "-o", "-"]
    done = await sandbox.run(argv, files)
    took_ms = (time.perf_counter() - began) * 1000
    limit_s = build_sandbox.BUILD_LIMIT_S
    killed_for_time = done.code == KILLED and took_ms >= limit_s * 1000  # it did not go when it was asked to
    if done.timed_out or done.code == EXIT_TIMED_OUT or killed_for_time:
        raise NetlabError(ErrorCode.BUILD_TIMEOUT, limit_s=limit_s)
    diagnostics = parse_clang(done.stderr.decode(errors="replace"), program.source)
    if done.code == 0 and len(done.stdout) <= OBJECT_BYTES_MAX:
        return Built(done.stdout, diagnostics, took_ms)
    if done.code == 0:
        limit = f"The object is larger than {OBJECT_BYTES_MAX // 1024} KiB."
        diagnostics.append(_error(program, limit, "Make arrays maps instead."))
    elif done.code == KILLED:
        memory = "The compiler needed more memory than there is."
        diagnostics.append(_error(program, memory, "Look for a macro that expands without end."))
    elif not any(d.severity == "error" for d in diagnostics):
        if not re.search(rb"error|clang", done.stderr):
            raise ProcessFailed(done)  # the box itself broke
        diagnostics.append(_error(program, done.stderr.decode(errors="replace").strip()[:300], ""))
    return Built(None, diagnostics, took_ms)


def _error(program: ProgramSpec, message: str, hint: str) -> Diagnostic:
    return Diagnostic(path=program.source, line=1, severity="error", message=message, hint=hint)
