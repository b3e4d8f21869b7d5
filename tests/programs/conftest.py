"""Two nodes for all tests of a module: each test gives back what it attached."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from netlab.domain.lab import Isolation
from tests.two_nodes import TwoNodes, two_nodes


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strangers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TwoNodes]:
    async with two_nodes("h3prog", tmp_path_factory.mktemp("strangers")) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trusted(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TwoNodes]:
    async with two_nodes("h3prot", tmp_path_factory.mktemp("trusted"), Isolation.TRUSTED) as made:
        yield made
