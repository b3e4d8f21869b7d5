"""Drops and events through the real sampler: every cause in the right node, on the right interface, by the right name."""

import asyncio
import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from netlab.config import load_config
from netlab.domain.drop_reasons import FAMILIES, NO_DROPS
from netlab.domain.lab import LabSpec
from netlab.domain.resolve import ResolvedLab, resolve
from netlab.host.counters.reader import SO_NETNS_COOKIE
from netlab.host.counters.slots import EventSlots, reason_names
from netlab.host.kernel.syscalls import inside_netns
from netlab.host.probe import bpf
from netlab.wire.counters import Counter

from .causes import CAUSES, NOWHERE, B, Net, net
from .test_counters_kernel import Heard, sampling, until

pytestmark = pytest.mark.kernel

RUN, OTHER_RUN = "r1", "r2"
FOUND_WITHIN_S = 4.0
RTM_GETLINK, NLM_F_REQUEST_DUMP = 18, 0x301
NO_ROUTE = ("r", "eth0", "drop", "IP_INNOROUTES")


class Found(NamedTuple):
    """What one cause has brought."""

    drops: int
    events: dict[tuple[str, str], int]
    other_lab: "Values"


Keys = list[tuple[str, str, str, str]]
Values = dict[tuple[str, str, str, str], int]
"""Of (node, object, kind, name)."""


def lab(name: str, nodes: str) -> ResolvedLab:
    links = [{"ends": ["a:eth0", "r:eth0"]}, {"ends": ["r:eth1", "b:eth0"]}] if len(nodes) > 1 else []
    return resolve(LabSpec.model_validate({
        "id": name, "title": "Nodes", "summary": "Nodes and wires.", "topic": "xdp", "minutes": 1,
        "nodes": [{"name": node} for node in nodes], "links": links, "steps": [{"id": "one", "title": "One", "text": "one.md"}],
    }))


def happened(heard: Heard, run: str) -> Values:
    """Drops, events and page pools of a run now: (node, object, kind, name) -> value."""
    schema = next((s for s in reversed(heard.schemas) if s.run == run), None)
    merged = heard.merged.get(run)
    if schema is None or merged is None or merged.schema_version != schema.version:
        return {}
    return {
        (c.node, c.object, c.kind, c.name): value
        for c, value in zip(schema.counters, merged.values, strict=True) if c.kind in ("drop", "event", "page_pool")
    }


def counters(heard: Heard, run: str) -> list[Counter]:
    return next(s for s in reversed(heard.schemas) if s.run == run).counters


async def add_both(sampler: Any, there: Net) -> None:
    places = there.places()
    await sampler.add_run(RUN, lab("l1", "arb"), {n: places[n] for n in "arb"})
    await sampler.add_run(OTHER_RUN, lab("l2", "z"), {"z": places["z"]})
    sampler.set_watched({RUN})


async def _try_all(there: Net) -> dict[str, Found]:
    found = {}
    async with sampling() as (sampler, heard):
        await add_both(sampler, there)
        await until(lambda: RUN in heard.merged)
        for name, cause in CAUSES.items():
            drop = (cause.node, cause.object, "drop", cause.name)
            wanted = [*([drop] if cause.name else []), *((node, "", "event", event) for node, event in cause.events)]
            before = happened(heard, RUN)

            def is_there(wanted: Keys = wanted, before: Values = before) -> bool:
                now = happened(heard, RUN)
                return all(now.get(key, 0) > before.get(key, 0) for key in wanted)

            await asyncio.to_thread(cause.do, there)
            try:
                await until(is_there, FOUND_WITHIN_S)
                await asyncio.sleep(0.15)  # the last packets of it
            except AssertionError:
                print(name, {k: v for k, v in happened(heard, RUN).items() if v != before.get(k, 0)})
            now = happened(heard, RUN)
            gained = {key: value - before.get(key, 0) for key, value in now.items()}
            events = {(node, event): gained.get((node, "", "event", event), 0) for node, event in cause.events}
            found[name] = Found(gained.get(drop, 0), events, happened(heard, OTHER_RUN))
    return found


