"""What runs use of the machine, by their control groups: on both runtimes, while they use it."""

import asyncio
import os
import socket
import time

import pytest

from netlab.host.agent.load import LEAST_S, LoadMeter
from tests.contract.kit import Kit

pytestmark = pytest.mark.kernel

BUSY = "while :; do :; done & echo bu''sy"


async def test_a_busy_lab_is_seen_with_what_it_uses(kit: Kit) -> None:
    busy, idle = await kit.start(), await kit.start()
    await busy.shell(busy.terminals[0], BUSY, "busy")
    meter = LoadMeter(kit.config.instance)
    own = {"agent": os.getpid(), "gone": 2**22 + 1, "starting": None}
    meter.look(kit.runtime.runs(), own)
    _packets_to_itself()
    await asyncio.sleep(2 * LEAST_S)
    load, runs = meter.look(kit.runtime.runs(), own)
    used = {one.run: one for one in runs}
    assert used[busy.id].cpu_percent_used > max(10, used[idle.id].cpu_percent_used), "of one processor"
    assert all(0 < one.memory_mb_used <= one.memory_mb + 160 for one in runs)
    assert 10 < load.cpu_percent <= 100 and 0 <= load.softirq_percent <= 100
    assert load.softnet.processed_per_s > 0 and load.softnet.processed >= load.softnet.processed_per_s
    assert load.processors == os.cpu_count() and 0 < load.memory_available_mb < load.memory_total_mb
    agent, gone = load.processes
    assert (agent.name, agent.memory_mb > 10, gone.memory_mb, gone.cpu_percent) == ("agent", True, 0, 0)
    for _ in range(5):  # whoever is held up in between does not ask at once
        load, began = meter.look(kit.runtime.runs(), own)[0], time.monotonic()
        again = meter.look(kit.runtime.runs(), own)[0]
        if time.monotonic() - began < LEAST_S / 2:
            break
    assert again == load, "asked again at once: the books say nothing new"


def _packets_to_itself() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", 0))
        for _ in range(20):
            own.sendto(b"x", own.getsockname())
