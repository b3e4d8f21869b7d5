"""Start pressed to first prompt byte in the browser's socket, for xdp-01, alone and ten at once: `make bench-start`.

Needs a running netlab (`make up`); uses its demo workshop through NETLAB_URL and NETLAB_CODE. Each attendee stops its run.
"""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bench.attendee import Attendee, TerminalView

LAB = "xdp-01-first-program"
ALONE = 20
TOGETHER = 10
ROUNDS_TOGETHER = 2
NAME_MAX = 1_000_000
SETTLE_S = 0.5
PROMPT_LIMIT_S = 300
"""The first machine of a lab waits until its template is made."""


@dataclass
class Started:
    """A run whose first terminal has said something. `took_ms`: from the REST call to that first byte."""

    attendee: Attendee
    run: str
    view: TerminalView
    took_ms: float


async def start(attendee: Attendee, workshop: str, lab: str = LAB) -> Started:
    began = time.perf_counter()
    run = await attendee.start(workshop, lab)
    view = await attendee.terminal(run["id"], run["terminals"][0]["id"])
    while view.first_byte_at is None:
        await view.read(PROMPT_LIMIT_S)
    return Started(attendee, run["id"], view, (view.first_byte_at - began) * 1000)


async def stop(started: Started) -> None:
    await started.view.socket.close()
    await started.attendee.api("POST", f"/runs/{started.run}/stop")
    await started.attendee.wait_for_state(started.run, "stopped", every_s=0.3)


async def start_and_stop(attendees: list[Attendee], workshop: str, lab: str = LAB) -> list[float]:
    """All at once; what each waited. Stopping begins when all have started: it is not what is measured."""
    started = await asyncio.gather(*(start(attendee, workshop, lab) for attendee in attendees))
    await asyncio.gather(*(stop(one) for one in started))
    await asyncio.sleep(SETTLE_S)
    return [one.took_ms for one in started]


def percentile(values: list[float], percent: int) -> float:
    return sorted(values)[max(0, round(len(values) * percent / 100) - 1)]


@asynccontextmanager
async def joined(number: int) -> AsyncIterator[tuple[list[Attendee], str]]:
    """So many attendees of the demo workshop, and its id."""
    attendees, workshop = [Attendee(os.environ["NETLAB_URL"]) for _ in range(number)], ""
    try:
        for place, attendee in enumerate(attendees):
            workshop = await attendee.join(os.environ["NETLAB_CODE"], f"bench {time.time_ns() % NAME_MAX}-{place}")
        yield attendees, workshop
    finally:
        for attendee in attendees:
            await attendee.http.aclose()


async def main() -> None:
    async with joined(TOGETHER) as (attendees, workshop):
        await start_and_stop(attendees[:1], workshop)  # the first one fills caches that a running day has full
        alone = [ms for _ in range(ALONE) for ms in await start_and_stop(attendees[:1], workshop)]
        together = [ms for _ in range(ROUNDS_TOGETHER) for ms in await start_and_stop(attendees, workshop)]
    for name, value in (
        ("start_terminal_p50_ms", statistics.median(alone)),
        ("start_terminal_p95_ms", percentile(alone, 95)),
        ("start_terminal_10_p50_ms", statistics.median(together)),
        ("start_terminal_10_p95_ms", percentile(together, 95)),
    ):
        sys.stdout.write(f"figure {name} {value:.0f} ms\n")


if __name__ == "__main__":
    asyncio.run(main())
