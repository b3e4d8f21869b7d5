"""What comes to the agent through Redis: terminal input, acks and resizes, wishes for full samples, who looks at what.

Loops of the agent's process; they survive restarts of Redis and never look into what is typed.
"""

import asyncio
import logging
from contextlib import suppress

from netlab.host.agent.redis_bridge import AWAY, RETRY_AFTER_S
from netlab.host.runtimes.base import Runtime
from netlab.wire.streams import FullSampleWanted, HostStreams

log = logging.getLogger(__name__)

WATCHED_EVERY_S = 1.0


async def read_inbox(streams: HostStreams, runtime: Runtime) -> None:
    """Hand every message to the runtime. Ends never."""
    while True:
        try:
            async for message in streams.inbox():
                if isinstance(message, FullSampleWanted):
                    runtime.want_full_sample(message.run)
                else:
                    runtime.terminal(message)
        except AWAY as error:  # also when Redis came back without our consumer group: the next round makes it
            log.info("inbox: %s; reading on in a moment", error)
            await asyncio.sleep(RETRY_AFTER_S)


async def follow_watchers(streams: HostStreams, runtime: Runtime) -> None:
    """Ask every second which runs somebody looks at. Ends never; while Redis is away the last answer counts."""
    while True:
        with suppress(*AWAY):
            runtime.set_watched(await streams.watched([r.run for r in runtime.runs()]))
        await asyncio.sleep(WATCHED_EVERY_S)
