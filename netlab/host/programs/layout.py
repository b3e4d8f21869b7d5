"""Lays out an attendee's C as the kernel does, with clang-format in the build sandbox. Asked by `compiler`; `answer` is what
engine and VMs hand up.

The text is as little to be trusted as one that is compiled, so it meets the program in the same box. Nothing is written.
"""

import json
from typing import Protocol

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.host.programs import build_sandbox
from netlab.host.programs.build_sandbox import EXIT_TIMED_OUT, BuildSandbox
from netlab.wire.commands import FILE_BYTES_MAX
from netlab.wire.replies import FormatReply

STYLE = {
    "Language": "Cpp", "BasedOnStyle": "LLVM", "ColumnLimit": 100,
    "IndentWidth": 8, "TabWidth": 8, "ContinuationIndentWidth": 8, "UseTab": "Always",
    "BreakBeforeBraces": "Linux", "IndentCaseLabels": False, "PointerAlignment": "Right", "SpaceAfterCStyleCast": False,
    "AllowShortFunctionsOnASingleLine": "None", "AllowShortIfStatementsOnASingleLine": "Never",
    "AllowShortLoopsOnASingleLine": False, "AllowShortBlocksOnASingleLine": "Never",
    "AlignConsecutiveMacros": "Consecutive", "AlignEscapedNewlines": "Left", "SortIncludes": "Never",
    "ReflowComments": False, "KeepEmptyLinesAtTheStartOfBlocks": False,
    "ForEachMacros": ["bpf_for", "bpf_for_each", "bpf_repeat"],
}
"""What Documentation/process/coding-style.rst asks for, as the kernel's own .clang-format says it; a hundred columns, which
checkpatch allows. Includes keep their order: in BPF programs it matters."""


async def answer(compiler: "Formatter", path: str, text: str) -> bytes:
    """The blob for whoever waits for it: a text or a reason, at once in both cases."""
    try:
        return FormatReply(content=await compiler.format(path, text)).model_dump_json().encode()
    except NetlabError as error:
        return FormatReply(error=error.body()).model_dump_json().encode()


class Formatter(Protocol):
    """netlab.host.programs.compiler.Compiler, as far as it is asked here."""

    async def format(self, path: str, text: str) -> str: ...


async def format_source(sandbox: BuildSandbox, path: str, text: str) -> str:
    """Raises BUILD_TIMEOUT; CANNOT_FORMAT for a text that comes out too large or that clang-format refuses."""
    done = await sandbox.run(["/usr/bin/clang-format", f"--style={json.dumps(STYLE)}", path], {path: text})
    if done.timed_out or done.code == EXIT_TIMED_OUT:
        raise NetlabError(ErrorCode.BUILD_TIMEOUT, limit_s=build_sandbox.BUILD_LIMIT_S)
    if done.code != 0 or len(done.stdout) > FILE_BYTES_MAX:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0] or "its layout would be too large"
        raise NetlabError(ErrorCode.CANNOT_FORMAT, path=path, why=said[:200])
    return done.stdout.decode()
