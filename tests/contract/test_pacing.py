"""Floods: netlab's own keeps below what the lab's interfaces may carry; what does not is stopped by the storm guard."""

import pytest

from netlab.wire.events import StormStopped
from tests.contract.kit import Kit, lab

pytestmark = pytest.mark.kernel

MAX_PPS = 20_000
ARP_S, GUARD_S = 2, 10.0
ONE_S = "until flood 10.0.0.2 --udp 80 --pps 1 --seconds 1 | grep '1 packets in 1[.]0 s'; do :; done"
"""Until nobody has held it up."""


async def test_a_flood_that_is_asked_for_ten_times_the_limit_keeps_below_it(kit: Kit) -> None:
    run = await kit.start(lab(max_pps=MAX_PPS))
    asked = f"flood 10.0.0.2 --udp 9 --from 198.51.100.0/24,192.0.2.7 --pps {10 * MAX_PPS} --seconds 4; echo en''ded"
    await run.shell(run.terminals[0], asked, "ended")
    said = kit.out.output[run.terminals[0]].decode()
    assert f"{MAX_PPS * 8 // 10} a second instead of {10 * MAX_PPS}" in said
    packets, rate = (int(said.partition(" packets in ")[0].split()[-1]), int(said.partition(" s: ")[2].split()[0]))
    assert packets > 4000 and rate <= MAX_PPS * 0.9, said
    assert not kit.out.of(StormStopped)
    received = "$(cat /sys/class/net/eth0/statistics/rx_packets)"
    looked = f"cat /sys/class/net/eth0/operstate; echo $(({received} / {packets})) ti''mes"
    await run.shell(run.terminals[1], looked, "up\r\n1 times")


async def test_a_syn_counts_twice_and_one_flood_is_enough(kit: Kit) -> None:
    run = await kit.start(lab(max_pps=MAX_PPS))
    await run.shell(run.terminals[0], f"flood 10.0.0.2 --syn 80 --pps {10 * MAX_PPS} --seconds 300 & sleep {ARP_S}", "instead of")
    assert f"{MAX_PPS * 4 // 10} a second" in kit.out.output[run.terminals[0]].decode()
    await run.shell(run.terminals[0], "flood 10.0.0.2 --udp 80 --pps 1", "end it first")
    await run.shell(run.terminals[0], f"kill %1; wait; {ONE_S}", "1 packets in 1.0 s")


async def test_what_does_not_keep_to_it_is_stopped(shared_kernel: Kit) -> None:
    kit = shared_kernel
    run = await kit.start(lab(max_pps=MAX_PPS))
    run.type(run.terminals[0], f"NETLAB_MAX_PPS=10000000 flood 10.0.0.2 --udp 9 --pps {10 * MAX_PPS} --seconds 60\n")
    told = await kit.out.told(StormStopped, run=run.id, within_s=GUARD_S)
    assert told.pps > told.limit_pps == MAX_PPS
    await run.shell(run.terminals[1], "until ip -br link show dev eth0 | grep DO''WN; do sleep .1; done", "DOWN")
