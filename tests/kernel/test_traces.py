"""The process of a trace by itself: it ends with its input, tells what the compiler says, sees its own nodes' packets alone."""

import asyncio
import socket
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from netlab.host.tracing.process import TraceProcess, make_job

pytestmark = pytest.mark.kernel

SO_NETNS_COOKIE = 71
WITHIN_S = 60.0
"""A compiler works in between."""
ANY = {"WANTED_NODE": -1, "WANTED_PROTOCOL": 17, "WANTED_PACKETS": 2}


async def test_it_ends_with_its_input() -> None:
    """As when the agent is killed: nobody else could end it."""
    process = await TraceProcess.start(make_job("latency", [_own_cookie()], {}))
    assert (await _next(process))["ready"]
    stdin = process._process.stdin
    assert stdin is not None
    stdin.close()
    await asyncio.wait_for(process._process.wait(), WITHIN_S)
    assert not Path(f"/proc/{process.pid}").exists()


async def test_it_tells_what_the_compiler_says() -> None:
    process = await TraceProcess.start(make_job("way", [1], {}))
    said = await _next(process)
    await process.end()
    assert "WANTED_" in said["error"]


async def test_packets_of_other_namespaces_are_not_seen() -> None:
    process = await TraceProcess.start(make_job("way", [_own_cookie() + 1_000_000], ANY))
    assert (await _next(process))["ready"]
    _send_to_itself()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(aiter(process.lines())), 1.0)
    await process.end()


async def test_a_datagram_of_its_own_namespace_is_followed_to_the_reader() -> None:
    process = await TraceProcess.start(make_job("way", [_own_cookie()], ANY))
    assert (await _next(process))["ready"]
    _send_to_itself()
    steps = []
    async with asyncio.timeout(WITHIN_S):
        async for line in process.lines():
            steps.append(line)
            if line["point"] == "copied":
                break
    await process.end()
    mine = [step["point"] for step in steps if step["number"] == steps[-1]["number"]]
    assert mine[0] == "queued" and mine[-1] == "copied" and "received" in mine


def test_the_systems_python_has_bcc() -> None:
    """Not the project's own: its environment has no bcc, and needs none."""
    found = subprocess.run(["/usr/bin/python3", "-I", "-c", "import bcc"], check=False)
    assert found.returncode == 0


def _own_cookie() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        (cookie,) = struct.unpack("=Q", sock.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8))
    return int(cookie)


def _send_to_itself() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(WITHIN_S)
        for _ in range(5):
            sender.sendto(b"hello", receiver.getsockname())
            assert receiver.recv(16) == b"hello"


async def _next(process: TraceProcess) -> dict[str, Any]:
    return await asyncio.wait_for(anext(aiter(process.lines())), WITHIN_S)
