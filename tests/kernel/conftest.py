"""A host of nodes a test, of every kind to which the test applies; nothing of it is left afterwards."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.kernel.kit import Host, host


@pytest_asyncio.fixture(params=["plain", "sandboxed"])
async def both(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Host]:
    async with host(str(request.param), tmp_path) as made:
        yield made


@pytest_asyncio.fixture
async def sandboxed(tmp_path: Path) -> AsyncIterator[Host]:
    async with host("sandboxed", tmp_path) as made:
        yield made
