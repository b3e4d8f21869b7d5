"""What is done only while somebody looks at a run: rounds of its checks, looks for attached programs."""

import asyncio
import logging
from contextlib import suppress

from netlab.host.engine import checks, programs
from netlab.host.engine.live_run import LiveRun

log = logging.getLogger(__name__)


def refresh(live: LiveRun) -> None:
    """Begin or end to look, as the run's state and its watchers want it."""
    if live.wants_attention and live.attention is None:
        live.attention = asyncio.create_task(_attend(live), name=f"attention {live.run}")
    elif not live.wants_attention and live.attention is not None:
        live.attention.cancel()
        live.attention = None


async def pause(live: LiveRun) -> None:
    """Nobody looks when this returns: the nodes are about to change. `refresh` begins again."""
    live.nodes_steady = False
    task, live.attention = live.attention, None
    if task is not None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task})


async def _attend(live: LiveRun) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(checks.watch(live))
            group.create_task(programs.watch(live))
    except Exception:  # the edge of a background task: the run goes on, the next refresh looks again
        log.exception("attention for run %s", live.run)
        live.attention = None
