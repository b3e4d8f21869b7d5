"""The error catalogue is complete, and each of its sentences can be said."""

import string
from pathlib import Path

import pytest

from netlab.domain.errors import CATALOGUE, ErrorCode, NetlabError

TOP = Path(__file__).parents[2]


def test_every_code_is_in_the_catalogue() -> None:
    assert set(CATALOGUE) == set(ErrorCode)


@pytest.mark.parametrize("code", ErrorCode, ids=str)
def test_a_sentence_is_a_sentence(code: ErrorCode) -> None:
    kind = CATALOGUE[code]
    assert 400 <= kind.status < 600
    words = {name for text in (kind.message, kind.hint) for _, name, _, _ in string.Formatter().parse(text) if name}
    error = NetlabError(code, **dict.fromkeys(words, "something"))
    for text in (error.message, error.hint):
        assert "{" not in text and "}" not in text
    assert kind.message and (kind.message[0].isupper() or kind.message.startswith("{"))
    assert error.body().to_error().message == error.message


@pytest.mark.parametrize("code", ErrorCode, ids=str)
def test_a_code_is_raised_somewhere(code: ErrorCode) -> None:
    sources = [path for path in (TOP / "netlab").rglob("*.py") if path.name != "errors.py" or "domain" not in path.parts]
    assert any(f"ErrorCode.{code.name}" in path.read_text() for path in sources), f"{code} is in the catalogue and nobody uses it"
