"""Start pressed to first prompt byte in the browser's socket for a lab in a VM, alone and forty at once: `make bench-vm`.

Needs a running netlab with a guest image, room for forty VMs and a generous NETLAB_WISHES_PER_MINUTE (all of these attendees
have one address); uses its demo workshop through NETLAB_URL and NETLAB_CODE. Each attendee stops its run.
"""

import asyncio
import statistics
import sys
import time

import httpx

from bench.attendee import Attendee
from bench.start import joined, percentile, start_and_stop

LAB = "dsa-01-switch"
"""It runs in a VM wherever it runs."""
ALONE = 20
TOGETHER = 40
BOOT_LIMIT_S = 120


async def make_template(attendee: Attendee, workshop: str) -> None:
    """By the first start; a netlab that has just been started tries first whether guests boot."""
    deadline = time.monotonic() + BOOT_LIMIT_S
    while True:
        try:
            await start_and_stop([attendee], workshop, LAB)
            return
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.CONFLICT or time.monotonic() > deadline:
                raise
        await asyncio.sleep(1)


async def main() -> None:
    async with joined(TOGETHER) as (attendees, workshop):
        await make_template(attendees[0], workshop)
        alone = [ms for place in range(ALONE) for ms in await start_and_stop([attendees[place % TOGETHER]], workshop, LAB)]
        together = await start_and_stop(attendees, workshop, LAB)
    for name, value in (
        ("vm_start_p50_ms", f"{statistics.median(alone):.0f} ms"),
        ("vm_start_p95_ms", f"{percentile(alone, 95):.0f} ms"),
        (f"vm_{TOGETHER}_s", f"{max(together) / 1000:.2f} s"),
        (f"vm_{TOGETHER}_p50_s", f"{statistics.median(together) / 1000:.2f} s"),
    ):
        sys.stdout.write(f"figure {name} {value}\n")


if __name__ == "__main__":
    asyncio.run(main())
