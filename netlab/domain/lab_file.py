"""A lab's folder -> Lab: the spec, starter files, instructions and solutions, or everything that is wrong with it.

Called by the catalogue, `manage.py lab lint` and the lab tester. It reads files below the folder and does nothing else.
`docs/lab-format.md` is the manual of what it reads.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from netlab.domain.lab import DetachAction, LabSpec, LoadAction, RunAction, SolutionAction, SolutionSpec, WriteAction
from netlab.domain.lab_folder import LabFolder
from netlab.domain.lab_markdown import markdown_problems
from netlab.domain.lab_problems import LabProblem, LabProblems, nearest
from netlab.domain.resolve import has_interface, problems
from netlab.domain.yaml_text import Document

START_FILES_MAX = 64

__all__ = ["Lab", "LabProblem", "LabProblems", "Solution", "lab_folders", "load_lab"]


@dataclass(frozen=True)
class Solution:
    """solution/NN: what brings a lab that is at the end of step NN-1 to the end of step NN."""

    number: int
    step: str
    spec: SolutionSpec
    files: dict[str, str] = field(default_factory=dict)
    """What `write` actions put into /lab: path under /lab -> text."""


@dataclass(frozen=True)
class Lab:
    spec: LabSpec
    digest: str
    """Changes with any byte of the folder."""
    files: dict[str, str]
    """start/: path under /lab -> text."""
    texts: dict[str, str]
    """Instructions: step id -> Markdown."""
    solutions: list[Solution]
    """In the order of the steps; a step without checks may have none."""

    def solution(self, step: str) -> Solution | None:
        return next((s for s in self.solutions if s.step == step), None)


def load_lab(folder: Path) -> Lab:
    """Raises LabProblems with all that is wrong, never only the first."""
    reader = LabFolder(folder)
    spec, document = reader.model("lab.yaml", LabSpec)
    if spec is None:
        _check_alone(reader)
        raise LabProblems(reader.problems)
    for problem in problems(spec):
        reader.add_at("lab.yaml", document, problem.loc, problem.what, problem.fix)
    name = folder.resolve().name
    if spec.id != name:
        reader.add_at("lab.yaml", document, ("id",), f"the id {spec.id} is not the folder's name", f"write id: {name}")
    files = _start_files(reader, spec, document)
    texts = _texts(reader, spec, document)
    solutions = _solutions(reader, spec, document)
    known = set(files).union(*(s.files for s in solutions))
    for step in spec.steps:
        reader.problems += markdown_problems(step.text, texts.get(step.id, ""), spec, known)
    if reader.problems:
        raise LabProblems(reader.problems)
    return Lab(spec, reader.digest(), files, texts, solutions)


def lab_folders(labs_dir: Path) -> list[Path]:
    """The folders of a labs directory that hold a lab, by name."""
    return sorted(p.parent for p in labs_dir.glob("*/lab.yaml") if not p.parent.name.startswith(("_", ".")))


def _check_alone(reader: LabFolder) -> None:
    """What can be said of the other files when lab.yaml cannot be used."""
    reader.editable_texts("start")
    for name in reader.names("steps"):
        reader.text(f"steps/{name}")
    for name in reader.names("solution"):
        if name.endswith("/solution.yaml"):
            reader.model(f"solution/{name}", SolutionSpec)


def _start_files(reader: LabFolder, spec: LabSpec, document: Document) -> dict[str, str]:
    files = reader.editable_texts("start")
    if len(files) > START_FILES_MAX:
        reader.add("start", f"holds {len(files)} files, {START_FILES_MAX} are allowed")
    for at, program in enumerate(spec.programs):
        if program.source not in files:
            fix = nearest(program.source, list(files))
            reader.add_at("lab.yaml", document, ("programs", at, "source"), f"there is no start/{program.source}", fix)
        elif not re.search(rf"\b{re.escape(program.function)}\s*\(", files[program.source]):
            what = f"start/{program.source} has no function {program.function}"
            reader.add_at("lab.yaml", document, ("programs", at, "function"), what, "what is loaded must be there from the start")
    return files


def _texts(reader: LabFolder, spec: LabSpec, document: Document) -> dict[str, str]:
    texts = {}
    for at, step in enumerate(spec.steps):
        if not (reader.path / step.text).exists():
            known = [f"steps/{n}" for n in reader.names("steps")]
            reader.add_at("lab.yaml", document, ("steps", at, "text"), f"there is no {step.text}", nearest(step.text, known))
            continue
        text = reader.text(step.text)
        if text is not None and not text.strip():
            reader.add(step.text, "is empty", "tell the attendee what to do")
        if text is not None:
            texts[step.id] = text
    for name in reader.names("steps"):
        if f"steps/{name}" not in {s.text for s in spec.steps}:
            reader.add(f"steps/{name}", "is not the text of any step", "name it in lab.yaml, or delete it")
    return texts


def _solutions(reader: LabFolder, spec: LabSpec, document: Document) -> list[Solution]:
    """solution/01 is the first step's, and so on."""
    root = reader.path / "solution"
    numbers = {}
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if not re.fullmatch(r"[0-9]{2}", folder.name) or not 1 <= int(folder.name) <= len(spec.steps):
            fix = f"01 to {len(spec.steps):02d} are the numbers of the steps"
            reader.add(f"solution/{folder.name}", "is not the solution of any step", fix)
        else:
            numbers[int(folder.name)] = folder.name
    solutions = []
    for at, step in enumerate(spec.steps):
        number = at + 1
        if number in numbers:
            solution = _solution(reader, spec, number, step.id)
            solutions += [solution] if solution else []
        elif step.checks:
            fix = f"add solution/{number:02d}/solution.yaml"
            reader.add_at("lab.yaml", document, ("steps", at), f"step {step.id} has checks but no solution", fix)
    return solutions


def _solution(reader: LabFolder, spec: LabSpec, number: int, step: str) -> Solution | None:
    below = f"solution/{number:02d}"
    name = f"{below}/solution.yaml"
    solution, document = reader.model(name, SolutionSpec)
    files = reader.editable_texts(below, exclude="solution.yaml")
    if solution is None:
        return None
    for at, action in enumerate(solution.actions):
        for key, what, fix in _action_problems(spec, action, files):
            reader.add_at(name, document, ("actions", at, key), what, fix)
    written = {a.file for a in solution.actions if isinstance(a, WriteAction)}
    for extra in sorted(set(files) - written):
        reader.add(f"{below}/{extra}", "is written by no action", f"add - {{do: write, file: {extra}}}")
    return Solution(number, step, solution, files)


def _action_problems(spec: LabSpec, action: SolutionAction, files: dict[str, str]) -> list[tuple[str, str, str]]:
    """(key, what, fix) of all that an action refers to and that is not there."""
    nodes, programs = [n.name for n in spec.nodes], [p.name for p in spec.programs]
    match action:
        case WriteAction() if action.file not in files:
            return [("file", f"there is no {action.file} beside it", nearest(action.file, list(files)))]
        case LoadAction() if spec.program(action.program) is None:
            return [("program", f"there is no program named {action.program}", nearest(action.program, programs))]
        case RunAction() | DetachAction() if spec.node(action.node) is None:
            return [("node", f"there is no node named {action.node}", nearest(action.node, nodes))]
        case DetachAction() if not has_interface(spec, action.node, action.interface):
            return [("interface", f"there is no interface {action.node}:{action.interface}", "")]
    return []
