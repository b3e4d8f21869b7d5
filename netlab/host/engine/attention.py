"""What is done only while somebody looks at a run: rounds of its checks, attached programs, maps, switches' wires,
and packets that its attendee captures or traces."""

import asyncio
import logging
from contextlib import suppress
from itertools import count

from netlab.domain.devices import SwitchSpec
from netlab.host.engine import captures, checks, maps, programs, traces
from netlab.host.engine.live_run import LiveRun
from netlab.host.switches.watch import watch as watch_wire
from netlab.wire.events import TaggedFrame, TaggedFrames

log = logging.getLogger(__name__)

LISTEN_AGAIN_S = 5.0
TELL_EVERY_S = 1.0
NOBODY_LOOKED = "nobody looked at the lab"


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
    await captures.end_all(live, "its node was taken down")
    await traces.end(live, "a node was taken down")
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
            group.create_task(maps.watch(live))
            group.create_task(_tell_packets(live))
            for switch in live.lab.switches:
                group.create_task(_watch_switch(live, switch))
    except Exception:  # the edge of a background task: the run goes on, the next refresh looks again
        log.exception("attention for run %s", live.run)
        live.attention = None


async def _tell_packets(live: LiveRun) -> None:
    """Without end: once a second what is captured and traced, once that nothing is. Cancelled when nobody looks, which ends
    both."""
    try:
        captures.tell(live)
        traces.tell(live)
        for second in count(1):
            await asyncio.sleep(TELL_EVERY_S)
            captures.tell_again(live)
            traces.tell_again(live, second)
    finally:
        await captures.end_all(live, NOBODY_LOOKED)
        await traces.end(live, NOBODY_LOOKED)


async def _watch_switch(live: LiveRun, switch: SwitchSpec) -> None:
    """Without end; a wire that cannot be listened to must not end the checks' rounds."""

    def show(frames: list[TaggedFrame], skipped: int) -> None:
        live.tell(TaggedFrames, node=switch.node, switch=switch.name, frames=frames, skipped=skipped)

    while True:
        try:
            await watch_wire(live.parts.nodes, live.nodes_there, switch, show)
        except Exception:  # as above, for one switch
            log.exception("watching switch %s of run %s", switch.name, live.run)
        await asyncio.sleep(LISTEN_AGAIN_S)
