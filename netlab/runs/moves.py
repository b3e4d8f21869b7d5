"""How a run's row changes its state: by the table of netlab.domain.lifecycle, with what goes with each state.

Used by actions, projection and sweeps; the one place that writes `Run.state`. Callers save nothing themselves.
"""

from typing import Any

from django.utils import timezone

from netlab.domain.errors import ErrorBody
from netlab.domain.lifecycle import ENDED, RunState, check_move
from netlab.runs.choices import TerminalState
from netlab.runs.models import Run
from netlab.workshops.telling import tell_roster

NOTHING_WISHED: dict[str, Any] = {"wish": "", "wish_command": "", "queued_at": None}
GONE = ENDED | {RunState.BROKEN}
"""No kernel holds anything of it."""


def move(run: Run, state: RunState, error: ErrorBody | None = None, **fields: Any) -> None:
    """Raises RUN_STATE for a move that is not in the table. `fields` are set and saved along.

    A new state answers whatever was wished before: what a run waits for ends with every move.
    """
    check_move(run.run_state, state)
    now = timezone.now()
    run.state, run.state_at = state.value, now
    run.error = error.model_dump(mode="json") if error else None
    fields = {**NOTHING_WISHED, **fields}
    if state in GONE:
        fields |= {"attachments": []}
    for name, value in fields.items():
        setattr(run, name, value)
    updated = {"state", "state_at", "error", *fields}
    if state is RunState.RUNNING and run.started_at is None:
        run.started_at = now
        updated.add("started_at")
    if state in ENDED:
        run.ended_at = now
        updated.add("ended_at")
        run.terminals.exclude(state=TerminalState.CLOSED).update(state=TerminalState.CLOSED, closed_reason="the lab ended")
    run.save(update_fields=sorted(updated))
    tell_roster(run.workshop_id)
