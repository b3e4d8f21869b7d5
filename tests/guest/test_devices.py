"""Devices, switches, tunnels, impaired links and their probes, in a guest, with the engine of this checkout."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from netlab.domain.yaml_text import read_yaml
from tests.guest.boot import LIMIT_S, Guest, Guests, Report

pytestmark = pytest.mark.kernel
TOP = Path(__file__).parents[2]
INSIDE = Path(__file__).with_name("devices_inside.py")
CHECKS = re.findall(r"^@check\nasync def (\w+)", INSIDE.read_text(), re.MULTILINE)
SCRIPT = """
export PYTHONPATH=/lab:/opt/netlab/python PYTHONDONTWRITEBYTECODE=1
while IFS='|' read -r verdict name said; do
	case $verdict in
		ok | 'not ok') report "$verdict" "$name" "$said" ;;
		*) note "$verdict" ;;
	esac
done < <(python3 -m tests.guest.devices_inside 2>&1)
try_sh 'the kernel complains of nothing' '! dmesg | grep -E -A9 "WARNING|BUG:|Oops"'
"""


def example() -> Any:
    """The topology that docs/lab-format.md shows."""
    text = (TOP / "docs/lab-format.md").read_text()
    found = re.search(r"^```yaml\n(nodes:.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found, "docs/lab-format.md shows no topology"
    document = read_yaml(found[1])
    assert not document.problems
    return document.value


def files() -> dict[str, bytes]:
    modules = [p for part in ("host", "domain", "wire") for p in sorted((TOP / "netlab" / part).rglob("*.py"))]
    modules += [TOP / "netlab" / name for name in ("__init__.py", "config.py", "logs.py")]
    modules += [TOP / "tests" / name for name in ("__init__.py", "guest/__init__.py", "guest/devices_kit.py")]
    found: dict[str, bytes] = {"example.json": json.dumps(example()).encode()}
    return found | {str(path.relative_to(TOP)): path.read_bytes() for path in [*modules, INSIDE]}


GUEST = Guest(SCRIPT, files)


@pytest.fixture(scope="module")
def report(guests: Guests) -> Report:
    return guests.report(GUEST)


@pytest.mark.timeout(LIMIT_S + 60)
@pytest.mark.parametrize("check", [*CHECKS, "the_kernel_complains_of_nothing"])
def test_in_a_guest(report: Report, check: str) -> None:
    name = check.replace("_", " ")
    assert name in report.passed, report.failed.get(name, "").replace(" / ", "\n") or report.explain()
