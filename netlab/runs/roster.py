"""Who is here and how far: a workshop's attendees with their newest runs. Three queries, however many people. Reads only."""

from collections import Counter
from datetime import datetime

from pydantic import BaseModel

from netlab.domain.lifecycle import ENDED, RunState
from netlab.runs.models import CheckState, Run
from netlab.workshops.models import Workshop


class RosterRow(BaseModel):
    """One attendee with the run they have, or had last. A step is passed when all its checks once were."""

    attendee: int
    name: str
    seen_at: datetime
    lab: str | None = None
    state: RunState | None = None
    step: str | None = None
    steps_passed: int = 0
    steps_total: int = 0
    run: str | None = None
    problem: str = ""
    """Why it is broken or failed, one sentence."""


def roster(workshop: Workshop) -> list[RosterRow]:
    newest: dict[int, Run] = {}
    fields = ("id", "attendee_id", "lab", "state", "open_step", "created_at", "error")
    for run in Run.objects.filter(workshop=workshop).only(*fields).order_by("created_at", "id"):
        held = newest.get(run.attendee_id)
        if held is None or held.run_state in ENDED or run.run_state not in ENDED:
            newest[run.attendee_id] = run
    progress = _progress([run.pk for run in newest.values()])
    return [
        RosterRow(attendee=a.pk, name=a.name, seen_at=a.seen_at, **_run_part(newest.get(a.pk), progress))
        for a in workshop.attendees.all()
    ]


def _run_part(run: Run | None, progress: dict[str, tuple[int, int]]) -> dict[str, object]:
    if run is None:
        return {}
    passed, total = progress.get(run.pk, (0, 0))
    return {
        "lab": run.lab, "state": run.run_state, "step": run.open_step, "run": run.pk,
        "problem": run.error["message"] if run.error else "", "steps_passed": passed, "steps_total": total,
    }


def _progress(run_ids: list[str]) -> dict[str, tuple[int, int]]:
    """{run: (steps of which every check was once passed, steps with checks)}."""
    checks: Counter[tuple[str, str]] = Counter()
    passed: Counter[tuple[str, str]] = Counter()
    for run, step, ever in CheckState.objects.filter(run_id__in=run_ids).values_list("run_id", "step", "ever_passed"):
        checks[run, step] += 1
        passed[run, step] += ever
    result: dict[str, tuple[int, int]] = {}
    for (run, step), count in checks.items():
        done, total = result.get(run, (0, 0))
        result[run] = (done + (passed[run, step] == count), total + 1)
    return result