@pytest.fixture(scope="module")
def tried() -> Iterator[dict[str, Found]]:
    with net() as there:
        yield asyncio.run(_try_all(there))


@pytest.mark.parametrize("name", CAUSES)
def test_a_drop_is_found_in_its_node_by_its_name_and_in_no_other_lab(tried: dict[str, Found], name: str) -> None:
    found = tried[name]
    assert found.drops >= 2 or not CAUSES[name].name
    assert all(count >= 1 for count in found.events.values()), found.events
    assert not any(key[2] == "drop" for key in found.other_lab)


async def test_what_local_sockets_throw_away_is_no_packet() -> None:
    with net() as there:
        async with sampling() as (sampler, heard):
            await add_both(sampler, there)
            with inside_netns(there.path("b")):
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
                route = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
            for _ in range(5):
                ours.send(b"unread")
                route.send(struct.pack("=IHHIIB3x", 20, RTM_GETLINK, NLM_F_REQUEST_DUMP, 1, 0, 0))
            for one in (ours, theirs, route):
                one.close()
            await asyncio.to_thread(there.send, "a", NOWHERE, 5)
            await until(lambda: happened(heard, RUN).get(NO_ROUTE, 0) == 5)
            assert [key for key in happened(heard, RUN) if key[0] == "b" and key[2] == "drop"] == []


async def test_page_pools_are_counted_by_interface() -> None:
    with net() as there:
        async with sampling() as (sampler, heard):
            await add_both(sampler, there)
            detach = there.program("b", bpf.PROG_TYPE_XDP, bpf.returns(bpf.XDP_PASS), bpf.ATTACH_XDP, bpf.XDP_FLAGS_DRV_MODE)
            await asyncio.to_thread(there.run, "a", f"ping -q -f -c 300 {B}")
            pool = [("b", "eth0", "page_pool", f"page_pool_{name}") for name in ("hold", "release", "in_flight")]
            await until(lambda: happened(heard, RUN).get(pool[0], 0) > 0)
            hold, release, in_flight = (happened(heard, RUN)[key] for key in pool)
            assert hold - release == in_flight >= 0
            assert next(c for c in counters(heard, RUN) if c.name == "page_pool_in_flight").derived
            detach()
            await until(lambda: happened(heard, RUN)[pool[2]] == 0)
            assert happened(heard, RUN)[pool[1]] >= hold


async def test_a_lab_that_is_gone_leaves_nothing_to_the_next() -> None:
    async with sampling() as (sampler, heard):
        with net() as there:
            await add_both(sampler, there)
            await asyncio.to_thread(there.send, "a", NOWHERE, 50)
            await until(lambda: happened(heard, RUN).get(NO_ROUTE, 0) >= 50)
            await sampler.remove_run(RUN)
            await sampler.remove_run(OTHER_RUN)
        await asyncio.sleep(1.1)  # its slots may be given out again
        heard.merged.clear()
        with net() as there:
            await add_both(sampler, there)
            await until(lambda: RUN in heard.merged)
            assert not any(key[2] == "drop" for key in happened(heard, RUN))
            await asyncio.to_thread(there.send, "a", NOWHERE, 3)
            await until(lambda: happened(heard, RUN).get(NO_ROUTE, 0) > 0)
            assert happened(heard, RUN)[NO_ROUTE] == 3


def test_slots_are_given_out_again_empty_and_back_to_who_had_them() -> None:
    slots = EventSlots(load_config().bpf_dir)
    try:
        with net() as there:
            first = slots.claim(cookie(there, "r"))
            assert first
            there.send("a", NOWHERE, 5)
            assert sum(row.times for row in first.rows()) == 5
            first.release()
            there.send("a", NOWHERE, 5)
            again = slots.claim(cookie(there, "r"))
            assert again and again.number == first.number
            assert sum(row.times for row in again.rows()) == 5
            again.release()
            time.sleep(1.1)
            other = slots.claim(cookie(there, "b"))
            assert other and other.number == first.number
            assert other.changes() == 0 and not any(other.events()) and not other.rows()
    finally:
        slots.close()


