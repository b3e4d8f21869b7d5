"""A full host gives places in a queue that moves, and ends, deadlines and crashes heal."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lifecycle import RunState
from netlab.runs.actions import do_extend_run, do_reset_run, do_start_run, do_stop_run, do_stop_workshop_runs
from netlab.runs.admission import do_admit_queued, queue_position
from netlab.runs.choices import ACTIVE_VALUES
from netlab.runs.models import Host, ProjectedEvent, Run
from netlab.runs.projection import do_host_event
from netlab.runs.upkeep import do_expire_runs, do_heal_runs, do_notice_silent_host, do_tidy
from netlab.wire.commands import ResetRun, StartRun, StopRun
from netlab.wire.events import Announcement, Event, QueueMoved, RunStateChanged, TimeChanged
from netlab.wire.host_report import RunningRun
from netlab.wire.redis_names import Keys
from netlab.workshops.actions import do_close_workshop
from netlab.workshops.models import Attendee, Workshop
from tests.web.conftest import LAB, FakeHost, sit_down


def ended(run: Run, state: RunState = RunState.STOPPED) -> None:
    run.refresh_from_db()
    do_host_event(RunStateChanged(run=run.pk, generation=run.generation, at=time.time(), state=state))


def running(run: Run) -> Run:
    do_host_event(RunStateChanged(run=run.pk, generation=run.generation, at=time.time(), state=RunState.RUNNING))
    run.refresh_from_db()
    return run


@pytest.fixture
def people(workshop: Workshop) -> list[Attendee]:
    return [sit_down(workshop, f"P{number}") for number in range(4)]


@pytest.fixture
def cost_mb(people: list[Attendee], host: FakeHost) -> int:
    from netlab.catalogue.labs import get_lab

    return get_lab(LAB).spec.memory_mb


def test_the_queue_moves(people: list[Attendee], host: FakeHost, cost_mb: int, told: Callable[[Run], list[Event]]) -> None:
    host.report(memory_mb=cost_mb)
    first, second, third = (do_start_run(person, LAB) for person in people[:3])
    assert [r.run_state for r in (first, second, third)] == [RunState.STARTING, RunState.QUEUED, RunState.QUEUED]
    assert [queue_position(r) for r in (first, second, third)] == [None, 1, 2]
    assert second.deadline is None, "waiting costs no time"
    assert [c.run for c in host.commands()] == [first.pk]
    do_stop_run(running(first))
    do_admit_queued("local")
    assert Run.objects.get(pk=second.pk).run_state is RunState.QUEUED, "a lab that stops still holds its place"
    ended(first)
    second.refresh_from_db()
    assert second.run_state is RunState.STARTING and second.deadline is not None
    assert [c.run for c in host.commands() if isinstance(c, StartRun)] == [second.pk]
    moved = told(third)[-1]
    assert isinstance(moved, QueueMoved) and moved.position == 1


def test_who_gives_up_lets_the_others_move(
    people: list[Attendee], host: FakeHost, cost_mb: int, told: Callable[[Run], list[Event]]
) -> None:
    host.report(memory_mb=cost_mb)
    _, second, third = (do_start_run(person, LAB) for person in people[:3])
    assert do_stop_run(second).run_state is RunState.STOPPED
    assert queue_position(third) == 1
    moved = told(third)[-1]
    assert isinstance(moved, QueueMoved) and moved.position == 1


def test_more_room_lets_all_in_at_the_sweep(people: list[Attendee], host: FakeHost, cost_mb: int) -> None:
    host.report(memory_mb=cost_mb)
    runs = [do_start_run(person, LAB) for person in people]
    host.report(memory_mb=cost_mb * 3)
    assert do_admit_queued("local") == 2
    assert Run.objects.filter(pk__in=[r.pk for r in runs], state="queued").count() == 1
    host.silent()
    assert do_admit_queued("local") == 0


def test_a_large_lab_at_the_head_is_not_overtaken(people: list[Attendee], host: FakeHost, cost_mb: int) -> None:
    host.report(memory_mb=cost_mb)
    first, large, small = (do_start_run(person, LAB) for person in people[:3])
    Run.objects.filter(pk=large.pk).update(memory_mb=cost_mb * 10)
    ended(do_stop_run(running(first)))
    assert Run.objects.get(pk=small.pk).run_state is RunState.QUEUED


def test_places_are_never_given_twice(people: list[Attendee], host: FakeHost, cost_mb: int) -> None:
    host.report(memory_mb=cost_mb * 2)
    barrier = threading.Barrier(len(people))

    def start(person: Attendee) -> None:
        barrier.wait()
        try:
            do_start_run(person, LAB)
        finally:
            connection.close()

    threads = [threading.Thread(target=start, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Run.objects.filter(state__in=ACTIVE_VALUES).count() == 2
    assert Run.objects.filter(state="queued").count() == 2


def test_start_pressed_twice_at_once_is_one_run(people: list[Attendee], host: FakeHost) -> None:
    found: list[str] = []
    barrier = threading.Barrier(4)

    def start() -> None:
        barrier.wait()
        try:
            found.append(do_start_run(people[0], LAB).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and len(set(found)) == 1
    assert Run.objects.count() == 1


# --- time


def test_time_runs_out_with_a_warning(attendee: Attendee, host: FakeHost, told: Callable[[Run], list[Event]]) -> None:
    run = running(do_start_run(attendee, LAB))
    Run.objects.filter(pk=run.pk).update(deadline=timezone.now() + timedelta(minutes=4))
    assert do_expire_runs() == 0
    assert do_expire_runs() == 0
    warnings = [e for e in told(run) if isinstance(e, Announcement)]
    assert len(warnings) == 1 and "4 minutes" in warnings[0].text
    Run.objects.filter(pk=run.pk).update(deadline=timezone.now() - timedelta(seconds=1))
    host.nudges()
    assert do_expire_runs() == 1
    run.refresh_from_db()
    assert run.run_state is RunState.STOPPING
    assert isinstance(host.commands()[0], StopRun)
    assert do_expire_runs() == 0


def test_more_time_up_to_the_workshop_s_end(
    attendee: Attendee, workshop: Workshop, host: FakeHost, told: Callable[[Run], list[Event]]
) -> None:
    workshop.closes_at = timezone.now() + timedelta(minutes=200)
    workshop.save()
    attendee.workshop.refresh_from_db()
    run = running(do_start_run(attendee, LAB))
    run = do_extend_run(run)
    assert run.deadline == workshop.closes_at
    changed = told(run)[-1]
    assert isinstance(changed, TimeChanged) and changed.deadline == workshop.closes_at.timestamp()
    with pytest.raises(NetlabError) as caught:
        do_extend_run(run)
    assert caught.value.code is ErrorCode.RUN_TIME_LIMIT


def test_nobody_looks_any_more(attendee: Attendee, host: FakeHost) -> None:
    run = running(do_start_run(attendee, LAB))
    long_ago = timezone.now() - timedelta(hours=2)
    Run.objects.filter(pk=run.pk).update(seen_at=long_ago)
    host.client.set(Keys(host.config.instance).watch(run.pk), b"1")
    assert do_expire_runs() == 0, "a browser looks at it"
    host.client.delete(Keys(host.config.instance).watch(run.pk))
    Run.objects.filter(pk=run.pk).update(seen_at=long_ago)
    assert do_expire_runs() == 1


def test_a_closed_workshop_ends_its_labs(attendee: Attendee, workshop: Workshop, host: FakeHost) -> None:
    run = running(do_start_run(attendee, LAB))
    do_close_workshop(workshop)
    assert do_expire_runs() == 1
    run.refresh_from_db()
    assert run.run_state is RunState.STOPPING


def test_stop_all(people: list[Attendee], workshop: Workshop, host: FakeHost) -> None:
    for person in people:
        do_start_run(person, LAB)
    assert do_stop_workshop_runs(workshop) == 4
    assert do_stop_workshop_runs(workshop) == 0


# --- healing


def settled(run: Run) -> None:
    """As if everything had been so for a while."""
    past = timezone.now() - timedelta(minutes=5)
    Run.objects.filter(pk=run.pk).update(state_at=past, nudged_at=past)


def has(run: Run, state: str = "running", generation: int | None = None) -> RunningRun:
    return RunningRun(
        run=run.pk, lab=LAB, state=state, generation=generation or run.generation, memory_mb=1, cpu_percent=1
    )


def test_a_lost_start_is_sent_again(attendee: Attendee, host: FakeHost) -> None:
    run = do_start_run(attendee, LAB)
    host.nudges()
    assert do_heal_runs(host.report()) == 0, "it may just be under way"
    settled(run)
    assert do_heal_runs(host.report()) == 1
    (start,) = host.commands()
    assert isinstance(start, StartRun) and start.run == run.pk
    assert do_heal_runs(host.report()) == 0, "not at once again"


def test_a_lost_event_is_asked_for(attendee: Attendee, host: FakeHost) -> None:
    """The host runs it, the row still says starting: the same StartRun is answered with the state."""
    run = do_start_run(attendee, LAB)
    host.nudges()
    settled(run)
    assert do_heal_runs(host.report(runs=[has(run)])) == 1
    assert isinstance(host.commands()[0], StartRun)


def test_a_lost_stop_and_a_lost_reset_are_sent_again(attendee: Attendee, other_attendee: Attendee, host: FakeHost) -> None:
    stopping = do_stop_run(running(do_start_run(attendee, LAB)))
    resetting = do_reset_run(running(do_start_run(other_attendee, LAB)), keep_files=False)
    host.nudges()
    settled(stopping)
    settled(resetting)
    report = host.report(runs=[has(stopping, generation=1), has(resetting, generation=1)])
    assert do_heal_runs(report) == 2
    commands = {c.run: c for c in host.commands()}
    assert isinstance(commands[stopping.pk], StopRun) and commands[stopping.pk].generation == 2
    reset = commands[resetting.pk]
    assert isinstance(reset, ResetRun) and reset.generation == 2 and reset.files


def test_what_agrees_is_left_alone(attendee: Attendee, host: FakeHost) -> None:
    run = running(do_start_run(attendee, LAB))
    settled(run)
    host.nudges()
    assert do_heal_runs(host.report(runs=[has(run)])) == 0
    assert do_heal_runs(host.report(runs=[has(run, state="starting")])) == 0, "it is being built again"
    assert host.commands() == []


def test_what_should_not_run_is_sent_away(attendee: Attendee, host: FakeHost) -> None:
    run = do_stop_run(running(do_start_run(attendee, LAB)))
    ended(run)
    host.nudges()
    report = host.report(runs=[has(run, generation=2)])
    assert do_heal_runs(report) == 0, "the report may be older than the end"
    Run.objects.filter(pk=run.pk).update(ended_at=timezone.now() - timedelta(minutes=1))
    assert do_heal_runs(report) == 1
    assert isinstance(host.commands()[0], StopRun)
    stranger = RunningRun(run="r0123456789", lab=LAB, state="running", generation=7, memory_mb=1, cpu_percent=1)
    assert do_heal_runs(host.report(runs=[stranger])) == 1
    (stop,) = host.commands()
    assert (stop.run, stop.generation) == ("r0123456789", 7)
    odd = RunningRun(run="../../x", lab=LAB, state="running", generation=1, memory_mb=1, cpu_percent=1)
    assert do_heal_runs(host.report(runs=[odd])) == 0


def test_a_silent_host_is_told_once_and_its_labs_are_left_alone(
    attendee: Attendee, host: FakeHost, told: Callable[[Run], list[Event]]
) -> None:
    run = running(do_start_run(attendee, LAB))
    assert do_notice_silent_host("local") is not None
    host.silent()
    assert do_notice_silent_host("local") is None
    assert do_notice_silent_host("local") is None
    assert Host.objects.get(name="local").silent_since is not None
    host.report()
    do_notice_silent_host("local")
    texts = [e.text for e in told(run) if isinstance(e, Announcement)]
    assert len(texts) == 2 and "back" in texts[1]
    run.refresh_from_db()
    assert run.run_state is RunState.RUNNING


def test_old_event_ids_are_forgotten(host: FakeHost) -> None:
    ProjectedEvent.objects.create(entry="new")
    ProjectedEvent.objects.create(entry="old", at=timezone.now() - timedelta(hours=2))
    assert do_tidy() == 1
