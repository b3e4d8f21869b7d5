"""The run's life cycle: every state is reachable, ends are ends, and an illegal move names both states."""

import pytest

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lifecycle import ACTIVE, ENDED, MOVES, RunState, can_move, check_move


def test_every_state_has_a_row_and_is_reachable_from_the_two_beginnings() -> None:
    assert set(MOVES) == set(RunState)
    seen, todo = set(), [RunState.QUEUED, RunState.STARTING]
    while todo:
        state = todo.pop()
        if state not in seen:
            seen.add(state)
            todo.extend(MOVES[state])
    assert seen == set(RunState)


def test_from_every_state_a_run_can_come_to_an_end() -> None:
    def ends(state: RunState, seen: frozenset[RunState] = frozenset()) -> bool:
        return state in ENDED or any(ends(n, seen | {state}) for n in MOVES[state] if n not in seen)

    assert all(ends(state) for state in RunState)


def test_a_stopped_run_never_lives_again() -> None:
    assert MOVES[RunState.STOPPED] == frozenset()
    assert not can_move(RunState.STOPPED, RunState.RUNNING)


def test_an_illegal_move_names_both_states() -> None:
    with pytest.raises(NetlabError) as caught:
        check_move(RunState.QUEUED, RunState.PAUSED)
    assert caught.value.code is ErrorCode.RUN_STATE
    assert "queued" in caught.value.message and "paused" in caught.value.message


def test_what_ended_holds_nothing() -> None:
    assert not ACTIVE & ENDED