async def test_a_killed_sampler_counts_on_from_nothing() -> None:
    with net() as there:
        async with sampling() as (sampler, heard):
            await add_both(sampler, there)
            await asyncio.to_thread(there.send, "a", NOWHERE, 5)
            await until(lambda: happened(heard, RUN).get(NO_ROUTE, 0) == 5)
            killed = sampler.pid
            assert killed
            os.kill(killed, signal.SIGKILL)
            await until(lambda: sampler.pid not in (None, killed) and NO_ROUTE not in happened(heard, RUN))
            await asyncio.to_thread(there.send, "a", NOWHERE, 7)
            await until(lambda: happened(heard, RUN).get(NO_ROUTE, 0) == 7)


async def test_an_unwatched_lab_tells_of_its_drops_as_well() -> None:
    with net() as there:
        async with sampling() as (sampler, heard):
            await add_both(sampler, there)
            sampler.set_watched(set())
            await asyncio.to_thread(there.send, "a", NOWHERE, 5)
            await until(lambda: happened(heard, RUN).get(NO_ROUTE, 0) == 5)


async def test_drops_of_every_kind_on_devices_that_come_and_go_stay_few() -> None:
    """Two thousand of them: what is listed is bounded, all are counted, and what has gone makes room."""
    with net() as there:
        async with sampling() as (sampler, heard):
            await add_both(sampler, there)
            await until(lambda: RUN in heard.merged)
            for turn in range(0, 100, 20):
                await asyncio.to_thread(_drop_on_new_devices, there, turn)

            def drops() -> dict[tuple[str, str, str, str], int]:
                return {key: value for key, value in happened(heard, RUN).items() if key[0] == "b" and key[2] == "drop"}

            await until(lambda: len(drops()) >= 20)
            await asyncio.sleep(2.2)
            assert 20 <= len(drops()) <= 66
            before = sum(value for key, value in drops().items() if key[1] == "eth0")
            await asyncio.to_thread(there.send, "a", B, 20)
            await until(lambda: happened(heard, RUN).get(("b", "eth0", "drop", "NO_SOCKET"), 0) >= 20, within_s=10)
            assert sum(v for k, v in happened(heard, RUN).items() if k[:3] == ("b", "eth0", "drop")) == before + 20


def _drop_on_new_devices(there: Net, turn: int) -> None:
    """Twenty devices, twenty packets each that nobody wants; then they go."""
    names = [f"x{turn + number}" for number in range(20)]
    make = "".join(
        f"link add {name} type veth peer name y{name}\nlink set {name} up\nlink set y{name} up\n" for name in names)
    subprocess.run(["ip", "-n", there.names["b"], "-batch", "-"], input=make.encode(), check=True)
    for name in names:
        with there.socket("b", socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind((name, 0))
            for _ in range(20):
                sock.send(b"\xff" * 6 + bytes(6) + b"\x88\xb5" + bytes(46))
    remove = "".join(f"link del {name}\n" for name in names)
    subprocess.run(["ip", "-n", there.names["b"], "-batch", "-"], input=remove.encode(), check=True)


def cookie(there: Net, node: str) -> int:
    with there.socket(node, socket.AF_INET, socket.SOCK_DGRAM) as sock:
        return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8), "little")


async def test_without_the_object_everything_else_is_counted(tmp_path: Path) -> None:
    with net() as there:
        async with sampling(bpf_dir=tmp_path) as (sampler, heard):
            await add_both(sampler, there)
            await asyncio.to_thread(there.send, "a", NOWHERE, 5)
            await until(lambda: RUN in heard.merged)
            await asyncio.sleep(1.2)
            kinds = {c.kind for c in counters(heard, RUN)}
            assert "interface" in kinds and "drop" not in kinds


def test_every_reason_of_this_kernel_has_words() -> None:
    known = {name for family in FAMILIES for name in family.words}
    assert not set(reason_names().values()) - NO_DROPS - known
