"""One host a test, given back whole; its log is shown when the test fails."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.agent.host import Host
from tests.contract.kit import own_config


@pytest_asyncio.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    with own_config(tmp_path / "state") as config:
        host = Host(config, tmp_path)
        try:
            await host.open()
            yield host
        finally:
            complaint = host.end_all()
            print(host.log.read_text()[-8000:])
        await host.web.client.aclose()
        assert complaint == ""
