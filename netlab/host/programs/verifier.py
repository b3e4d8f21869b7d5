"""The verifier's log -> stretches by source line, and its final refusal as a diagnostic with a way out. Called by `service`.

Pure text work. Instruction numbers become lines through the object's own table, so no BTF in the kernel is needed; the
log's own `; source` lines, which trusted nodes get, are kept as text and not relied on.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from netlab.host.programs.diagnostics import MESSAGE_CHARS_MAX, lab_path
from netlab.host.programs.line_table import LineTable, SourceLine
from netlab.host.programs.refusals import Cause, explain
from netlab.wire.events import VERIFIER_LOG_BYTES_MAX, Diagnostic, VerifierLine

_BEGIN = re.compile(r"prog '(?P<name>[^']*)': -- BEGIN PROG LOAD LOG --")
_END = "-- END PROG LOAD LOG --"
_INSTRUCTION = re.compile(r"^(?P<at>\d+): (?:\((?P<code>[0-9a-f]{2})\)|R\d|frame\d)")
_GLUED = re.compile(r"(?m)^(\d+: \([0-9a-f]{2}\) .*?goto pc[+-]\d+) (?=[a-z])")
"""A reason that the kernel prints behind an instruction, without a new line."""
_SOURCE = re.compile(r"^; .* @ \S+:\d+$")
_FROM = re.compile(r"^from (?P<at>\d+) to (?P<to>\d+)")
_NAMES_INSTRUCTION = re.compile(r"\binsn (?P<at>\d+)")
_STATE = re.compile(
    r"^(?:\s*(?:frame\d+:)?\s*R\d+(?:_[rw]+)?=|caller:|callee:|(?:cur|old) state:|; |func#\d|last_idx|first_idx|regs="
    r"|mark_precise|parent |returning from|to caller|propagating|\s*$)"
)
"""What the log says of registers on its way; a reason begins with a register's name, too, but no = follows."""
_CLOSING = re.compile(
    r"^(?:processed \d+ insns|verification time|stack depth|max_states|peak_states|BPF program is too large\. Processed|-- END)"
)
_NOT_A_REASON = re.compile(r"Warning|If it used to work|Error: failed to|failed to load object|Failed to bump RLIMIT_MEMLOCK")


@dataclass(frozen=True)
class Refusal:
    """Why a program was not loaded, on its line, and the log that led there."""

    diagnostic: Diagnostic
    log: list[VerifierLine]


def read_refusal(stderr: str, table: LineTable, source: str, text: str, function: str) -> Refusal:
    """`stderr` is libbpf's, with the verifier's log in it; `text` that of the source."""
    name, lines = _verifier_log(stderr)
    if not lines:
        return Refusal(_refused_before(stderr, table, source, text, function), [])
    trusted = any(_SOURCE.match(line) for line in lines)  # its own source lines: it has BTF, so nothing of it is missing
    function = name or function
    instructions = list(_instruction_of_each(lines))
    last = next((i for i in range(len(lines) - 1, -1, -1) if _says_why(lines[i])), len(lines) - 1)
    first = _first_of_reason(lines, last)
    message = lines[first].strip()
    named = _NAMES_INSTRUCTION.search(message)
    place = _own_place(table, function, int(named["at"]) if named else instructions[first], source)
    cause = next((c for line in lines[first : last + 1] if (c := explain(line, trusted)).hint), Cause(""))
    diagnostic = Diagnostic(
        path=source, line=place.line if place else _first_line(table, function), column=place.column if place else 0,
        severity="error", message=message[:MESSAGE_CHARS_MAX], hint=cause.hint, source=cause.source,
    )
    return Refusal(diagnostic, list(_folded(lines, instructions, table, function, source)))


