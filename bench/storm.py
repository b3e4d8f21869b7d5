"""A packet storm on purpose, and what the lab beside it feels: `make bench-storm`.

Needs a running netlab; two attendees of its demo workshop. One pings through its lab all the time; the other makes a bridge loop
in one node, whose packets no control group is charged for. What is measured: how long from typing it until the guard has set the
link down and the page says so, and the neighbour's round-trip times before, during and after. The storm ends with its lab at the
latest, after STORM_LIMIT_S, whatever was told.
"""

import asyncio
import json
import os
import re
import sys
import time

from websockets.asyncio.client import ClientConnection

from bench.attendee import Attendee, TerminalView
from bench.start import NAME_MAX, Started, percentile, start, stop

QUIET_LAB, STORMY_LAB = "xdp-01-first-program", "xdp-02-parsing"
PING = "ping -i 0.01 10.0.0.2\n"
LOOP = (
    "ip link add br0 type bridge; ip link add v0 type veth peer name v1; ip link set v0 master br0; ip link set v1 master br0; "
    "for d in br0 v0 v1; do ip link set $d up; done; ip addr add 10.99.0.1/24 dev br0; ping -c1 -W1 10.99.0.2\n"
)
BEFORE_S, AFTER_S, STORM_LIMIT_S = 8.0, 8.0, 20.0
ROUND_TRIP = re.compile(rb"time=([0-9.]+) ms")


async def main() -> None:
    url, code = os.environ["NETLAB_URL"], os.environ["NETLAB_CODE"]
    async with Attendee(url) as calm, Attendee(url) as wild:
        mark = time.time_ns() % NAME_MAX
        neighbour = await start(calm, await calm.join(code, f"calm {mark}"), QUIET_LAB)
        stormy = await start(wild, await wild.join(code, f"wild {mark}"), STORMY_LAB)
        try:
            await _measure(neighbour, stormy)
        finally:
            await asyncio.gather(stop(neighbour), stop(stormy))


async def _measure(neighbour: Started, stormy: Started) -> None:
    await neighbour.view.type(PING)
    events = await stormy.attendee.run_socket(stormy.run, rate="off")
    before = await _times(neighbour.view, BEFORE_S)
    told = asyncio.create_task(_storm_stopped(events))
    began = time.perf_counter()
    await stormy.view.type(LOOP)
    during: list[float] = []
    while not told.done() and time.perf_counter() - began < STORM_LIMIT_S:
        during += await _times(neighbour.view, 0.1)
    if not told.done():
        told.cancel()
        raise RuntimeError(f"nobody has stopped the storm within {STORM_LIMIT_S:g} s")
    after = await _times(neighbour.view, AFTER_S)
    await events.close()
    storm = told.result()
    for name, number, unit in (
        ("storm_pps", storm["pps"], "packets/s"),
        ("storm_told_s", storm["heard_at"] - began, "s"),
        ("storm_neighbour_before_p50_ms", percentile(before, 50), "ms"),
        ("storm_neighbour_before_p99_ms", percentile(before, 99), "ms"),
        ("storm_neighbour_during_p50_ms", percentile(during, 50), "ms"),
        ("storm_neighbour_during_p99_ms", percentile(during, 99), "ms"),
        ("storm_neighbour_after_p99_ms", percentile(after, 99), "ms"),
    ):
        sys.stdout.write(f"figure {name} {number:.3g} {unit}\n")


async def _times(view: TerminalView, seconds: float) -> list[float]:
    """Round-trip times in ms that ping prints within so many seconds."""
    view.data.clear()
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        try:
            await view.read(left)
        except TimeoutError:
            break
    return [float(found) for found in ROUND_TRIP.findall(bytes(view.data))]


async def _storm_stopped(events: ClientConnection) -> dict[str, float]:
    """When a browser is told, and how many packets a second it was."""
    while True:
        message = await events.recv()
        if isinstance(message, str):
            event = json.loads(message).get("event", {})
            if event.get("kind") == "storm_stopped":
                return {"heard_at": time.perf_counter(), "pps": event["pps"]}


if __name__ == "__main__":
    asyncio.run(main())
