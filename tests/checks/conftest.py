"""Two nodes for the tests of probes, and the context in which checks are evaluated."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.two_nodes import TwoNodes, two_nodes


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TwoNodes]:
    async with two_nodes("h3check", tmp_path_factory.mktemp("checks")) as made:
        yield made
