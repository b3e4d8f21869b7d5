"""Listening on a wire, with real sockets on a real link: directions, floods, and a device that goes down or away."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from netlab.domain.devices import SwitchSpec
from netlab.host.nodes.api import RunNodes
from netlab.host.switches.watch import SHOWN_MAX, Wire, watch
from netlab.wire.events import TaggedFrame
from tests.kernel.kit import Host, host
from tests.waiting import until

pytestmark = pytest.mark.kernel

SWITCH = SwitchSpec.model_validate({
    "name": "sw0", "node": "server", "conduit": "eth0", "ports": [{"name": "lan0", "to": "client:eth0"}],
})
WITHIN_S = 10.0
FRAME = bytes.fromhex("ffffffffffff" "020000000001" "c0000000" "88cc") + bytes(46)


@asynccontextmanager
async def built(tmp_path: Path) -> AsyncIterator[tuple[Host, RunNodes]]:
    async with host("plain", tmp_path) as made:
        yield made, await made.build()


async def packet_socket(made: Host, run_nodes: RunNodes, node: str) -> socket.socket:
    sock = await made.nodes.open_socket(run_nodes, node, socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind(("eth0", 0))
    return sock


async def test_both_directions_are_told_apart_and_frames_come_whole(tmp_path: Path) -> None:
    async with built(tmp_path) as (made, run_nodes):
        there, here = [await packet_socket(made, run_nodes, node) for node in ("client", "server")]
        with there, here, await made.nodes.open_socket(run_nodes, "server", socket.AF_PACKET, socket.SOCK_RAW) as sock:
            wire = Wire(sock, "eth0")
            there.send(FRAME)
            here.send(FRAME + bytes(1000) + b"tail")
            await asyncio.sleep(0.1)
            assert await wire.readable(WITHIN_S)
            heard, missed = wire.read()
            mine = [one for one in heard if one.frame.head.startswith(FRAME[:14])]
            assert [(one.outgoing, one.frame.length) for one in mine] == [(False, 64), (True, 1068)]
            assert mine[0].frame.head == FRAME and mine[1].frame.tail == b"tail" and missed == 0
            assert 0 <= mine[1].at - mine[0].at < 1


async def test_a_flood_is_shown_in_part_and_counted_in_whole(tmp_path: Path) -> None:
    async with built(tmp_path) as (made, run_nodes):
        sender = await packet_socket(made, run_nodes, "client")
        batches: list[tuple[list[TaggedFrame], int]] = []
        task = asyncio.create_task(watch(made.nodes, run_nodes, SWITCH, lambda *batch: batches.append(batch)))
        with sender:
            await until(lambda: sender.send(FRAME) > 0 and bool(batches), "the first batch")
            batches.clear()
            for _ in range(3000):
                sender.send(FRAME)
            await until(lambda: sum(len(frames) + more for frames, more in batches) >= 3000, "all frames")
        task.cancel()
        assert all(len(frames) <= SHOWN_MAX for frames, _ in batches)
        assert max(more for _, more in batches) > 0


async def test_a_wire_that_goes_down_or_away_is_listened_to_again(tmp_path: Path) -> None:
    async with built(tmp_path) as (made, run_nodes):
        frames: list[TaggedFrame] = []
        task = asyncio.create_task(watch(made.nodes, run_nodes, SWITCH, lambda some, _: frames.extend(some)))

        async def hear() -> None:
            frames.clear()
            with await packet_socket(made, run_nodes, "client") as sender:
                await until(lambda: sender.send(FRAME) > 0 and any(frame.bytes == len(FRAME) for frame in frames), "a frame")

        async def ip(node: str, *words: str) -> None:
            assert (await made.nodes.execute(run_nodes, node, ["ip", "link", *words])).exit_code == 0

        await hear()
        await ip("server", "set", "eth0", "down")
        await asyncio.sleep(0.5)
        await ip("server", "set", "eth0", "up")
        await hear()
        await ip("server", "del", "eth0")
        client = f"nl.{made.config.instance}.{run_nodes.run}.client"
        await ip("server", "add", "eth0", "type", "veth", "peer", "eth0", "netns", client)
        for node in ("server", "client"):
            await ip(node, "set", "eth0", "up")
        await hear()
        assert not task.done()
        task.cancel()
