"""Tells what is in the maps of a run's programs, once a second while somebody looks. One of the tasks of `attention`."""

import asyncio
import logging
import time

from netlab.domain.lab import RuntimeName
from netlab.host.engine.live_run import LiveRun
from netlab.host.programs.maps import read_maps
from netlab.wire.events import MapsSeen

log = logging.getLogger(__name__)

READ_EVERY_S = 1.0
TIMES_AS_LONG = 9
"""Reading takes at most a tenth of the time: of large maps one is told less often."""


async def watch(live: LiveRun) -> None:
    """Without end; cancelled when nobody looks any more. That there are none is told once; then it looks after programs do."""
    there = True
    while True:
        began = time.monotonic()
        live.programs_looked.clear()
        try:
            there = await _look(live, tell_none=there)
        except Exception:  # a node in the middle of a change must not end the watch
            log.exception("reading maps of run %s", live.run)
        took = time.monotonic() - began
        await asyncio.sleep(max(READ_EVERY_S - took, TIMES_AS_LONG * took))
        if not there:
            await live.programs_looked.wait()


async def _look(live: LiveRun, *, tell_none: bool) -> bool:
    bpffs = {node: place.bpffs for node, place in live.nodes_there.places.items()}
    attachments = live.told_attachments or []
    maps, more = await asyncio.to_thread(
        read_maps, bpffs, attachments, live.lab.programs, live.record.map_layouts,
        own_kernel=live.parts.runtime == RuntimeName.VM,
    )
    if maps or tell_none:
        live.tell(MapsSeen, maps=maps, more=more)
    return bool(maps)
