"""Start pressed to first prompt byte in the browser's socket, for xdp-01, alone and ten at once: `make bench-start`.

Needs a running netlab (`make up`); uses its demo workshop through NETLAB_URL and NETLAB_CODE. Each attendee stops its run.
"""

import asyncio
import os
import statistics
import sys
import time

from bench.attendee import Attendee

LAB = "xdp-01-first-program"
ALONE = 20
TOGETHER = 10
ROUNDS_TOGETHER = 2
NAME_MAX = 1_000_000


async def start_once(attendee: Attendee, workshop: str) -> float:
    """Milliseconds from the REST call to the first byte of the first terminal; then the run is stopped."""
    began = time.perf_counter()
    run = await attendee.start(workshop, LAB)
    view = await attendee.terminal(run["id"], run["terminals"][0]["id"])
    while view.first_byte_at is None:
        await view.read(30)
    took_ms = (view.first_byte_at - began) * 1000
    await view.socket.close()
    await attendee.api("POST", f"/runs/{run['id']}/stop")
    await attendee.wait_for_state(run["id"], "stopped")
    return took_ms


def percentile(values: list[float], percent: int) -> float:
    return sorted(values)[max(0, round(len(values) * percent / 100) - 1)]


async def main() -> None:
    url, code = os.environ["NETLAB_URL"], os.environ["NETLAB_CODE"]
    attendees = [Attendee(url) for _ in range(TOGETHER)]
    try:
        workshop = ""
        for number, attendee in enumerate(attendees):
            workshop = await attendee.join(code, f"bench {time.time_ns() % NAME_MAX}-{number}")
        await start_once(attendees[0], workshop)  # the first one fills caches that a running day has full
        alone = [await start_once(attendees[0], workshop) for _ in range(ALONE)]
        together: list[float] = []
        for _ in range(ROUNDS_TOGETHER):
            together += await asyncio.gather(*(start_once(attendee, workshop) for attendee in attendees))
    finally:
        for attendee in attendees:
            await attendee.http.aclose()
    for name, value in (
        ("start_terminal_p50_ms", statistics.median(alone)),
        ("start_terminal_p95_ms", percentile(alone, 95)),
        ("start_terminal_10_p50_ms", statistics.median(together)),
        ("start_terminal_10_p95_ms", percentile(together, 95)),
    ):
        sys.stdout.write(f"figure {name} {value:.0f} ms\n")


if __name__ == "__main__":
    asyncio.run(main())
