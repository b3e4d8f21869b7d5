"""Reader, sampler process and its client against real namespaces, real XDP programs and a real packet storm."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgpack
import pytest

from netlab.config import load_config
from netlab.host.counters.client import Sampler
from netlab.host.counters.reader import NodeReader
from netlab.host.counters.slots import EventSlots
from netlab.host.kernel import netlink
from netlab.host.kernel.syscalls import inside_netns
from netlab.host.probe import bpf
from netlab.wire.counters import CounterSchema, Merged

from .conftest import Pair

pytestmark = pytest.mark.kernel

NO_OBJECT = Path("/nonexistent")
"""Readers by themselves count no drops."""


class Heard:
    """What the sampler has told, and the merged counters as a web process would have them."""

    def __init__(self) -> None:
        self.ticks: list[dict[str, bytes]] = []
        self.history: list[dict[str, bytes]] = []
        self.schemas: list[CounterSchema] = []
        self.storms: list[tuple[str, str, str, int, int]] = []
        self.merged: dict[str, Merged] = {}

    def tick(self, bodies: dict[str, bytes]) -> None:
        self.ticks.append(bodies)
        for run, body in bodies.items():
            self.merged.setdefault(run, Merged()).take(body)

    def value(self, run: str, node: str, name: str) -> int:
        schema = next(s for s in reversed(self.schemas) if s.run == run)
        at = next(i for i, c in enumerate(schema.counters) if (c.node, c.object, c.name) == (node, "eth0", name))
        return self.merged[run].values[at]


@asynccontextmanager
async def sampling(**settings: Any) -> AsyncIterator[tuple[Sampler, Heard]]:
    heard = Heard()
    config = load_config().model_copy(update={"instance": "h4", **settings})
    sampler = Sampler(config, heard.tick, heard.history.append, heard.schemas.append, lambda *s: heard.storms.append(s))
    await sampler.open()
    try:
        yield sampler, heard
    finally:
        await sampler.close()


async def until(true: Callable[[], object], within_s: float = 20.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "did not come true in time"
        await asyncio.sleep(0.02)


# the reader


def test_packets_are_counted_and_more_devices_than_one_read_holds_are_found(pair: Pair) -> None:
    reader = NodeReader(str(pair.path("b")), EventSlots(NO_OBJECT))
    try:
        before = reader.devices()[b"eth0"]
        pair.ping(7)
        after = reader.devices()[b"eth0"]
        assert after.rx_packets - before.rx_packets >= 7
        assert after.rx_bytes - before.rx_bytes >= 7 * 98
        batch = "".join(f"link add d{i} type bridge\n" for i in range(80))
        subprocess.run(["ip", "-n", pair.names["b"], "-batch", "-"], input=batch.encode(), check=True)
        assert {b"d%d" % i for i in range(80)} <= set(reader.devices())
    finally:
        reader.close()


@pytest.mark.parametrize(
    ("action", "counter"), [(bpf.XDP_DROP, "drop"), (bpf.XDP_PASS, "passed"), (bpf.XDP_TX, "tx"), (bpf.XDP_ABORTED, "drop")]
)
def test_xdp_actions_are_counted(pair: Pair, action: int, counter: str) -> None:
    reader = NodeReader(str(pair.path("b")), EventSlots(NO_OBJECT))
    try:
        assert reader.has_xdp(b"eth0") and not reader.has_xdp(b"lo")
        pair.ping(1)
        pair.attach_xdp("b", action)
        if action == bpf.XDP_TX:  # a native sender needs a native receiver at the other end
            pair.attach_xdp("a", bpf.XDP_PASS)
        pair.ping(20)
        actions = reader.xdp(b"eth0", reader.devices()[b"eth0"].rx_packets)
        assert getattr(actions, counter) >= 20
        assert actions.packets >= 20
        assert sum(getattr(actions, name) for name in ("drop", "passed", "tx", "redirect") if name != counter) <= 4  # ARP
    finally:
        reader.close()


def test_queues_added_by_the_attendee_do_not_confuse_the_reader(pair: Pair) -> None:
    pair.ip("b", "link", "add", "v0", "numrxqueues", "4", "numtxqueues", "4", "type", "veth", "peer", "name", "v1")
    reader = NodeReader(str(pair.path("b")), EventSlots(NO_OBJECT))
    try:
        assert reader.has_xdp(b"v0")
        reader.xdp(b"v0", 1)
        pair.run("b", "ethtool", "-L", "v0", "rx", "4", "tx", "4")
        assert reader.xdp(b"v0", 2).packets == 0
        pair.ip("b", "link", "del", "v0")
        pair.ip("b", "link", "add", "v0", "type", "bridge")
        assert reader.xdp(b"v0", 0).packets == 0
        assert not reader.has_xdp(b"v0")
    finally:
        reader.close()


def test_a_namespace_that_is_not_there_is_an_oserror_and_the_thread_stays_at_home() -> None:
    home = Path("/proc/thread-self/ns/net").stat().st_ino
    with pytest.raises(OSError):
        NodeReader("/run/netns/nlt.h4.none", EventSlots(NO_OBJECT))
    with pytest.raises(OSError):
        NodeReader("/etc/passwd", EventSlots(NO_OBJECT))
    assert Path("/proc/thread-self/ns/net").stat().st_ino == home


# sampler and client


async def test_a_watched_lab_moves_ten_times_a_second_and_an_unwatched_one_once(pair: Pair) -> None:
    async with sampling() as (sampler, heard):
        await sampler.add_run("r1", pair.lab(), pair.places())
        sampler.set_watched({"r1"})
        await until(lambda: "r1" in heard.merged)
        ping = await asyncio.create_subprocess_exec(
            "ip", "netns", "exec", pair.names["a"], "ping", "-q", "-i", "0.01", "-w", "5", "10.77.0.2", stdout=subprocess.DEVNULL
        )
        heard.ticks.clear()
        await asyncio.sleep(2.1)
        assert 12 <= len(heard.ticks) <= 23, "ten a second, but for those that a busy machine leaves out"
        reading = sampler.reading("r1", "b", "eth0", "rx_packets")
        assert reading is not None and 45 <= reading.per_second <= 110
        sampler.set_watched(set())
        await asyncio.sleep(0.2)
        heard.ticks.clear()
        await asyncio.sleep(2.1)
        assert 1 <= len(heard.ticks) <= 3
        assert 3 <= len(heard.history) <= 6
        reading = sampler.reading("r1", "b", "eth0", "rx_packets")
        assert reading is not None and 45 <= reading.per_second <= 110
        await ping.wait()
        await until(lambda: heard.value("r1", "b", "rx_packets") >= 250)
        assert sampler.reading("r1", "b", "eth0", "no_such") is None
        assert sampler.reading("r9", "b", "eth0", "rx_packets") is None


async def test_xdp_actions_arrive_within_half_a_second(pair: Pair) -> None:
    async with sampling() as (sampler, heard):
        await sampler.add_run("r1", pair.lab(), pair.places())
        sampler.set_watched({"r1"})
        await until(lambda: "r1" in heard.merged)
        pair.ping(1)  # so that the neighbour is known
        pair.attach_xdp("b", bpf.XDP_DROP)
        await asyncio.to_thread(pair.ping, 30)
        await until(lambda: heard.value("r1", "b", "xdp_drop") >= 30, within_s=0.6)
        reading = sampler.reading("r1", "b", "eth0", "xdp_drop")
        assert reading is not None and reading.per_second > 1


async def test_generic_mode_is_counted_apart_and_says_what_is_derived(pair: Pair) -> None:
    async with sampling() as (sampler, heard):
        await sampler.add_run("r1", pair.lab(), pair.places())
        sampler.set_watched({"r1"})
        await until(lambda: "r1" in heard.merged)
        assert not any(c.kind == "xdp_generic" for c in heard.schemas[-1].counters)
        pair.ping(1)
        pair.attach_xdp("b", bpf.XDP_DROP, bpf.XDP_FLAGS_SKB_MODE)
        await asyncio.sleep(1.1)
        await asyncio.to_thread(pair.ping, 2)  # so that it is noticed
        await until(lambda: any(c.kind == "xdp_generic" for c in heard.schemas[-1].counters))
        generic = {c.name: c.derived for c in heard.schemas[-1].counters if c.kind == "xdp_generic"}
        assert generic == {"xdp_generic_packets": True, "xdp_generic_drop": False, "xdp_generic_pass": True}
        before, native = heard.value("r1", "b", "xdp_generic_drop"), heard.value("r1", "b", "xdp_drop")
        await asyncio.to_thread(pair.ping, 30)
        await until(lambda: heard.value("r1", "b", "xdp_generic_drop") >= before + 30, within_s=1)
        assert heard.value("r1", "b", "xdp_generic_packets") >= heard.value("r1", "b", "xdp_generic_drop")
        assert heard.value("r1", "b", "xdp_generic_pass") <= 2
        assert heard.value("r1", "b", "xdp_drop") == native
        pair.detach_all()
        pair.attach_xdp("b", bpf.XDP_PASS, bpf.XDP_FLAGS_SKB_MODE)
        dropped = heard.value("r1", "b", "xdp_generic_drop")
        await asyncio.to_thread(pair.ping, 30)
        await until(lambda: heard.value("r1", "b", "xdp_generic_pass") >= 30, within_s=1)
        assert heard.value("r1", "b", "xdp_generic_drop") == dropped


async def test_a_device_made_by_the_attendee_brings_a_new_schema_before_its_values(pair: Pair) -> None:
    async with sampling() as (sampler, heard):
        await sampler.add_run("r1", pair.lab(), pair.places())
        sampler.set_watched({"r1"})
        await until(lambda: heard.schemas and heard.ticks)
        pair.ip("b", "link", "add", "br0", "type", "bridge")
        await until(lambda: any(c.object == "br0" for c in heard.schemas[-1].counters))
        assert heard.schemas[-1].version > heard.schemas[0].version
        await until(lambda: heard.merged["r1"].schema_version == heard.schemas[-1].version)
        assert len(heard.merged["r1"].values) == len(heard.schemas[-1].counters)
        pair.ip("b", "link", "del", "br0")
        await until(lambda: not any(c.object == "br0" for c in heard.schemas[-1].counters))


async def test_devices_that_flap_do_not_flood_the_schema(pair: Pair) -> None:
    async with sampling() as (sampler, heard):
        await sampler.add_run("r1", pair.lab(), pair.places())
        sampler.set_watched({"r1"})
        await until(lambda: heard.ticks)
        began, flips = time.monotonic(), 0
        while time.monotonic() < began + 2.0 or flips < 8:
            pair.ip("b", "link", *(("add", "br0", "type", "bridge") if flips % 2 == 0 else ("del", "br0")))
            flips += 1
            await asyncio.sleep(0.15)
        assert len(heard.schemas) <= 2 + time.monotonic() - began, "the first, and one a second"


async def test_a_full_body_on_request_and_history_in_full(pair: Pair) -> None:
    async with sampling() as (sampler, heard):
        await sampler.add_run("r1", pair.lab(), pair.places())
        await until(lambda: heard.ticks and heard.history)
        heard.ticks.clear()
        sampler.want_full("r1")
        await until(lambda: heard.ticks, within_s=0.5)
        assert msgpack.unpackb(heard.ticks[0]["r1"])[0] == 0
        assert msgpack.unpackb(heard.history[-1]["r1"])[0] == 0


async def test_after_remove_run_nothing_pins_the_namespaces(pair: Pair) -> None:
    async with sampling() as (sampler, heard):
        await sampler.add_run("r1", pair.lab(), pair.places())
        await sampler.remove_run("r1")  # now it is up, and has loaded what it needs once
        before = _descriptors(sampler)
        await sampler.add_run("r1", pair.lab(), pair.places())
        await until(lambda: heard.ticks)
        assert _descriptors(sampler) == before + 6  # two nodes, each its net/dev and two sockets
        await sampler.remove_run("r1")
        assert _descriptors(sampler) == before
        await sampler.remove_run("r1")  # idempotent
        pair.netns("del", "b")
        # the kernel takes the pair away with its end in b, unless something still pins b
        await until(lambda: "eth0" not in pair.run("a", "ip", "-br", "link").stdout)


def _descriptors(sampler: Sampler) -> int:
    return len(list(Path(f"/proc/{sampler.pid}/fd").iterdir()))


async def test_adding_again_after_a_reset_opens_the_new_namespace(pair: Pair) -> None:
    async with sampling() as (sampler, heard):
        await sampler.add_run("r1", pair.lab(), pair.places())
        sampler.set_watched({"r1"})
        await asyncio.to_thread(pair.ping, 20)
        await until(lambda: "r1" in heard.merged and heard.value("r1", "b", "rx_packets") >= 20)
        pair.netns("del", "b")
        pair.netns("add", "b")
        before, held = heard.schemas[-1].version, _descriptors(sampler)
        await sampler.add_run("r1", pair.lab(), pair.places())
        await until(lambda: heard.schemas[-1].version > before)
        assert not any(c.node == "b" for c in heard.schemas[-1].counters)
        assert _descriptors(sampler) == held


async def test_a_node_that_cannot_be_opened_does_not_cost_the_others_their_counters(pair: Pair) -> None:
    async with sampling() as (sampler, heard):
        places = pair.places()
        pair.netns("del", "b")
        await sampler.add_run("r1", pair.lab(), places)
        await until(lambda: heard.schemas)
        assert {c.node for c in heard.schemas[-1].counters} <= {"a"}


async def test_a_sampler_that_dies_is_replaced_with_its_runs(pair: Pair) -> None:
    async with sampling() as (sampler, heard):
        await sampler.add_run("r1", pair.lab(), pair.places())
        sampler.set_watched({"r1"})
        await until(lambda: heard.ticks)
        old, version = sampler.pid, heard.schemas[-1].version
        assert old is not None
        os.kill(old, signal.SIGKILL)
        await until(lambda: sampler.pid not in (None, old))
        await until(lambda: heard.schemas[-1].version > version)
        await asyncio.to_thread(pair.ping, 20)
        await until(lambda: heard.value("r1", "b", "rx_packets") >= 20, within_s=1)
        os.kill(sampler.pid or 0, signal.SIGKILL)
        await sampler.remove_run("r1")  # does not hang


async def test_the_sampler_ends_with_its_agent(pair: Pair) -> None:
    async with sampling() as (sampler, _):
        pid = sampler.pid
    assert pid is not None and not Path(f"/proc/{pid}").exists()


# the storm guard


async def test_a_real_storm_is_told_in_an_unwatched_lab_and_calm_traffic_is_not(pair: Pair) -> None:
    """XDP_TX on both ends: one frame circles for ever. At most three seconds, whatever happens."""
    async with sampling(storm_pps=100_000) as (sampler, heard):
        await sampler.add_run("r1", pair.lab(), pair.places())
        await asyncio.to_thread(pair.ping, 200)
        await asyncio.sleep(1.1)
        assert heard.storms == []
        began = time.monotonic()
        try:
            pair.attach_xdp("a", bpf.XDP_TX)
            pair.attach_xdp("b", bpf.XDP_TX)
            await asyncio.to_thread(pair.ping, 1)
            await until(lambda: heard.storms, within_s=2.8)
        finally:
            pair.detach_all()
        told_after_s = time.monotonic() - began
        run, node, interface, pps, limit = heard.storms[0]
        assert (run, interface, limit) == ("r1", "eth0", 100_000) and node in ("a", "b") and pps > 100_000
        print(f"storm of {pps:,} packets/s told after {told_after_s:.2f} s")
        assert len([s for s in heard.storms if s[1] == node]) == 1


async def test_a_storm_on_a_device_with_a_name_of_odd_bytes_can_be_set_down(pair: Pair) -> None:
    name = b"\xff\xfe"
    pair.ip("b", "link", "set", "eth0", "name", os.fsdecode(name))
    pair.ip("b", "link", "set", os.fsdecode(name), "up")
    async with sampling() as (sampler, heard):
        await sampler.add_run("r1", pair.lab(max_pps=1000), pair.places())
        flood = await asyncio.create_subprocess_exec(
            "ip", "netns", "exec", pair.names["a"], "ping", "-q", "-f", "-w", "30", "10.77.0.2", stdout=subprocess.DEVNULL
        )
        await until(lambda: any(s[1] == "b" for s in heard.storms), within_s=3)
        told = next(s[2] for s in heard.storms if s[1] == "b")
        assert os.fsencode(told) == name
        with inside_netns(pair.path("b")), netlink.route_socket() as sock:
            netlink.send_all(sock, [netlink.set_state(told, up=False)])
        assert "state DOWN" in pair.run("b", "ip", "link", "show", os.fsdecode(name)).stdout
        if flood.returncode is None:
            flood.terminate()
        await flood.wait()


async def test_the_labs_own_limit_wins(pair: Pair) -> None:
    async with sampling(storm_pps=10_000_000) as (sampler, heard):
        await sampler.add_run("r1", pair.lab(max_pps=1000), pair.places())
        flood = await asyncio.create_subprocess_exec(
            "ip", "netns", "exec", pair.names["a"], "ping", "-q", "-f", "-w", "30", "10.77.0.2", stdout=subprocess.DEVNULL
        )
        await until(lambda: heard.storms, within_s=3)
        assert heard.storms[0][4] == 1000
        if flood.returncode is None:
            flood.terminate()
        await flood.wait()
