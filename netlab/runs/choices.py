"""Closed sets of this app, with the words of netlab.domain.lifecycle."""

from django.db.models import TextChoices

from netlab.domain.lab import Isolation, RuntimeName
from netlab.domain.lifecycle import ACTIVE, UNFINISHED, RunState

RunStateChoices = [(state.value, state.value) for state in RunState]
RuntimeChoices = [(runtime.value, runtime.value) for runtime in RuntimeName]
IsolationChoices = [(isolation.value, isolation.value) for isolation in Isolation]
UNFINISHED_VALUES = sorted(state.value for state in UNFINISHED)
ACTIVE_VALUES = sorted(state.value for state in ACTIVE)
MEMORY_VALUES = sorted(state.value for state in ACTIVE - {RunState.PAUSED})
"""States in which a run's place is taken. A broken one keeps its place: a reset may bring it back at any moment."""


MIRRORED = frozenset({RunState.RUNNING, RunState.RESETTING, RunState.PAUSED, RunState.BROKEN})
"""States in which a host takes a file or the open step; of one that is paused or broken it keeps them for what comes next."""


class FileOrigin(TextChoices):
    STARTER = "starter"
    EDITOR = "editor"
    SHELL = "shell"
    SOLUTION = "solution"
    RESET = "reset"


class Wish(TextChoices):
    """What was asked of a run beyond its state: its host has not answered yet, or the run waits for a place."""

    PAUSE = "pause"
    RESUME = "resume"
    RESET = "reset"
    RESET_FILES = "reset_files"


class TerminalState(TextChoices):
    OPENING = "opening"
    OPEN = "open"
    CLOSED = "closed"
