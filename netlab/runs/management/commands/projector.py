"""`manage.py projector`: reads the hosts' event streams and writes rows, at least once each, in order, for ever.

Run by supervisord. It stops cleanly on SIGTERM after the event it is at; killed, it begins again with what it had taken.
A second one waits at the lock until the first is gone: events of one run must not overtake each other.
"""

import asyncio
import fcntl
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import OperationalError, close_old_connections, transaction
from pydantic import ValidationError
from redis.exceptions import RedisError

from netlab.domain.ids import new_bug_id
from netlab.runs.projection import do_host_event
from netlab.wire.events import Event, parse_event
from netlab.wire.streams import HostEvent, WebStreams, connect

log = structlog.get_logger("netlab.projector")

CONSUMER = "projector"
DATABASE_THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")
"""Not asgiref's: its sync_to_async can swallow the cancellation by which we are asked to stop."""
GATHER_S = 0.05
"""Events come in bursts: a moment's wait makes one transaction of many. Browsers have heard them already."""
PAUSE_S = 1.0
"""Before the next try when Redis or the database is away."""


class Command(BaseCommand):
    help = "Write what hosts tell into the database (runs until stopped)."

    def handle(self, *args: Any, **options: Any) -> None:
        with take_lock(settings.WEB_DIR / "projector.lock"):
            asyncio.run(run_until_stopped())


def take_lock(path: Path) -> TextIO:
    """Waits until no other projector of this instance runs; the kernel gives the lock back when we die."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


async def run_until_stopped() -> None:
    task = asyncio.create_task(project_for_ever())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task


async def project_for_ever() -> None:
    client = connect(settings.CONFIG.redis_url)
    streams = WebStreams(client, settings.CONFIG.instance)
    log.info("projector_ready", hosts=settings.HOST_NAMES)
    try:
        while True:
            try:
                async for batch in streams.host_events(settings.HOST_NAMES, CONSUMER):
                    await project(batch)
                    await streams.ack(batch)
                    await asyncio.sleep(GATHER_S)
            except RedisError as error:
                log.warning("redis_away", problem=str(error))
                await asyncio.sleep(PAUSE_S)
    finally:
        await client.aclose()


async def project(batch: list[HostEvent]) -> None:
    """Returns when each event is in the rows, or known never to be: not understood, or met by a bug of ours."""
    understood = [(entry.name, event) for entry in batch if (event := _parsed(entry)) is not None]
    while understood:
        try:
            await asyncio.get_running_loop().run_in_executor(DATABASE_THREAD, _project, understood)
            return
        except OperationalError as error:  # the database is locked or away: these events wait, and all after them
            log.warning("database_away", problem=str(error))
            await asyncio.sleep(PAUSE_S)


def _parsed(entry: HostEvent) -> Event | None:
    try:
        return parse_event(entry.data)
    except ValidationError as error:
        log.error("event_not_understood", entry=entry.name, problem=error.errors(include_url=False)[:1])
        return None


def _project(events: list[tuple[str, Event]]) -> None:
    """One transaction for all: SQLite has one writer at a time, and people who press Start wait for it."""
    close_old_connections()
    with transaction.atomic():
        for name, event in events:
            try:
                do_host_event(event, name)
            except OperationalError:
                raise
            except Exception:  # the process's edge: one event that breaks us must not stop all others for ever
                log.exception("event_not_projected", bug=new_bug_id(), entry=name, run=event.run, kind=event.kind)
