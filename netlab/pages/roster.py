"""The roster as the instructor's page shows it: titles instead of ids, words instead of states. Reads only."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from netlab.catalogue.labs import all_labs
from netlab.domain.lab import LabSpec
from netlab.domain.lifecycle import ENDED
from netlab.pages.lab_cards import STATE_WORDS
from netlab.runs.roster import RosterRow, roster
from netlab.workshops.models import Workshop

HERE_WITHIN = timedelta(minutes=2)
"""Open pages say every minute that somebody is there."""


@dataclass(frozen=True)
class ShownRow:
    attendee: int
    name: str
    seen_at: datetime
    here: bool
    lab: str
    state: str
    tone: str
    problem: str
    step: str
    """'3. Drop what you see', empty without a run."""
    passed: int
    total: int
    unfinished: bool


def roster_rows(workshop: Workshop) -> list[ShownRow]:
    """Who is here first, then by name."""
    specs = {lab.id: lab.spec for lab in all_labs()}
    now = timezone.now()
    rows = [_shown(row, specs.get(row.lab or ""), now) for row in roster(workshop)]
    return sorted(rows, key=lambda row: (not row.here, row.name.casefold()))


def _shown(row: RosterRow, spec: LabSpec | None, now: datetime) -> ShownRow:
    words, tone = STATE_WORDS[row.state] if row.state else ("", "")
    return ShownRow(
        attendee=row.attendee, name=row.name, seen_at=row.seen_at, here=now - row.seen_at < HERE_WITHIN,
        lab=spec.title if spec else row.lab or "", state=words, tone=tone, problem=row.problem, step=_step(spec, row.step),
        passed=row.steps_passed, total=row.steps_total, unfinished=row.state is not None and row.state not in ENDED,
    )


def _step(spec: LabSpec | None, step_id: str | None) -> str:
    ids = [step.id for step in spec.steps] if spec else []
    if spec is None or step_id not in ids:
        return step_id or ""
    at = ids.index(step_id)
    return f"{at + 1}. {spec.steps[at].title}"
