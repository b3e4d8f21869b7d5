"""A guest's agent in this kernel, with a unix socket for a port: everything but the machine around it."""

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from netlab.config import Config, load_config
from netlab.host.guest import baking
from netlab.host.guest.agent import GuestAgent
from netlab.host.guest.personal import BorrowedMachine
from netlab.host.guest.process import agent_of, config_of_guest
from netlab.host.kernel.cgroups import Hierarchies
from netlab.host.nodes.plain import PlainNodes
from netlab.host.nsworker.client import NsWorker
from tests.guest_agent.host_side import HostSide


@dataclass
class Guest:
    """The agent's and the host's side. `machine` remembers what it was told."""

    agent: GuestAgent
    machine: BorrowedMachine
    host: HostSide
    config: Config
    listening: "asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]"

    async def connect(self) -> None:
        """The next time the agent comes to the socket."""
        self.host.connect(*await asyncio.wait_for(self.listening.get(), 60))


@pytest.fixture
async def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Guest]:
    monkeypatch.setattr(baking, "QUIET_LIMIT_S", 0.1)  # this machine has other things to do
    assert os.geteuid() == 0, "labs are made of namespaces, which only root can make"
    config = config_of_guest(f"gu{secrets.token_hex(2)}").model_copy(update={"rootfs_dir": load_config().rootfs_dir})
    config.run_dir.mkdir(parents=True)
    machine, listening = BorrowedMachine(), asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]()
    path = tmp_path / "port"
    server = await asyncio.start_unix_server(lambda r, w: listening.put_nowait((r, w)), str(path))
    try:
        async with agent_of(config, machine) as agent:
            serving = asyncio.create_task(agent.serve(str(path), "6.12-test", []))
            guest = Guest(agent, machine, HostSide(), config, listening)
            await guest.connect()
            yield guest
            await guest.host.disconnect()
            assert not serving.done(), serving.exception()
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving
    finally:
        server.close()
        await _remove(config)


async def _remove(config: Config) -> None:
    worker = NsWorker()
    nodes = PlainNodes(config, worker)
    for run in await nodes.owned_runs():
        await nodes.remove(run)
    await nodes.tidy()
    await worker.close()
    Hierarchies.of_this_host().remove_if_empty(f"netlab/{config.instance}")
    shutil.rmtree(config.run_dir, ignore_errors=True)
    for left in ("pass.o", "pass.o.new"):  # what a guest's shell finds in its /run is in this machine's here
        (config.run_dir.parent / left).unlink(missing_ok=True)
