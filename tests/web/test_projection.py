"""What hosts tell becomes rows: in order, twice, late, and against the life cycle."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lifecycle import RunState
from netlab.runs.actions import do_open_step, do_reset_run, do_start_run, do_stop_run
from netlab.runs.choices import TerminalState
from netlab.runs.files import do_write_file
from netlab.runs.inside import do_open_terminal
from netlab.runs.models import Run
from netlab.runs.projection import do_host_event
from netlab.wire.commands import OpenStep, WriteFile
from netlab.wire.events import (
    Attachment,
    CheckResult,
    CheckVerdict,
    CommandFailed,
    Event,
    HostStepFinished,
    HostStepStarted,
    ProgramResult,
    ProgramsChanged,
    RunStateChanged,
    TerminalClosed,
    TerminalOpened,
)
from netlab.workshops.models import Attendee
from tests.web.conftest import LAB, FakeHost


def event(kind: type, run: Run, **fields: Any) -> Event:
    return kind(**{"run": run.pk, "generation": run.generation, "at": time.time()} | fields)  # type: ignore[no-any-return]


def state(run: Run, wanted: RunState, **fields: Any) -> Event:
    return event(RunStateChanged, run, state=wanted, **fields)


@pytest.fixture
def run(attendee: Attendee, host: FakeHost) -> Run:
    run = do_start_run(attendee, LAB)
    host.nudges()
    return run


@pytest.fixture
def running(run: Run, host: FakeHost) -> Run:
    do_host_event(state(run, RunState.RUNNING))
    run.refresh_from_db()
    host.nudges()
    return run


def now(run: Run) -> RunState:
    run.refresh_from_db()
    return run.run_state


def test_a_run_becomes_running_once(run: Run) -> None:
    assert do_host_event(state(run, RunState.RUNNING), "k/1-0")
    assert now(run) is RunState.RUNNING
    assert not do_host_event(state(run, RunState.RUNNING), "k/1-0"), "the same entry again"
    assert not do_host_event(state(run, RunState.RUNNING), "k/2-0"), "the same news again"


def test_a_late_state_of_an_older_generation_is_ignored(running: Run) -> None:
    old = state(running, RunState.RUNNING)
    run = do_reset_run(running)
    do_host_event(old)
    assert now(run) is RunState.RESETTING
    do_host_event(state(run, RunState.RUNNING))
    assert now(run) is RunState.RUNNING


def test_an_illegal_move_is_ignored(running: Run) -> None:
    stopped = do_stop_run(running)
    do_host_event(state(stopped, RunState.STOPPED))
    assert now(stopped) is RunState.STOPPED
    for wanted in (RunState.RUNNING, RunState.STARTING, RunState.STOPPING):
        assert not do_host_event(state(stopped, wanted, generation=99))
    assert now(stopped) is RunState.STOPPED


def test_the_host_s_word_that_it_holds_nothing_is_always_taken(running: Run) -> None:
    """It failed while Reset was on its way: a run that is not there cannot be reset."""
    run = do_reset_run(running)
    error = NetlabError(ErrorCode.RUN_LOST, why="a part of it is gone").body()
    do_host_event(state(run, RunState.FAILED, generation=1, error=error))
    assert now(run) is RunState.FAILED
    assert run.error is not None and run.error["code"] == "run_lost"


def test_an_end_that_nobody_wished_is_an_end(running: Run) -> None:
    do_host_event(state(running, RunState.STOPPED))
    assert now(running) is RunState.STOPPED
    assert running.ended_at is not None
    assert not running.terminals.exclude(state=TerminalState.CLOSED).exists()


def test_a_refused_start_ends_the_run(run: Run) -> None:
    error = NetlabError(ErrorCode.LAB_INVALID, where="x", what="y").body()
    do_host_event(event(CommandFailed, run, command=run.start_sent["command"], error=error))
    assert now(run) is RunState.FAILED


def test_other_refusals_end_nothing(running: Run) -> None:
    error = NetlabError(ErrorCode.NODE_UNKNOWN, node="x", nodes="y").body()
    do_host_event(event(CommandFailed, running, command="c0123456789", error=error))
    assert now(running) is RunState.RUNNING


def test_a_refused_terminal_is_closed(running: Run) -> None:
    terminal = do_open_terminal(running, running.spec().nodes[0].name)
    error = NetlabError(ErrorCode.TERMINALS_FULL, limit=8).body()
    do_host_event(event(CommandFailed, running, command=terminal.opened_by, error=error))
    terminal.refresh_from_db()
    assert terminal.state == TerminalState.CLOSED


def test_what_was_saved_while_the_host_built_is_sent_after_it(run: Run, host: FakeHost) -> None:
    file = run.files.first()
    assert file is not None
    do_write_file(run, file.path, "// newer", file.version)
    other = run.spec().steps[-1].id
    do_open_step(run, other)
    assert host.commands() == [], "the host does not know the run yet"
    do_host_event(state(run, RunState.RUNNING))
    write, step = host.commands()
    assert isinstance(write, WriteFile) and (write.file.path, write.file.content) == (file.path, "// newer")
    assert isinstance(step, OpenStep) and step.step == other


def test_verdicts_stick(running: Run) -> None:
    row = running.checks.first()
    assert row is not None

    def verdict(passed: bool, at: float) -> None:
        said = [CheckVerdict(check=row.check_id, passed=passed, observed="o", expected="e")]
        do_host_event(event(CheckResult, running, step=row.step, verdicts=said, at=at))
        row.refresh_from_db()

    verdict(True, 1000.0)
    assert (row.passed, row.ever_passed) == (True, True)
    verdict(False, 1001.0)
    assert (row.passed, row.ever_passed) == (False, True)
    verdict(True, 999.0)
    assert not row.passed, "an older verdict that comes later says nothing"


def test_an_unknown_check_is_ignored(running: Run) -> None:
    said = [CheckVerdict(check="no-such", passed=True, observed="", expected="")]
    do_host_event(event(CheckResult, running, step="no-such-step", verdicts=said))
    assert not running.checks.filter(ever_passed=True).exists()


def test_host_steps_are_paired_by_key(run: Run) -> None:
    do_host_event(event(HostStepStarted, run, key="nodes", title="Create 2 nodes"))
    do_host_event(event(HostStepFinished, run, key="nodes", title="Create 2 nodes", ok=True, ms=12.5))
    do_host_event(event(HostStepStarted, run, key="files", title="Put files"))
    run.refresh_from_db()
    assert [(s["key"], s["state"], s["ms"]) for s in run.host_steps] == [("nodes", "done", 12.5), ("files", "running", None)]


def test_programs_and_results(running: Run) -> None:
    program = running.spec().programs[0].name
    there = Attachment(node="a", interface="eth0", hook="xdp", mode="native", program_id=4, name="xdp")
    do_host_event(event(ProgramsChanged, running, attachments=[there]))
    do_host_event(event(ProgramResult, running, program=program, outcome="attached", summary="Attached."))
    do_host_event(event(ProgramResult, running, program=program, outcome="refused", summary="Refused."))
    running.refresh_from_db()
    assert running.attachments[0]["program_id"] == 4
    assert running.program_outcomes.get().result["outcome"] == "refused"


def test_terminals_open_and_close(running: Run) -> None:
    terminal = running.terminals.first()
    assert terminal is not None
    do_host_event(event(TerminalOpened, running, terminal=terminal.pk, node=terminal.node))
    terminal.refresh_from_db()
    assert terminal.state == TerminalState.OPEN
    do_host_event(event(TerminalClosed, running, terminal=terminal.pk, reason="the shell ended"))
    terminal.refresh_from_db()
    assert (terminal.state, terminal.closed_reason) == (TerminalState.CLOSED, "the shell ended")


def test_an_event_of_an_unknown_run_is_no_error(running: Run) -> None:
    assert not do_host_event(RunStateChanged(run="r0000000000", at=1.0, state=RunState.FAILED))


def test_every_event_may_come_twice(run: Run, told: Callable[[Run], list[Event]]) -> None:
    """The whole story, each event two times with the same entry: the rows are those of one time."""
    events = [
        event(HostStepStarted, run, key="nodes", title="t"),
        event(HostStepFinished, run, key="nodes", title="t", ok=True, ms=1.0),
        state(run, RunState.RUNNING),
        event(TerminalClosed, run, terminal=run.terminals.all()[0].pk, reason="x"),
    ]
    for number, said in enumerate(events):
        do_host_event(said, f"k/{number}")
        before = Run.objects.filter(pk=run.pk).values().get()
        do_host_event(said, f"k/{number}")
        assert Run.objects.filter(pk=run.pk).values().get() == before
