"""Every management command and every command of the host is tried by some test."""

from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
COMMANDS = sorted(path.stem for path in (TOP / "netlab").glob("*/management/commands/*.py") if path.stem != "__init__")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_management_command_has_a_test(command: str) -> None:
    texts = [path.read_text() for path in (TOP / "tests").rglob("*.py") if path != Path(__file__)]
    assert any(f'"{command}"' in text or f"commands.{command}" in text for text in texts)
