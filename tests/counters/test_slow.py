"""Counters of qdiscs and tunnels: their schema comes and goes with them, and their numbers are the kernel's."""

import asyncio
import struct

import pytest

from netlab.host.counters.slow import PEER_COUNTERS, QDISC_COUNTERS, peer_name, peer_values, qdisc_values
from netlab.host.kernel.netlink import attribute
from netlab.host.kernel.wireguard import Peer
from netlab.wire.counters import Counter

from .conftest import Pair
from .test_counters_kernel import Heard, sampling, until

TBF = ("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "1mbit", "burst", "1600", "limit", "3000")


def test_a_qdiscs_numbers_are_taken_apart() -> None:
    stats = attribute(1, struct.pack("=QI", 5 << 33, 7)) + attribute(3, struct.pack("=5I", 1, 98, 3, 4, 5))
    stats += attribute(8, struct.pack("=Q", 1 << 33))
    answer = struct.pack("=BxxxiIII", 0, 10, 0x10000, 0xFFFFFFFF, 0) + attribute(1, b"tbf\0") + attribute(7, stats)
    found = dict(zip([name for name, _ in QDISC_COUNTERS], qdisc_values(answer), strict=True))
    assert found == {
        "qdisc_bytes": 5 << 33, "qdisc_packets": 1 << 33, "qdisc_drops": 3, "qdisc_overlimits": 5, "qdisc_backlog": 98,
        "qdisc_requeues": 4,
    }


def test_a_peers_age_is_told_from_never() -> None:
    assert len(PEER_COUNTERS) == len(peer_values(Peer(bytes(32)), 1000.0))
    assert peer_values(Peer(bytes(32), 5, 6, 0.0), 1000.0) == (5, 6, 0)
    assert peer_values(Peer(bytes(32), 5, 6, 999.9), 1000.0) == (5, 6, 1)
    assert peer_values(Peer(bytes(32), 5, 6, 880.0), 1000.0) == (5, 6, 120)
    assert peer_name(Peer(bytes([0xFF]) * 32)) == "////////"


def of_kind(heard: Heard, kind: str) -> list[Counter]:
    return [c for c in heard.schemas[-1].counters if c.kind == kind] if heard.schemas else []


@pytest.mark.kernel
async def test_a_qdisc_is_counted_from_when_it_is_there_while_somebody_looks(pair: Pair) -> None:
    async with sampling() as (sampler, heard):
        await sampler.add_run("r0", pair.lab(), pair.places())
        sampler.set_watched({"r0"})
        await until(lambda: heard.ticks)
        assert of_kind(heard, "qdisc") == []
        pair.run("a", *TBF)
        await until(lambda: of_kind(heard, "qdisc"))
        assert [(c.node, c.object, c.name, c.unit) for c in of_kind(heard, "qdisc")] == [
            ("a", "eth0", name, unit) for name, unit in QDISC_COUNTERS
        ]
        pair.run("a", "ping", "-q", "-n", "-f", "-s", "1400", "-c", "40", "-W", "1", "10.77.0.2", check=False)
        pair.run("a", "ping", "-q", "-n", "-l", "20", "-i", "0.01", "-s", "1400", "-c", "20", "-W", "1", "10.77.0.2", check=False)
        await until(lambda: heard.value("r0", "a", "qdisc_drops") > 0)
        assert heard.value("r0", "a", "qdisc_packets") > 5 and heard.value("r0", "a", "qdisc_bytes") > 5 * 1400
        reading = sampler.reading("r0", "a", "eth0", "qdisc_drops")
        assert reading is not None and reading.value > 0
        pair.run("a", "tc", "qdisc", "del", "dev", "eth0", "root")
        await until(lambda: not of_kind(heard, "qdisc"))


@pytest.mark.kernel
async def test_nobody_looks_nothing_is_asked(pair: Pair) -> None:
    pair.run("a", *TBF)
    async with sampling() as (sampler, heard):
        await sampler.add_run("r0", pair.lab(), pair.places())
        await until(lambda: len(heard.history) >= 2)
        assert of_kind(heard, "qdisc") == []
        sampler.set_watched({"r0"})
        await until(lambda: of_kind(heard, "qdisc"))
        await sampler.remove_run("r0")
        await asyncio.sleep(0)
