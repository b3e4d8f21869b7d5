"""One host a test, given back whole; its log is shown when the test fails."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.agent.host import Host
from tests.contract.kit import own_config


@pytest_asyncio.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    async for host in _host(tmp_path, guest=False):
        yield host


@pytest_asyncio.fixture
async def host_of_machines(tmp_path: Path) -> AsyncIterator[Host]:
    async for host in _host(tmp_path, guest=True):
        yield host


async def _host(tmp_path: Path, *, guest: bool) -> AsyncIterator[Host]:
    with own_config(tmp_path / "state") as config:
        host = Host(config, tmp_path, guest=guest)
        try:
            await host.open()
            yield host
        finally:
            complaint = host.end_all()
            print(host.log.read_text()[-8000:])
        await host.web.client.aclose()
        assert complaint == ""
