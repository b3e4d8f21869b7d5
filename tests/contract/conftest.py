"""One kit a test: its own instance, its own processes, everything given back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from netlab.domain.lab import RuntimeName
from tests.contract.kit import Kit, own_config

HERE = Path(__file__).parent
LIMIT_S = 500
"""Of a test that may boot the guest and wait for a machine again and again; else what waits is cut before it can say for what."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LIMIT_S))


@pytest.fixture(params=list(RuntimeName), ids=str)
def runtime_name(request: pytest.FixtureRequest) -> RuntimeName:
    """Every runtime there is: a new one joins the contract by joining this list."""
    return RuntimeName(request.param)


@pytest_asyncio.fixture
async def kit(runtime_name: RuntimeName, tmp_path: Path) -> AsyncIterator[Kit]:
    async for kit in _kit(runtime_name, tmp_path):
        yield kit


@pytest_asyncio.fixture
async def shared_kernel(tmp_path: Path) -> AsyncIterator[Kit]:
    """For what only a kernel that labs share has: nodes with a first process of their own (in a guest a node is a namespace
    alone), and a guard against packet storms (a guest's storm is limited by the guest's own processor)."""
    async for kit in _kit(RuntimeName.NAMESPACES, tmp_path):
        yield kit


@pytest_asyncio.fixture
async def vm(tmp_path: Path) -> AsyncIterator[Kit]:
    """For what only a machine of one's own can do, or can suffer."""
    async for kit in _kit(RuntimeName.VM, tmp_path):
        yield kit


async def _kit(name: RuntimeName, folder: Path) -> AsyncIterator[Kit]:
    with own_config(folder) as config:
        kit = Kit(config, name)
        await kit.open()
        try:
            yield kit
        finally:
            await kit.end()
