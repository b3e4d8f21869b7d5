"""Which cases there are, read from the files of `inside` without running them: they need a guest.

Used by the test that boots one, and by the one that holds docs/dsa.md against them.
"""

import ast
from pathlib import Path

INSIDE = Path(__file__).parent / "inside"
ORDER = ("tags", "bridge", "vlan", "host", "flower", "ports", "life")


def titles() -> list[str]:
    """As inside/run.py prints them, in its order."""
    found = []
    for part in ORDER:
        tree = ast.parse((INSIDE / f"cases_{part}.py").read_text())
        names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("case_")]
        found += [f"{part}: {name.removeprefix('case_').replace('_', ' ')}" for name in names]
    return found


def files() -> dict[str, bytes]:
    return {f"inside/{path.name}": path.read_bytes() for path in INSIDE.glob("*.py")}
