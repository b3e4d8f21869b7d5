"""VMs on the web side: which kernel a run gets, pause and resume with their places in the queue, what happens to idle ones."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from netlab.config import Config
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import Isolation
from netlab.domain.lifecycle import RunState
from netlab.runs.actions import do_reset_run, do_start_run, do_stop_run
from netlab.runs.admission import do_admit_queued, queue_position
from netlab.runs.choices import ACTIVE_VALUES
from netlab.runs.hosts import promised_on
from netlab.runs.models import Run
from netlab.runs.pausing import do_pause_run
from netlab.runs.upkeep import do_expire_runs
from netlab.wire.commands import PauseRun, ResetRun, ResumeRun, StartRun, StopRun, WriteFile
from netlab.wire.events import Announcement, Event, QueueMoved
from netlab.wire.redis_names import Keys
from netlab.workshops.models import Attendee, Workshop
from tests.web.conftest import LAB, FakeHost, signed_in, sit_down
from tests.web.vm_people import (
    VM_MB,
    ask,
    page_of,
    paused,
    refused,
    report,
    running,
    told_by_host,
)

# --- a VM run


def test_a_private_run_says_whose_kernel_and_why(vm_people: list[Attendee], host: FakeHost) -> None:
    page = page_of(running(vm_people[0]))
    assert (page["runtime"], page["isolation"], page["kernel"]) == ("vm", "private", "6.12.1-guest")
    assert page["why_here"] == "This workshop gives everybody a kernel of their own."
    assert (page["can_pause"], page["changing_to"], page["impairments"]) == (True, None, [])
    assert promised_on("local").memory_mb == VM_MB


def test_a_lab_goes_to_a_vm_by_itself_where_the_host_lacks_something(attendee: Attendee, host: FakeHost) -> None:
    abilities = [{"ability": a.ability, "works": a.ability != "veth"} for a in host.report().abilities]
    host.report(abilities=abilities, guest=host.guest())
    page = signed_in(attendee.user).get(f"/api/v1/workshops/{attendee.workshop_id}/labs/{LAB}").json()
    assert (page["runtime"], page["isolation"], page["can_run"]["ok"]) == ("vm", "private", True)
    assert page["can_run"]["why_here"] == "It runs in a kernel of its own, because the host's kernel lacks veth."
    run = do_start_run(attendee, LAB)
    (start,) = host.commands()
    assert isinstance(start, StartRun) and (start.runtime, start.isolation) == ("vm", "private")
    assert page_of(run)["why_here"] == page["can_run"]["why_here"]


def test_the_page_asks_again_while_the_guest_is_built(attendee: Attendee, workshop: Workshop, host: FakeHost) -> None:
    Workshop.objects.update(isolation=Isolation.PRIVATE.value)
    host.report(guest=host.guest("building", doing="compiling", minutes_left=9))
    can_run = signed_in(attendee.user).get(f"/api/v1/workshops/{workshop.pk}/labs/{LAB}").json()["can_run"]
    assert (can_run["ok"], can_run["waits"], can_run["retry_s"]) == (False, True, 10)
    assert can_run["why"] == "building the guest kernel, about 9 min left"
    host.report(guest=host.guest())
    can_run = signed_in(attendee.user).get(f"/api/v1/workshops/{workshop.pk}/labs/{LAB}").json()["can_run"]
    assert (can_run["ok"], can_run["waits"], can_run["retry_s"]) == (True, False, None)


# --- pause and resume


def test_pause_and_resume(vm_people: list[Attendee], host: FakeHost) -> None:
    run = running(vm_people[0])
    host.nudges()
    answer = ask(run, "pause").json()
    assert (answer["state"], answer["changing_to"], answer["can_pause"]) == ("running", "paused", False)
    assert ask(run, "pause").status_code == 200
    (pause,) = host.commands()
    assert isinstance(pause, PauseRun) and pause.generation == run.generation
    assert promised_on("local").memory_mb == VM_MB, "it holds its memory until the host says that it does not"
    told_by_host(run, RunState.PAUSED)
    assert promised_on("local").memory_mb == 0
    page = page_of(run)
    assert (page["state"], page["changing_to"], page["queue_position"], page["can_extend"]) == ("paused", None, None, True)
    answer = ask(run, "resume").json()
    assert (answer["state"], answer["changing_to"], answer["queue_position"]) == ("paused", "running", None)
    assert ask(run, "resume").status_code == 200
    (resume,) = host.commands()
    assert isinstance(resume, ResumeRun)
    assert promised_on("local").memory_mb == VM_MB
    told_by_host(run, RunState.RUNNING)
    assert page_of(run)["changing_to"] is None


def test_a_resume_that_overtakes_the_word_of_the_pause_follows_it(vm_people: list[Attendee], host: FakeHost) -> None:
    """Browsers hear from the host at once, rows a moment later: who is quick presses Resume in between."""
    run = do_pause_run(running(vm_people[0]))
    host.nudges()
    answer = ask(run, "resume").json()
    assert (answer["state"], answer["changing_to"]) == ("running", "running")
    assert host.commands() == [], "the host is at the pause still"
    told_by_host(run, RunState.PAUSED)
    (resume,) = host.commands()
    assert isinstance(resume, ResumeRun)
    assert page_of(run)["changing_to"] == "running"
    told_by_host(run, RunState.RUNNING)
    assert (page_of(run)["state"], page_of(run)["changing_to"]) == ("running", None)


def test_who_changes_their_mind_twice_before_the_pause_is_done_stays_paused(vm_people: list[Attendee], host: FakeHost) -> None:
    run = do_pause_run(running(vm_people[0]))
    ask(run, "resume")
    assert ask(run, "pause").json()["changing_to"] == "paused"
    host.nudges()
    told_by_host(run, RunState.PAUSED)
    assert (page_of(run)["state"], page_of(run)["changing_to"], host.commands()) == ("paused", None, [])


def test_what_was_saved_while_it_was_paused_is_there_when_it_goes_on(vm_people: list[Attendee], host: FakeHost) -> None:
    run = paused(vm_people[0])
    file = run.files.all()[0]
    url = f"/api/v1/runs/{run.pk}/files/{file.path}"
    body = {"content": "// while asleep", "base_version": file.version}
    assert signed_in(run.attendee.user).put(url, body, content_type="application/json").status_code == 200
    ask(run, "resume")
    host.nudges()
    told_by_host(run, RunState.RUNNING)
    assert [c.file.content for c in host.commands() if isinstance(c, WriteFile)] == ["// while asleep"]


def test_a_lab_on_a_shared_kernel_cannot_be_paused(attendee: Attendee, host: FakeHost) -> None:
    run = running(attendee)
    assert page_of(run)["can_pause"] is False
    answer = ask(run, "pause")
    assert (answer.status_code, answer.json()["code"]) == (409, "cannot_pause")


@pytest.mark.parametrize("what", ["pause", "resume"])
def test_what_has_ended_is_neither_paused_nor_resumed(what: str, vm_people: list[Attendee], host: FakeHost) -> None:
    run = told_by_host(do_stop_run(running(vm_people[0])), RunState.STOPPED)
    answer = ask(run, what)
    assert (answer.status_code, answer.json()["code"]) == (409, "run_state")


def test_a_refused_pause_is_wished_no_more(vm_people: list[Attendee], host: FakeHost) -> None:
    run = do_pause_run(running(vm_people[0]))
    run = refused(run, run.wish_command, NetlabError(ErrorCode.CANNOT_PAUSE, why="the disk is full"))
    page = page_of(run)
    assert (page["state"], page["changing_to"], page["can_pause"]) == ("running", None, True)


def test_to_go_on_takes_a_place_and_waits_for_it(
    vm_people: list[Attendee], host: FakeHost, told: Callable[[Run], list[Event]]
) -> None:
    report(host, memory_mb=VM_MB)
    first = paused(vm_people[0])
    second = running(vm_people[1])
    third = do_start_run(vm_people[2], LAB)
    host.nudges()
    answer = ask(first, "resume").json()
    assert (answer["state"], answer["changing_to"], answer["queue_position"]) == ("paused", "running", 2)
    assert host.commands() == []
    told_by_host(do_stop_run(second), RunState.STOPPED)
    third.refresh_from_db()
    assert third.run_state is RunState.STARTING, "who waited longer goes first"
    moved = [e for e in told(first) if isinstance(e, QueueMoved)][-1]
    assert moved.position == 1
    told_by_host(do_pause_run(told_by_host(third, RunState.RUNNING)), RunState.PAUSED)
    first.refresh_from_db()
    assert (first.queued_at, [c.run for c in host.commands() if isinstance(c, ResumeRun)]) == (None, [first.pk])


def test_who_waits_to_go_on_may_change_their_mind(vm_people: list[Attendee], host: FakeHost) -> None:
    report(host, memory_mb=VM_MB)
    first = paused(vm_people[0])
    second = running(vm_people[1])
    ask(first, "resume")
    assert ask(first, "pause").json()["queue_position"] is None
    ask(first, "resume")
    answer = ask(first, "reset", {"keep_files": True}).json()
    assert (answer["state"], answer["changing_to"], answer["queue_position"]) == ("paused", "resetting", 1)
    host.nudges()
    told_by_host(do_stop_run(second), RunState.STOPPED)
    first.refresh_from_db()
    assert (first.run_state, first.generation) == (RunState.RESETTING, 2)
    assert [c.run for c in host.commands() if isinstance(c, ResetRun)] == [first.pk]


def test_a_paused_run_is_reset_at_once_where_there_is_room(vm_people: list[Attendee], host: FakeHost) -> None:
    run = do_reset_run(paused(vm_people[0]), keep_files=False)
    assert run.run_state is RunState.RESETTING
    assert any(isinstance(c, ResetRun) and c.files for c in host.commands())
    assert promised_on("local").memory_mb == VM_MB


def test_nobody_goes_on_while_the_host_is_away(vm_people: list[Attendee], host: FakeHost) -> None:
    run = paused(vm_people[0])
    host.silent()
    assert (ask(run, "resume").status_code, ask(run, "resume").json()["code"]) == (503, "host_away")


def test_fifty_starts_beyond_the_memory_lose_none(workshop: Workshop, host: FakeHost) -> None:
    report(host, memory_mb=3 * VM_MB)
    Workshop.objects.update(isolation=Isolation.PRIVATE.value, seats=50)
    workshop.refresh_from_db()
    runs = [do_start_run(sit_down(workshop, f"P{n}"), LAB) for n in range(50)]
    assert [queue_position(r) for r in runs] == [None, None, None, *range(1, 48)]
    served = []
    while (live := list(Run.objects.filter(state__in=ACTIVE_VALUES).order_by("admitted_at", "id"))) != []:
        assert promised_on("local").memory_mb <= 3 * VM_MB
        served.append(live[0].pk)
        told_by_host(do_stop_run(told_by_host(live[0], RunState.RUNNING)), RunState.STOPPED)
    assert sorted(served) == sorted(r.pk for r in runs)


# --- idle


def long_ago(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(seen_at=timezone.now() - timedelta(hours=2))


def test_a_vm_that_nobody_looks_at_is_put_aside_not_ended(vm_people: list[Attendee], host: FakeHost) -> None:
    run = running(vm_people[0])
    long_ago(run)
    host.nudges()
    assert do_expire_runs() == 1
    assert do_expire_runs() == 0, "it is under way"
    (pause,) = host.commands()
    assert isinstance(pause, PauseRun)
    run = told_by_host(run, RunState.PAUSED)
    assert do_expire_runs() == 0, "it may lie there until its time is over"
    Run.objects.filter(pk=run.pk).update(deadline=timezone.now() - timedelta(seconds=1))
    assert do_expire_runs() == 1
    assert isinstance(host.commands()[0], StopRun)
    assert "time of this lab is over" in page_of(run)["ended_why"], "kept for whoever opens the page later"


def test_what_cannot_be_put_aside_ends(vm_people: list[Attendee], host: FakeHost) -> None:
    run = running(vm_people[0])
    long_ago(run)
    do_expire_runs()
    run.refresh_from_db()
    run = refused(run, run.wish_command, NetlabError(ErrorCode.CANNOT_PAUSE, why="the disk is full"))
    assert run.run_state is RunState.STOPPING
    broken = told_by_host(running(vm_people[1]), RunState.BROKEN, NetlabError(ErrorCode.RUN_BROKEN, why="it panicked"))
    long_ago(broken)
    assert do_expire_runs() == 1
    broken.refresh_from_db()
    assert broken.run_state is RunState.STOPPING


def test_paused_labs_go_after_the_time_that_the_operator_gives(
    vm_people: list[Attendee], host: FakeHost, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "paused_minutes", 30)
    run = paused(vm_people[0])
    assert do_expire_runs() == 0
    Run.objects.filter(pk=run.pk).update(state_at=timezone.now() - timedelta(minutes=31))
    assert do_expire_runs() == 1
    assert "paused for 30 minutes" in page_of(run)["ended_why"]


def test_nobody_keeps_a_turn_that_nobody_waits_for(vm_people: list[Attendee], host: FakeHost) -> None:
    report(host, memory_mb=VM_MB)
    run = paused(vm_people[0])
    running(vm_people[1])
    ask(run, "resume")
    host.client.set(Keys(host.config.instance).watch(Run.objects.get(attendee=vm_people[1]).pk), b"1")
    long_ago(run)
    do_expire_runs()
    page = page_of(run)
    assert (page["state"], page["queue_position"], page["changing_to"]) == ("paused", None, None)


def test_a_lab_that_broke_while_somebody_waited_keeps_nobody_waiting(
    vm_people: list[Attendee], host: FakeHost, told: Callable[[Run], list[Event]], monkeypatch: pytest.MonkeyPatch
) -> None:
    report(host, memory_mb=VM_MB)
    first = paused(vm_people[0])
    second = running(vm_people[1])
    ask(first, "reset", {"keep_files": False})
    third = do_start_run(vm_people[2], LAB)

    def broken(lab: str) -> None:
        raise NetlabError(ErrorCode.LAB_UNKNOWN, lab=lab)

    monkeypatch.setattr("netlab.runs.going_on.get_lab", broken)
    told_by_host(do_stop_run(second), RunState.STOPPED)
    do_admit_queued("local")
    third.refresh_from_db()
    assert third.run_state is RunState.STARTING
    assert (page_of(first)["state"], page_of(first)["changing_to"]) == ("paused", None)
    assert "was not reset" in [e for e in told(first) if isinstance(e, Announcement)][-1].text
