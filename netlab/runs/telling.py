"""How this app speaks: events to browsers and nudges to hosts, always after the commit that makes them true.

Used by this app's actions. It decides nothing. Redis being away is logged and survived: rows are the truth about what
is wanted, and the sweeps send again whatever a host has not heard.
"""

import time
from functools import lru_cache, partial
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from netlab.domain.ids import new_command_id
from netlab.queue.tasks import send_nudge
from netlab.runs.models import Run
from netlab.wire.commands import Command
from netlab.wire.events import Event
from netlab.wire.host_report import HostReport
from netlab.wire.sync_streams import SyncStreams
from netlab.wire.web_report import WebReport

log = structlog.get_logger("netlab.runs")


@lru_cache
def streams() -> SyncStreams:
    return SyncStreams(settings.CONFIG.redis_url, settings.CONFIG.instance)


def about(run: Run) -> dict[str, Any]:
    """The fields that every event about a run has."""
    return {"run": run.pk, "generation": run.generation, "at": time.time()}


def wish(run: Run) -> dict[str, Any]:
    """The fields that every command about a run has, with an id of its own."""
    return {"id": new_command_id(), "run": run.pk, "generation": run.generation}


def tell_browsers(event: Event) -> None:
    transaction.on_commit(partial(_publish, event))


def nudge(host: str, *commands: Command) -> None:
    transaction.on_commit(partial(_send, host, list(commands)))


def host_report(host: str) -> HostReport | None:
    """None: the host has been silent, or Redis is away."""
    try:
        return streams().host_report(host)
    except RedisError as error:
        log.warning("redis_away", problem=str(error))
        return None


def web_reports() -> list[WebReport]:
    """Of the web processes that serve a socket; none while Redis is away."""
    try:
        return streams().web_reports()
    except RedisError as error:
        log.warning("redis_away", problem=str(error))
        return []


def queue_lengths(names: list[str]) -> dict[str, int]:
    """How many messages wait in each of Celery's queues; empty while Redis is away."""
    try:
        return streams().queue_lengths(names)
    except RedisError as error:
        log.warning("redis_away", problem=str(error))
        return {}


def watched(runs: list[str]) -> set[str]:
    try:
        return streams().watched(runs)
    except RedisError as error:
        log.warning("redis_away", problem=str(error))
        return set(runs)  # nobody loses a lab to an outage of Redis


def _publish(event: Event) -> None:
    try:
        streams().publish_event(event)
    except RedisError as error:
        log.warning("event_not_published", run=event.run, kind=event.kind, problem=str(error))


def _send(host: str, commands: list[Command]) -> None:
    try:
        send_nudge(host, commands)
    except (OperationalError, RedisError) as error:
        log.warning("nudge_not_sent", host=host, kind=commands[-1].kind, run=commands[-1].run, problem=str(error))
