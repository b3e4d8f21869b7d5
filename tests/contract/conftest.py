"""One kit a test: its own instance, its own processes, everything given back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.contract.kit import Kit, own_config


@pytest.fixture(params=["namespaces"])
def runtime_name(request: pytest.FixtureRequest) -> str:
    """Every runtime there is: a new one joins the contract by joining this list."""
    return str(request.param)


@pytest_asyncio.fixture
async def kit(runtime_name: str, tmp_path: Path) -> AsyncIterator[Kit]:
    with own_config(tmp_path) as config:
        kit = Kit(config)
        await kit.open()
        try:
            yield kit
        finally:
            await kit.end()
