"""The holder's process: keeps what it is given, for root alone."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from netlab.host.holder.client import HolderClient
from tests.waiting import until

TOP = Path(__file__).resolve().parents[2]


@pytest_asyncio.fixture
async def holder() -> AsyncIterator[tuple[Path, "asyncio.subprocess.Process"]]:
    """In a short folder of its own: a unix socket's path has 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="nl") as folder:
        path = Path(folder) / "holder" / "holder.sock"
        code = "import sys; from pathlib import Path; from netlab.host.holder.server import main; main(Path(sys.argv[1]))"
        env = {**os.environ, "PYTHONPATH": str(TOP)}
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(path), env=env)
        await until(path.exists, "the holder")
        yield path, process
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0


Holder = tuple[Path, asyncio.subprocess.Process]


async def test_a_pty_outlives_who_opened_it(holder: Holder) -> None:
    client = HolderClient(holder[0])
    master, slave = os.openpty()
    await client.put("t1", master, {"run": "r1", "pid": 7})
    os.close(master)
    os.write(slave, b"still here\n")
    (held,) = await client.take_all()
    assert (held.terminal, dict(held.meta)) == ("t1", {"run": "r1", "pid": 7})
    assert os.read(held.descriptor, 100) == b"still here\r\n"
    os.close(held.descriptor)
    assert await client.ids() == ["t1"], "taking gives a copy"
    await client.drop("t1")
    await client.drop("t1")
    assert await client.ids() == []
    os.close(slave)


async def test_put_again_replaces_and_nothing_leaks(holder: Holder) -> None:
    path, process = holder
    client = HolderClient(path)
    assert await client.ids() == []  # it has opened whatever it needs
    before = len(os.listdir(f"/proc/{process.pid}/fd"))
    for number in range(50):
        read, write = os.pipe()
        await client.put("t", read, {"n": number})
        os.close(read)
        os.close(write)
    (held,) = await client.take_all()
    os.close(held.descriptor)
    assert held.meta["n"] == 49
    await client.drop("t")
    await until(lambda: len(os.listdir(f"/proc/{process.pid}/fd")) <= before, f"no more than {before} descriptors")


async def test_nonsense_ends_one_connection_and_nothing_else(holder: Holder) -> None:
    client = HolderClient(holder[0])
    read, write = os.pipe()
    await client.put("t", read, {})
    for message in (b"nonsense", b"{}", b'{"do":"put","id":"x","meta":{}}', b"[]", b'{"do":"take","id":[]}'):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
            peer.settimeout(20)
            peer.connect(str(holder[0]))
            peer.send(message)
            assert peer.recv(1000) in (b"", b'{"ok": false}')
    assert await client.ids() == ["t"]
    os.close(read)
    os.close(write)


@pytest.mark.kernel
async def test_a_stranger_is_refused(holder: Holder) -> None:
    path = holder[0]
    path.parent.parent.chmod(0o711)
    path.parent.chmod(0o711)
    path.chmod(0o666)  # even when somebody has opened the door
    code = (
        "import os, socket, sys\nos.setgroups([]); os.setgid(65533); os.setuid(65533)\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1])\n"
        "s.send(b'{\"do\":\"list\"}'); print(s.recv(100))"
    )
    said = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code, str(path)], capture_output=True, check=False)
    assert b"ids" not in said.stdout


async def test_without_a_holder_there_is_nothing_to_take(tmp_path: Path) -> None:
    assert await HolderClient(tmp_path / "none.sock").take_all() == []
