"""`host.nudge`: the one task of a host's queues. Validates commands again and hands them to the agent's socket.

Runs in workers that are neither root nor know the database. A refusal, or an agent that stays away, becomes a
CommandFailed event; it is the projector and the sweeps that keep rows true.
"""

import time
from functools import lru_cache
from typing import Any

import structlog
from celery import Task

from netlab.config import load_config
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.queue.agent_client import AgentAway, CommandRefused, send_commands
from netlab.queue.app import app
from netlab.queue.routing import NUDGE_TASK, queue_for
from netlab.wire.commands import Command, parse_command
from netlab.wire.events import CommandFailed
from netlab.wire.sync_streams import SyncStreams

log = structlog.get_logger("netlab.queue")

RETRIES_MAX = 6
RETRY_FIRST_S = 0.5
RETRY_LONGEST_S = 8.0
HEALED_KINDS = frozenset({"start_run", "stop_run", "reset_run", "pause_run", "resume_run"})
"""What the sweeps send again by themselves until the host has caught up: silence is no failure."""
PUBLISH_POLICY = {"max_retries": 2, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.4}


def send_nudge(host: str, commands: list[Command]) -> None:
    """Put commands into the host's queue, to be carried out in this order. Raises kombu's OperationalError when Redis is away."""
    app.send_task(
        NUDGE_TASK,
        args=[[command.model_dump_json() for command in commands]],
        queue=queue_for(host, commands),
        retry=True,
        retry_policy=PUBLISH_POLICY,
        ignore_result=True,
        argsrepr="",  # neither logs nor task headers repeat what attendees have written
    )


@app.task(name=NUDGE_TASK, bind=True, max_retries=RETRIES_MAX)
def nudge(self: "Task[Any, Any]", commands_json: list[str] | str) -> None:
    """Hand over the commands, in order, up to the first that is refused."""
    texts = [commands_json] if isinstance(commands_json, str) else commands_json
    try:
        commands = [parse_command(text) for text in texts]
    except NetlabError as error:  # only a web process of another version, or somebody else, writes such a message
        log.error("nudge_not_understood", problem=error.message)
        return
    try:
        send_commands(load_config().agent_socket, commands)
    except CommandRefused as refusal:
        log.info("command_refused", run=refusal.command.run, kind=refusal.command.kind, code=refusal.error.code.value)
        _tell_failed(refusal.command, refusal.error)
        if refusal.command is not commands[-1]:  # whoever waits for the last one must hear why it does not come
            _tell_failed(commands[-1], refusal.error)
    except AgentAway as away:
        if self.request.retries < RETRIES_MAX:
            raise self.retry(countdown=min(RETRY_FIRST_S * 2**self.request.retries, RETRY_LONGEST_S), exc=away) from away
        log.warning("agent_away", problem=str(away), kind=commands[-1].kind, run=commands[-1].run)
        if commands[-1].kind not in HEALED_KINDS:
            _tell_failed(commands[-1], NetlabError(ErrorCode.HOST_AWAY))


def _tell_failed(command: Command, error: NetlabError) -> None:
    event = CommandFailed(run=command.run, generation=command.generation, at=time.time(), command=command.id, error=error.body())
    streams().publish_host_event(load_config().host_name, event)


@lru_cache
def streams() -> SyncStreams:
    config = load_config()
    return SyncStreams(config.redis_url, config.instance)
