"""The life of a run: its states, the legal moves between them, and the words that callers use instead of states.

Used by the web side for rows and by the host side for what it reports; it decides nothing by itself.
"""

from enum import StrEnum

from netlab.domain.errors import ErrorCode, NetlabError


class RunState(StrEnum):
    QUEUED = "queued"  # waits for a place on a host
    STARTING = "starting"  # a host builds it
    RUNNING = "running"
    RESETTING = "resetting"  # back to its first state, same id
    PAUSED = "paused"  # on disk, nothing held (vm runtime)
    BROKEN = "broken"  # its own kernel died or hangs; files are safe, a reset brings it back (vm runtime)
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"  # could not be built, or was lost; holds nothing


MOVES: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.STARTING, RunState.STOPPED, RunState.FAILED}),
    RunState.STARTING: frozenset({RunState.RUNNING, RunState.STOPPING, RunState.FAILED, RunState.QUEUED}),
    RunState.RUNNING: frozenset({RunState.RESETTING, RunState.PAUSED, RunState.BROKEN, RunState.STOPPING, RunState.FAILED}),
    RunState.RESETTING: frozenset({RunState.RUNNING, RunState.STOPPING, RunState.FAILED}),
    RunState.PAUSED: frozenset({RunState.RUNNING, RunState.RESETTING, RunState.BROKEN, RunState.STOPPING, RunState.FAILED}),
    RunState.BROKEN: frozenset({RunState.RESETTING, RunState.STOPPING, RunState.FAILED}),
    RunState.STOPPING: frozenset({RunState.STOPPED, RunState.FAILED}),
    RunState.STOPPED: frozenset(),
    RunState.FAILED: frozenset({RunState.STOPPING, RunState.STOPPED}),
}

ACTIVE = frozenset({RunState.STARTING, RunState.RUNNING, RunState.RESETTING, RunState.PAUSED, RunState.BROKEN, RunState.STOPPING})
"""Holds, or may hold, something on a host: counts against its budget."""
PENDING = frozenset({RunState.QUEUED, RunState.STARTING, RunState.RESETTING, RunState.STOPPING})
"""Will change by itself."""
ENDED = frozenset({RunState.STOPPED, RunState.FAILED})
UNFINISHED = frozenset(RunState) - ENDED


def can_move(now: RunState, wanted: RunState) -> bool:
    return wanted in MOVES[now]


def check_move(now: RunState, wanted: RunState) -> None:
    """Raise RUN_STATE, naming both states, unless the move is in the table."""
    if not can_move(now, wanted):
        raise NetlabError(ErrorCode.RUN_STATE, state=now.value, wanted=wanted.value)
