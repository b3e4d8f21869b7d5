"""For all tests: what they leave behind fails the session (in `make test`; a part that is run by hand is not held to it)."""

import os

import pytest
from _pytest.reports import TestReport
from _pytest.terminal import TerminalReporter

from tests import leftovers

BEFORE = pytest.StashKey[leftovers.Look]()


def pytest_sessionstart(session: pytest.Session) -> None:
    if os.environ.get("NETLAB_CHECK_LEFTOVERS") != "1":
        return
    leftovers.mark_session()
    session.stash[BEFORE] = leftovers.look()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """After the last fixture has gone. An error of its own in the closing line, since no single test is to blame."""
    before = session.stash.get(BEFORE, None)
    found = leftovers.left_behind(before) if before else []
    if not found:
        return
    session.exitstatus = pytest.ExitCode.TESTS_FAILED
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if isinstance(reporter, TerminalReporter):
        text = "The tests have left behind:\n  " + "\n  ".join(found)
        where = ("tests/leftovers.py", 0, "left behind")
        report = TestReport("tests/leftovers.py::left_behind", where, {}, "failed", text, "teardown")
        reporter.stats.setdefault("error", []).append(report)
