"""From the queue to the agent's socket: a real Celery worker, real framing, refusals, an agent that is away."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from netlab.config import Config
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_command_id, new_run_id
from netlab.queue.app import broker_url, celery_settings
from netlab.queue.routing import control_queue, queue_for, work_queue
from netlab.queue.tasks import RETRIES_MAX, nudge, send_nudge
from netlab.wire.commands import BuildProgram, Command, LabFile, StopRun, WriteFile
from netlab.wire.events import CommandFailed
from netlab.wire.redis_names import Keys
from tests import environment
from tests.web.conftest import events_in
from tests.web.fake_agent import FakeAgent, HangUp

WAIT_S = 20


def stop_command() -> StopRun:
    return StopRun(id=new_command_id(), run=new_run_id(), generation=2)


def failures(client: "redis.Redis", config: Config) -> list[CommandFailed]:
    events = events_in(client, Keys(config.instance).host_events(config.host_name))
    return [event for event in events if isinstance(event, CommandFailed)]


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.05)


@pytest.fixture
def agent(config: Config) -> Iterator[FakeAgent]:
    fake = FakeAgent(config.agent_socket)
    yield fake
    fake.close()


@pytest.fixture
def worker(config: Config) -> Iterator["subprocess.Popen[bytes]"]:
    log = (environment.FOLDER / "worker.log").open("w")
    queues = f"{control_queue(config.host_name)},{work_queue(config.host_name)}"
    command = [sys.executable, "-m", "celery", "--quiet", "-A", "netlab.queue.app", "worker", "-Q", queues, "--pool", "solo"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"]
    env = {k: v for k, v in os.environ.items() if k not in ("NETLAB_SECRET_KEY", "DJANGO_SETTINGS_MODULE")}
    process = subprocess.Popen(command, stdout=log, stderr=log, env=env)
    yield process
    process.terminate()
    process.wait(timeout=WAIT_S)
    log.close()


def test_a_worker_hands_commands_over_in_order_and_heals_a_late_agent(
    worker: "subprocess.Popen[bytes]", config: Config, clean_redis: "redis.Redis"
) -> None:
    """It needs neither Django nor the secret key; an agent that comes back later still gets what was sent before."""
    write = WriteFile(id=new_command_id(), run=new_run_id(), generation=1, file=LabFile(path="a.c", content="x", version=3))
    build = BuildProgram(id=new_command_id(), run=write.run, generation=1, program="main")
    send_nudge(config.host_name, [write, build])
    time.sleep(1.5)  # the worker tries and finds nobody
    agent = FakeAgent(config.agent_socket)
    try:
        wait_for(lambda: len(agent.commands) == 2)
        assert agent.commands == [write, build]
        send_nudge(config.host_name, [stop := stop_command()])
        wait_for(lambda: len(agent.commands) == 3)
        assert agent.commands[2] == stop
    finally:
        agent.close()
    assert failures(clean_redis, config) == []


def test_a_refusal_becomes_an_event_for_whoever_waits(config: Config, clean_redis: "redis.Redis") -> None:
    def refuse(command: Command) -> None:
        raise NetlabError(ErrorCode.FILES_FULL, limit_mib=32)

    agent = FakeAgent(config.agent_socket, refuse)
    try:
        write = WriteFile(id=new_command_id(), run=new_run_id(), generation=1, file=LabFile(path="a.c", content="x", version=3))
        build = BuildProgram(id=new_command_id(), run=write.run, generation=1, program="main")
        nudge.apply(args=([write.model_dump_json(), build.model_dump_json()],))
    finally:
        agent.close()
    assert agent.commands == [write], "what follows a refusal is not sent"
    told = failures(clean_redis, config)
    assert [event.command for event in told] == [write.id, build.id]
    assert told[0].error.code is ErrorCode.FILES_FULL
    assert "32 MiB" in told[0].error.hint


def test_an_agent_that_stays_away_is_told_in_the_end(config: Config, clean_redis: "redis.Redis") -> None:
    build = BuildProgram(id=new_command_id(), run=new_run_id(), generation=1, program="main")
    nudge.apply(args=([build.model_dump_json()],), retries=RETRIES_MAX)
    (event,) = failures(clean_redis, config)
    assert (event.command, event.error.code) == (build.id, ErrorCode.HOST_AWAY)


def test_what_the_sweeps_send_again_is_no_failure(config: Config, clean_redis: "redis.Redis") -> None:
    nudge.apply(args=([stop_command().model_dump_json()],), retries=RETRIES_MAX)
    assert failures(clean_redis, config) == []


def test_nonsense_reaches_no_agent(agent: FakeAgent) -> None:
    nudge.apply(args=(['{"kind":"start_run"}', "[]"],))
    assert agent.commands == []


def test_an_agent_that_dies_halfway_counts_as_away(config: Config, clean_redis: "redis.Redis") -> None:
    def die(command: Command) -> None:
        raise HangUp

    agent = FakeAgent(config.agent_socket, die)
    try:
        build = BuildProgram(id=new_command_id(), run=new_run_id(), generation=1, program="main")
        nudge.apply(args=([build.model_dump_json()],), retries=RETRIES_MAX)
    finally:
        agent.close()
    assert [event.error.code for event in failures(clean_redis, config)] == [ErrorCode.HOST_AWAY]


def test_the_urgent_way_is_decided_by_the_last_command() -> None:
    write = WriteFile(id=new_command_id(), run=new_run_id(), generation=1, file=LabFile(path="a.c", content="x", version=3))
    build = BuildProgram(id=new_command_id(), run=write.run, generation=1, program="main")
    assert queue_for("h7", [write]) == "host.h7.control"
    assert queue_for("h7", [write, build]) == "host.h7.work"


def test_celery_takes_json_only_and_makes_no_queues(config: Config) -> None:
    settings = celery_settings(config)
    assert settings["accept_content"] == ["json"]
    assert settings["task_create_missing_queues"] is False
    assert {queue.name for queue in settings["task_queues"]} == {"host.local.control", "host.local.work", "sweeps"}
    assert settings["task_time_limit"] * 2 < settings["broker_transport_options"]["visibility_timeout"]
    assert broker_url("unix:///run/x.sock") == "redis+socket:///run/x.sock"
