"""For all tests: a configuration of their own, a real Redis, and nothing left behind.

What is left behind fails the session in `make test`; a part that is run by hand is not held to it.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis
from _pytest.reports import TestReport
from _pytest.terminal import TerminalReporter

from netlab.config import Config, load_config
from tests import environment, leftovers
from tests.guest.boot import Guest, Guests

environment.set_environment()  # before pytest-django reads the settings: pyproject.toml names none, so it waits for us

HERE = Path(__file__).parent
NEIGHBOURLY = frozenset({"house", "pages", "unit", "web"})
"""Folders whose tests look at no other process's timing."""
REDIS_START_S = 10
BEFORE = pytest.StashKey[leftovers.Look]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """First tests that mind no neighbour, while the guests run; then what these said, and all others when they have gone.
    Browser tests come last: Playwright's synchronous interface keeps an event loop running, in which no other can run."""
    if item.get_closest_marker("browser"):
        return 3
    if _guest_of(item):
        return 1
    return 0 if item.path.relative_to(HERE).parts[0] in NEIGHBOURLY and not item.get_closest_marker("kernel") else 2


def _guest_of(item: pytest.Item) -> Guest | None:
    guest = getattr(getattr(item, "module", None), "GUEST", None)
    return guest if isinstance(guest, Guest) else None


@pytest.fixture(scope="session", autouse=True)
def guests(request: pytest.FixtureRequest) -> Iterator[Guests]:
    """Booted with the session's first test, where tests of theirs were chosen."""
    wanted = dict.fromkeys(filter(None, map(_guest_of, request.session.items)))
    with closing(Guests(wanted)) as guests:
        yield guests


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


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """A Redis of the tests' own, on a unix socket, as `make up` configures one; its URL."""
    log = (environment.FOLDER / "redis.log").open("w")
    command = [
        "redis-server", "--port", "0", "--unixsocket", str(environment.REDIS_SOCKET), "--save", "", "--appendonly", "no",
        "--maxmemory-policy", "noeviction", "--dir", str(environment.FOLDER), "--daemonize", "no",
    ]
    server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_for_redis(server)
        yield load_config().redis_url
    finally:
        server.terminate()
        server.wait(timeout=REDIS_START_S)
        log.close()


def _wait_for_redis(server: "subprocess.Popen[bytes]") -> None:
    client = redis.Redis.from_url(load_config().redis_url)
    deadline = time.monotonic() + REDIS_START_S
    while True:
        try:
            client.ping()
            client.close()
            return
        except redis.exceptions.ConnectionError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((environment.FOLDER / "redis.log").read_text()) from error
            time.sleep(0.02)


@pytest.fixture(scope="session")
def config(redis_server: str) -> Config:
    """The configuration that Django, Celery and streams use in this process; its Redis runs."""
    return load_config()


@pytest.fixture
def clean_redis(redis_server: str) -> Iterator["redis.Redis"]:
    """The tests' Redis, empty before and after."""
    client = redis.Redis.from_url(redis_server)
    client.flushall()
    yield client
    client.flushall()
    client.close()