def _verifier_log(stderr: str) -> tuple[str, list[str]]:
    """The last log in what libbpf printed: (program, lines). Its beginning may be cut off."""
    lines = _GLUED.sub(r"\1\n", stderr).splitlines()
    ends = [at for at, line in enumerate(lines) if line.strip() == _END]
    if not ends:
        return "", []
    begin, name = 0, ""
    for at in range(ends[-1]):
        if found := _BEGIN.search(lines[at]):
            begin, name = at + 1, found["name"]
    return name, lines[begin : ends[-1]]


def _refused_before(stderr: str, table: LineTable, source: str, text: str, function: str) -> Diagnostic:
    """libbpf or bpf(2) refused without a verifier's log: a map, a section's name, the size."""
    said = [line.removeprefix("libbpf: ").strip() for line in stderr.splitlines() if line.strip()]
    said = [line for line in said if not _NOT_A_REASON.match(line)] or said or ["The kernel refused it without saying why."]
    message = next((line for line in said if explain(line, False).hint), said[0])
    cause = explain(message, False)
    line = _line_of_name(message, text) or _first_line(table, function)
    return Diagnostic(
        path=source, line=line, severity="error", message=message[:MESSAGE_CHARS_MAX], hint=cause.hint, source=cause.source
    )


def _line_of_name(message: str, text: str) -> int:
    """Where the map or section is that the message names; 0 when it names none."""
    if found := re.search(r"map '(?P<name>\w+)'", message):
        wanted = re.compile(rf"\b{found['name']}\s+SEC\(\"\.maps\"\)")
    elif found := re.search(r"(?:section(?: name)?|sec) '(?P<name>[^']+)'", message):
        wanted = re.compile(re.escape(f'SEC("{found["name"]}")'))
    else:
        return 0
    return next((number for number, line in enumerate(text.splitlines(), start=1) if wanted.search(line)), 0)


def _instruction_of_each(lines: list[str]) -> Iterator[int]:
    """The instruction that each line of the log is about: the last one named."""
    current = 0
    for line in lines:
        if found := _INSTRUCTION.match(line):
            current = int(found["at"])
        elif came := _FROM.match(line):
            current = int(came["to"])
        yield current


def _says_why(line: str) -> bool:
    text = line.strip()
    return bool(text) and not (_INSTRUCTION.match(text) or _FROM.match(text) or _STATE.match(line) or _CLOSING.match(text))


def _first_of_reason(lines: list[str], last: int) -> int:
    """A reason may have several lines ('invalid access to packet, ...', 'R1 offset is outside of the packet')."""
    first = last
    while first > 0 and _says_why(lines[first - 1]):
        first -= 1
    return first


def _own_place(table: LineTable, function: str, instruction: int, source: str) -> SourceLine | None:
    """The source line of an instruction; of the nearest earlier one in the attendee's own file when it came from a header."""
    for at in range(instruction, -1, -1):
        place = table.find(function, at)
        if place is None:
            return None
        if lab_path(place.file) == source and place.line:
            return place
    return None


def _first_line(table: LineTable, function: str) -> int:
    records = table.functions.get(function, ())
    return max(records[0][1].line, 1) if records else 1


def _folded(lines: list[str], instructions: list[int], table: LineTable, function: str, source: str) -> Iterator[VerifierLine]:
    """Neighbouring log lines of one source line together; the newest that fit, since the end is what matters."""
    stretches: list[tuple[int, list[str]]] = []
    for line, instruction in zip(lines, instructions, strict=True):
        place = table.find(function, instruction)
        number = place.line if place and lab_path(place.file) == source else 0
        if _CLOSING.match(line.strip()) or (_says_why(line) and not table.functions):
            number = 0
        if stretches and stretches[-1][0] == number:
            stretches[-1][1].append(line)
        else:
            stretches.append((number, [line]))
    folded = [VerifierLine(line=number, text="\n".join(texts)) for number, texts in stretches]
    size, first = 0, len(folded)
    while first and (size := size + len(folded[first - 1].text) + 24) <= VERIFIER_LOG_BYTES_MAX:
        first -= 1
    yield from folded[first:]
