"""The front end's hand-written event types name every event and every field that browsers are sent."""

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from netlab.wire import events

TYPES = (Path(__file__).resolve().parents[2] / "frontend" / "src" / "api" / "types.ts").read_text()
MODELS: list[type[BaseModel]] = [
    model for model in get_args(get_args(events.Event)[0])
    if model.model_fields["kind"].default not in events.HIDDEN_FROM_BROWSERS
]
IN_EVERY_EVENT = set(events.EventBase.model_fields)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.model_fields["kind"].default)
def test_the_front_end_knows_the_event(model: type[BaseModel]) -> None:
    kind = model.model_fields["kind"].default
    found = re.search(rf'kind: "{kind}".*?(?=\n    \| |\n  \);)', TYPES, re.DOTALL)
    assert found, f"types.ts has no event of kind {kind}"
    declared = found.group() + (_interface("ProgramResult") if "ProgramResult" in found.group() else "")
    missing = [name for name in model.model_fields if name not in IN_EVERY_EVENT and f"{name}:" not in declared]
    assert not missing, f"{kind} lacks {missing} in types.ts"


@pytest.mark.parametrize(
    "model", [events.Diagnostic, events.VerifierLine, events.Attachment, events.Impairment, events.TaggedFrame],
    ids=lambda model: model.__name__,
)
def test_the_front_end_knows_the_parts(model: type[BaseModel]) -> None:
    assert [name for name in model.model_fields if f"{name}:" not in _interface(model.__name__)] == []


def _interface(name: str) -> str:
    found = re.search(rf"export interface {name} \{{.*?\n\}}", TYPES, re.DOTALL)
    assert found, f"types.ts has no interface {name}"
    return found.group()
