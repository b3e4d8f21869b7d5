"""The projector as a process: events from Redis to rows, killed and started again; and the sweeper with beat's messages."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from netlab.config import Config
from netlab.domain.lifecycle import RunState
from netlab.queue.app import app, celery_settings
from netlab.queue.routing import SWEEPS_QUEUE
from netlab.runs.actions import do_start_run
from netlab.runs.models import Run
from netlab.wire.commands import StartRun
from netlab.wire.events import RunStateChanged
from netlab.wire.redis_names import PROJECTOR_GROUP, Keys
from netlab.wire.sync_streams import SyncStreams
from netlab.workshops.models import Attendee
from tests import environment
from tests.web.conftest import LAB, FakeHost

WAIT_S = 30


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


@pytest.fixture
def spawn() -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Start one of our processes on the test database."""
    from django.db import connection

    started: list[subprocess.Popen[bytes]] = []
    log = (environment.FOLDER / "processes.log").open("w")
    # The test database is a file beside the real one; a process started from outside is pointed to it by its folder.
    folder = environment.FOLDER / "other"
    (folder / "web").mkdir(parents=True, exist_ok=True)
    link = folder / "web" / "netlab.sqlite3"
    link.unlink(missing_ok=True)
    link.symlink_to(connection.settings_dict["NAME"])  # SQLite follows it before it names its other files
    env = os.environ | {"NETLAB_STATE_DIR": str(folder)}

    def start(*words: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen([sys.executable, *words], env=env, stdout=log, stderr=log)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=WAIT_S)
    log.close()


def state_of(run: Run) -> RunState:
    return RunState(Run.objects.values_list("state", flat=True).get(pk=run.pk))


def test_the_projector_survives_being_killed(
    attendee: Attendee, host: FakeHost, config: Config, spawn: Callable[..., "subprocess.Popen[bytes]"],
    clean_redis: "redis.Redis",
) -> None:
    streams = SyncStreams(config.redis_url, config.instance)
    run = do_start_run(attendee, LAB)
    key = Keys(config.instance).host_events(config.host_name)
    clean_redis.xadd(key, {"e": "this is no event"})
    streams.publish_host_event("local", RunStateChanged(run=run.pk, generation=1, at=1.0, state=RunState.RUNNING))
    first = spawn("manage.py", "projector")
    wait_for(lambda: state_of(run) is RunState.RUNNING)
    wait_for(lambda: clean_redis.xpending(key, PROJECTOR_GROUP)["pending"] == 0)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    streams.publish_host_event("local", RunStateChanged(run=run.pk, generation=1, at=2.0, state=RunState.FAILED))
    taken = clean_redis.xreadgroup(PROJECTOR_GROUP, "projector", {key: ">"})  # as if it had died after taking it
    assert taken
    second = spawn("manage.py", "projector")
    wait_for(lambda: state_of(run) is RunState.FAILED)
    wait_for(lambda: clean_redis.xlen(key) == 0)  # what is in the rows takes no room: an event may hold a whole file
    second.terminate()
    assert second.wait(timeout=WAIT_S) == 0, "it stops cleanly when asked"


def test_the_sweeper_heals_what_beat_reminds_it_of(
    attendee: Attendee, host: FakeHost, config: Config, spawn: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    run = do_start_run(attendee, LAB)
    host.nudges()
    Run.objects.filter(pk=run.pk).update(state_at="2026-01-01T00:00:00Z", nudged_at="2026-01-01T00:00:00Z")
    host.report()
    spawn("-m", "celery", "--quiet", "-A", "netlab.celery", "worker", "-Q", SWEEPS_QUEUE, "--pool", "solo", "--without-mingle")
    for entry in celery_settings(config)["beat_schedule"].values():
        app.send_task(entry["task"], **entry["options"])
    commands: list[object] = []

    def something_was_sent() -> bool:
        commands.extend(host.commands())
        return bool(commands)

    wait_for(something_was_sent)
    assert isinstance(commands[0], StartRun)
