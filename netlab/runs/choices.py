"""Closed sets of this app, with the words of netlab.domain.lifecycle."""

from django.db.models import TextChoices

from netlab.domain.lab import Isolation, RuntimeName
from netlab.domain.lifecycle import ACTIVE, UNFINISHED, RunState

RunStateChoices = [(state.value, state.value) for state in RunState]
RuntimeChoices = [(runtime.value, runtime.value) for runtime in RuntimeName]
IsolationChoices = [(isolation.value, isolation.value) for isolation in Isolation]
UNFINISHED_VALUES = sorted(state.value for state in UNFINISHED)
ACTIVE_VALUES = sorted(state.value for state in ACTIVE)
HELD_VALUES = sorted(state.value for state in ACTIVE - {RunState.STOPPING})
"""States of runs that a host is meant to hold."""


class FileOrigin(TextChoices):
    STARTER = "starter"
    EDITOR = "editor"
    SHELL = "shell"
    SOLUTION = "solution"
    RESET = "reset"


class TerminalState(TextChoices):
    OPENING = "opening"
    OPEN = "open"
    CLOSED = "closed"
