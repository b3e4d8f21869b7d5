"""When a run ends and how far that may be moved. Pure but for the clock."""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from netlab.domain.lifecycle import ACTIVE, RunState
from netlab.runs.models import Run

LIFE_MAX = timedelta(hours=24)
"""Of a run in a workshop without a closing time: nobody's forgotten lab lives for ever by a script that extends it."""
WORTH_IT = timedelta(minutes=1)
WARN_BEFORE = timedelta(minutes=5)


def latest_deadline(run: Run) -> datetime:
    longest = run.created_at + LIFE_MAX
    closes = run.workshop.closes_at
    return min(longest, closes) if closes else longest


def first_deadline(run: Run) -> datetime:
    """From the moment when it got its place; waiting in the queue costs nothing."""
    return min(timezone.now() + timedelta(minutes=settings.CONFIG.run_minutes), latest_deadline(run))


def extended_deadline(run: Run) -> datetime:
    return min((run.deadline or timezone.now()) + timedelta(minutes=settings.CONFIG.extend_minutes), latest_deadline(run))


def idle_since() -> datetime:
    """Runs that were seen last before that are idle."""
    return timezone.now() - timedelta(minutes=settings.CONFIG.idle_minutes)


def is_idle(run: Run) -> bool:
    return run.seen_at <= idle_since()


def idle_sentence(done: str) -> str:
    return f"Nobody has looked at this lab for {settings.CONFIG.idle_minutes} minutes; it was {done}."


def can_extend(run: Run) -> bool:
    if run.deadline is None or run.run_state not in ACTIVE - {RunState.STOPPING}:
        return False
    return extended_deadline(run) - run.deadline >= WORTH_IT
