"""Fixtures of the tests of machines: one tiny image and one store of its templates for all of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from netlab.host.vm.api import GuestImage
from tests.vm import kit


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> GuestImage:
    return kit.tiny_image(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def templates_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by tests that do no harm to it."""
    return tmp_path_factory.mktemp("templates")


@pytest.fixture
async def host(image: GuestImage, templates_dir: Path) -> AsyncIterator[kit.Vms]:
    async with kit.vms(image, templates_dir) as made:
        yield made
