"""A `vm` runtime with machines that a test speaks for."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.contract.kit import own_config
from tests.unit.vm_runs.kit import VmKit


@pytest_asyncio.fixture
async def vms(tmp_path: Path) -> AsyncIterator[VmKit]:
    with own_config(tmp_path / "state") as config:
        (tmp_path / "state").mkdir()
        kit = VmKit(config.model_copy(update={"guest_dir": tmp_path / "guest"}))
        await kit.open()
        try:
            yield kit
        finally:
            await kit.end()
