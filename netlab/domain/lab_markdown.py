"""What instructions may refer to: code blocks with a target and links to interfaces, checked against the lab.

Used by `lab_file`. It finds the references with the same rules by which pages make buttons of them; it renders nothing.
"""

import re
from collections.abc import Iterator, Set

from netlab.domain.lab import LabSpec
from netlab.domain.lab_problems import LabProblem, nearest
from netlab.domain.resolve import has_interface

FENCE = re.compile(r"^(?P<mark>`{3,}|~{3,})\s*(?P<info>[^`\n]*)$")
TARGET = re.compile(r"(?P<key>[a-z]+)=(?P<value>\S+)")
INTERFACE = re.compile(r"(?<!`)`(?P<node>[a-z][a-z0-9-]*):(?P<interface>[a-z][a-z0-9._-]*)`(?!`)")
CONTAINER = re.compile(r"^:{3,}\s*(?P<kind>[a-z]*)")
CONTAINERS = ("hint", "note", "task")


def markdown_problems(file: str, text: str, spec: LabSpec, files: Set[str]) -> Iterator[LabProblem]:
    """References to files, nodes and interfaces that are not there, unknown containers, what is never closed."""
    fence: tuple[str, int] | None = None
    container = 0
    for number, line in enumerate(text.splitlines(), start=1):
        found = FENCE.match(line.strip())
        if fence is not None:
            if line.strip().startswith(fence[0]) and not line.strip().strip("`~"):
                fence = None
            continue
        if found:
            fence = (found["mark"], number)
            for what, fix in _target_problems(found["info"], spec, files):
                yield LabProblem(file, number, 1, what, fix)
        elif block := CONTAINER.match(line):
            if block["kind"] and block["kind"] not in CONTAINERS:
                yield LabProblem(file, number, 1, f"::: {block['kind']} is not known", nearest(block["kind"], CONTAINERS))
            container = number if block["kind"] else 0
        else:
            yield from _interface_problems(file, number, line, spec)
    if fence is not None:
        yield LabProblem(file, fence[1], 1, "this code block is never closed", f"end it with a line {fence[0]}")
    if container:
        yield LabProblem(file, container, 1, "this block is never closed", "end it with a line :::")


def _target_problems(info: str, spec: LabSpec, files: Set[str]) -> Iterator[tuple[str, str]]:
    for target in TARGET.finditer(info):
        key, value = target["key"], target["value"]
        if key == "file" and value not in files:
            yield f"there is no file {value} under start/ or solution/", nearest(value, sorted(files))
        elif key == "node" and spec.node(value) is None:
            yield f"there is no node named {value}", nearest(value, [n.name for n in spec.nodes])
        elif key not in ("file", "node"):
            yield f"{key}= means nothing here", "a code block's target is file= or node="


def _interface_problems(file: str, number: int, line: str, spec: LabSpec) -> Iterator[LabProblem]:
    """`client:eth0` is a link to the interface when client is a node; any other word with a colon is just code."""
    for found in INTERFACE.finditer(line):
        if spec.node(found["node"]) is not None and not has_interface(spec, found["node"], found["interface"]):
            yield LabProblem(file, number, found.start() + 1, f"there is no interface {found['node']}:{found['interface']}")
