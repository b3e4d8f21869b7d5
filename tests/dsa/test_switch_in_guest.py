"""One guest is booted and the software switch is put through all cases of `inside` in it, one test a case."""

import pytest

from tests.dsa.cases import files, titles
from tests.guest.boot import LIMIT_S, Guest, Guests, Report

pytestmark = pytest.mark.kernel
SCRIPT = """
python3 -m inside.run 2>/dev/console | tee /run/tap >&3
number=$(grep -c -E '^(ok|not ok) ' /run/tap)
"""
GUEST = Guest(SCRIPT, files)


@pytest.fixture(scope="module")
def report(guests: Guests) -> Report:
    return guests.report(GUEST)


@pytest.mark.timeout(LIMIT_S + 60)
@pytest.mark.parametrize("title", titles())
def test_case(report: Report, title: str) -> None:
    assert title in report.passed, report.failed.get(title) or report.explain()
