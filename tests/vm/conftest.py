"""Fixtures of the tests of machines: one tiny image and one store of its templates for all of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from netlab.host.vm.api import GuestImage
from tests.vm import kit

HERE = Path(__file__).parent
LIMIT_S = 400
"""Of a test: it may wait for a slow guest more than once, and what waits says for what."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LIMIT_S))


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
