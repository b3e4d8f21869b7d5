"""House rules that a linter has no rule for: length, docstrings, no shells, broad excepts only where a process ends."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
LINES_MAX = 400
MODULES = sorted(
    path.relative_to(TOP)
    for folder in ("netlab", "tests", "bench")
    for path in (TOP / folder).rglob("*.py")
    if "migrations" not in path.parts and "__pycache__" not in path.parts
)
BROAD = {"Exception", "BaseException", "BaseExceptionGroup", "ExceptionGroup"}
EDGES: dict[str, int] = {
    # a bug ends one command, one run's change or one background task, with its id in the log
    "netlab/host/agent/control_socket.py": 1,
    "netlab/host/guest/agent.py": 1,
    "netlab/host/counters/client.py": 1,
    "netlab/host/engine/accepting.py": 1,
    "netlab/host/engine/actor.py": 1,
    "netlab/host/engine/attention.py": 2,
    "netlab/host/engine/captures.py": 1,
    "netlab/host/engine/checks.py": 1,
    "netlab/host/engine/lifecycle.py": 4,
    "netlab/host/engine/maps.py": 1,
    "netlab/host/engine/programs.py": 1,
    "netlab/host/engine/traces.py": 1,
    "netlab/host/vm_runs/builds.py": 1,
    "netlab/host/vm_runs/guest_watch.py": 1,
    "netlab/host/vm_runs/lifecycle.py": 5,
    "netlab/live/socket.py": 1,
    "netlab/pages/page.py": 1,
    "netlab/runs/management/commands/projector.py": 1,
    # the last frame of a forked child: whatever it is goes to the parent, which raises it
    "netlab/host/nsworker/confined.py": 1,
    "netlab/host/nsworker/namespaces.py": 1,
    "netlab/host/nsworker/server.py": 1,
    "netlab/host/nsworker/spawn.py": 1,
    "netlab/host/probe/trial.py": 2,
    # bcc raises nothing narrower; what it says is told to whoever looks
    "netlab/host/tracing/bcc_process.py": 2,
    # cleaning up: one thing that will not go must not keep the others
    "netlab/host/agent/upkeep.py": 2,
    "netlab/host/runtimes/namespaces.py": 1,
    "netlab/host/runtimes/vm.py": 1,
    "netlab/host/steps.py": 1,
}
"""Module -> how many broad excepts it may have that do not raise again. Each is the edge of a process, a task or a socket:
beyond it a bug ends one thing and is logged, instead of ending everybody's."""


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_module_is_short_and_says_what_it_is(path: Path) -> None:
    text = (TOP / path).read_text()
    assert text.count("\n") <= LINES_MAX, f"{path} has more than {LINES_MAX} lines: split it by what it is about"
    has_docstring = ast.get_docstring(ast.parse(text)) is not None
    assert has_docstring or not text, f"{path} has no docstring: what is it, who calls it, what does it never do?"


def test_nothing_goes_through_a_shell() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path, tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (
            any(word.arg == "shell" and ast.unparse(word.value) != "False" for word in node.keywords)
            or ast.unparse(node.func) in ("os.system", "os.popen", "asyncio.create_subprocess_shell", "subprocess.getoutput")
        )
    ]
    assert not found


def test_broad_excepts_are_at_the_edges_alone() -> None:
    """One that raises again is a clean-up and may stand anywhere."""
    found = Counter(
        str(path)
        for path, tree in _trees("netlab")
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and _is_broad(node) and not _raises_again(node)
    )
    assert found == Counter(EDGES), "a broad except hides bugs; list a new edge here, or name what is caught"


def _is_broad(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    names = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(name, ast.Name) and name.id in BROAD for name in names)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(node, ast.Raise) for statement in handler.body for node in ast.walk(statement))


def _trees(folder: str = "") -> Iterator[tuple[Path, ast.Module]]:
    for path in MODULES:
        if str(path).startswith(folder):
            yield path, ast.parse((TOP / path).read_text())


def test_nothing_waits_in_a_way_that_can_lose_a_cancellation() -> None:
    """Before Python 3.12 `asyncio.wait_for` swallows one that comes together with what it waits for, and its task goes on for
    ever. `asyncio.timeout` does not."""
    found = [
        f"{path}:{node.lineno}"
        for path, tree in _trees()
        for node in ast.walk(tree)
        if path.parts[0] == "netlab" and isinstance(node, ast.Attribute) and ast.unparse(node) == "asyncio.wait_for"
    ]
    assert not found
