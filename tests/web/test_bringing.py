"""*Bring me to the start of step N*: what becomes of the files, what the host is told, when it ends and with what words."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from netlab.catalogue.labs import get_lab
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lifecycle import RunState
from netlab.runs.actions import do_reset_run, do_start_run
from netlab.runs.bringing import do_bring_to_step
from netlab.runs.files import do_write_file
from netlab.runs.models import Run
from netlab.runs.projection import do_host_event
from netlab.wire.commands import ApplySolution, OpenStep, ResetRun
from netlab.wire.events import Announcement, CommandDone, CommandFailed, Event, RunStateChanged
from netlab.workshops.models import Attendee
from tests.web.conftest import LAB, FakeHost

MINE = "// what I tried\n"


def event(kind: type, run: Run, **fields: Any) -> Event:
    return kind(**{"run": run.pk, "generation": run.generation, "at": time.time()} | fields)  # type: ignore[no-any-return]


def is_running(run: Run) -> Run:
    do_host_event(event(RunStateChanged, run, state=RunState.RUNNING))
    run.refresh_from_db()
    return run


@pytest.fixture
def running(attendee: Attendee, host: FakeHost) -> Run:
    run = is_running(do_start_run(attendee, LAB))
    host.nudges()
    return run


def said(told: Callable[[Run], list[Event]], run: Run) -> list[str]:
    return [e.text for e in told(run) if isinstance(e, Announcement)]


def brought(run: Run, host: FakeHost, number: int) -> list[ApplySolution]:
    """What the host was told once the lab was as new."""
    run = do_bring_to_step(run, run.spec().steps[number - 1].id)
    host.nudges()
    is_running(run)
    return [command for command in host.commands() if isinstance(command, ApplySolution)]


def test_the_lab_is_as_new_and_then_the_steps_before_are_done(running: Run, host: FakeHost) -> None:
    steps = running.spec().steps
    run = do_bring_to_step(running, steps[3].id)
    (reset,) = host.commands()
    assert isinstance(reset, ResetRun) and run.run_state is RunState.RESETTING
    assert {f.path: f.content for f in reset.files or []} == get_lab(LAB).files, "it begins with the starter's files"
    is_running(run)
    commands = host.commands()
    assert [c.step for c in commands if isinstance(c, ApplySolution)] == [s.id for s in steps[:3]]
    assert [c.step for c in commands if isinstance(c, OpenStep)] == [steps[3].id]
    assert run.open_step == steps[3].id


def test_the_files_are_those_of_the_last_solution(running: Run, host: FakeHost) -> None:
    commands = brought(running, host, 4)
    file = running.files.get(path="xdp.c")
    solution = get_lab(LAB).solution(running.spec().steps[2].id)
    assert solution is not None and file.content == solution.files["xdp.c"] and file.origin == "solution"
    assert {f.version for c in commands for f in c.files if f.path == "xdp.c"} == {file.version}


def test_what_the_attendee_wrote_is_kept_beside(running: Run, host: FakeHost) -> None:
    own = running.files.get(path="xdp.c")
    do_write_file(running, "xdp.c", MINE, own.version)
    do_write_file(running, "notes.txt", "remember", 0)
    host.nudges()
    brought(running, host, 3)
    assert running.files.get(path="xdp.c.mine").content == MINE
    assert running.files.get(path="notes.txt").content == "remember"
    brought(running, host, 2)
    assert running.files.get(path="xdp.c.mine").content == MINE, "what a solution wrote is nobody's work"


def test_it_is_told_when_it_is_there(running: Run, host: FakeHost, told: Callable[[Run], list[Event]]) -> None:
    commands = brought(running, host, 3)
    for command in commands[:-1]:
        do_host_event(event(CommandDone, running, command=command.id, what="done"))
    assert not any("You are at" in text for text in said(told, running))
    do_host_event(event(CommandDone, running, command=commands[-1].id, what="done"))
    assert said(told, running)[-1] == f"You are at the start of step 3: {running.spec().steps[2].title}."
    running.refresh_from_db()
    assert running.bringing == {}


def test_the_first_step_needs_nothing_done(running: Run, host: FakeHost, told: Callable[[Run], list[Event]]) -> None:
    assert brought(running, host, 1) == []
    assert said(told, running)[-1].startswith("You are at the start of step 1")


def test_a_solution_that_does_not_work_is_told_with_its_step(
    running: Run, host: FakeHost, told: Callable[[Run], list[Event]]
) -> None:
    commands = brought(running, host, 4)
    error = NetlabError(ErrorCode.FILE_UNKNOWN, path="x.c", paths="y.c").body()
    do_host_event(event(CommandFailed, running, command=commands[1].id, error=error))
    assert "stopped in step 2: There is no file x.c." in said(told, running)[-1]
    do_host_event(event(CommandDone, running, command=commands[-1].id, what="done"))
    assert "You are at" not in said(told, running)[-1], "it is not there"


def test_a_reset_takes_the_wish_back(running: Run, host: FakeHost) -> None:
    run = do_bring_to_step(running, running.spec().steps[3].id)
    do_reset_run(run)
    host.nudges()
    is_running(run)
    assert not any(isinstance(c, ApplySolution) for c in host.commands())


def test_what_cannot_be(running: Run) -> None:
    with pytest.raises(NetlabError) as unknown:
        do_bring_to_step(running, "nowhere")
    assert unknown.value.code is ErrorCode.STEP_UNKNOWN
    Run.objects.filter(pk=running.pk).update(lab_digest="sha256:older")
    running.refresh_from_db()
    with pytest.raises(NetlabError) as changed:
        do_bring_to_step(running, running.spec().steps[1].id)
    assert changed.value.code is ErrorCode.LAB_CHANGED
    Run.objects.filter(pk=running.pk).update(state="paused", lab_digest=get_lab(LAB).digest)
    running.refresh_from_db()
    with pytest.raises(NetlabError) as paused:
        do_bring_to_step(running, running.spec().steps[1].id)
    assert paused.value.code is ErrorCode.RUN_NOT_RUNNING
