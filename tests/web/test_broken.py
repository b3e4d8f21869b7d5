"""Runs whose kernel is gone, wishes that were lost, links that are impaired, and loops of wishes: what is told, kept and sent."""

import time
from typing import Any

import pytest

from netlab.config import Config
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lifecycle import RunState
from netlab.runs.actions import do_reset_run, do_start_run, do_stop_run
from netlab.runs.admission import do_admit_queued, queue_position
from netlab.runs.choices import ACTIVE_VALUES
from netlab.runs.models import Run
from netlab.runs.pausing import do_pause_run, do_resume_run
from netlab.runs.projection import do_host_event
from netlab.runs.upkeep import do_heal_runs
from netlab.wire.commands import ImpairLink, PauseRun, ResetRun, ResumeRun, StartRun, StopRun
from netlab.wire.events import Impairment, LinkImpaired
from netlab.workshops.models import Attendee
from tests.web.conftest import LAB, FakeHost, signed_in
from tests.web.vm_people import (
    VM_MB,
    ask,
    has,
    page_of,
    paused,
    refused,
    report,
    running,
    settled,
    told_by_host,
)

# --- broken


def test_a_broken_run_says_why_keeps_its_place_and_comes_back(vm_people: list[Attendee], host: FakeHost) -> None:
    report(host, memory_mb=VM_MB)
    run = running(vm_people[0])
    waiting = do_start_run(vm_people[1], LAB)
    told_by_host(run, RunState.BROKEN, NetlabError(ErrorCode.RUN_BROKEN, why="it panicked"))
    for _ in range(2):  # a reload says the same
        page = page_of(run)
        assert (page["state"], page["error"]["code"], page["can_pause"]) == ("broken", "run_broken", False)
        assert page["error"]["message"] == "Your lab's own kernel is not there any more: it panicked."
    assert do_admit_queued("local") == 0 and queue_position(waiting) == 1
    teacher = run.workshop.instructors.all()[0]
    row = next(r for r in signed_in(teacher).get(f"/api/v1/workshops/{run.workshop_id}/roster").json() if r["run"] == run.pk)
    assert row["state"] == "broken" and "it panicked" in row["problem"]
    answer = ask(run, "terminals", {"node": run.spec().nodes[0].name})
    assert (answer.status_code, answer.json()["code"]) == (409, "run_not_running")
    host.nudges()
    answer = ask(run, "reset", {"keep_files": True}).json()
    assert (answer["state"], answer["error"]) == ("resetting", None)
    (reset,) = host.commands()
    assert isinstance(reset, ResetRun)
    assert told_by_host(run, RunState.RUNNING).run_state is RunState.RUNNING


def test_a_paused_run_that_cannot_go_on_is_broken(vm_people: list[Attendee], host: FakeHost) -> None:
    run = paused(vm_people[0])
    ask(run, "resume")
    run = told_by_host(run, RunState.BROKEN, NetlabError(ErrorCode.RUN_BROKEN, why="its state on disk is damaged"))
    assert (run.run_state, run.wish) == (RunState.BROKEN, "")


def test_a_broken_run_is_stopped_like_any_other(vm_people: list[Attendee], host: FakeHost) -> None:
    run = told_by_host(running(vm_people[0]), RunState.BROKEN, NetlabError(ErrorCode.RUN_BROKEN, why="it panicked"))
    assert ask(run, "stop").json()["state"] == "stopping"
    assert told_by_host(run, RunState.STOPPED).run_state is RunState.STOPPED


# --- healing


def test_lost_wishes_are_sent_again(vm_people: list[Attendee], host: FakeHost) -> None:
    pausing = do_pause_run(running(vm_people[0]))
    resuming = do_resume_run(paused(vm_people[1]))
    host.nudges()
    found = report(host, runs=[has(pausing, "running"), has(resuming, "paused")])
    assert do_heal_runs(found) == 0, "they may just be under way"
    settled(pausing)
    settled(resuming)
    assert do_heal_runs(found) == 2
    assert {c.run: type(c) for c in host.commands()} == {pausing.pk: PauseRun, resuming.pk: ResumeRun}
    pausing.refresh_from_db()
    assert refused(pausing, pausing.wish_command, NetlabError(ErrorCode.CANNOT_PAUSE, why="x")).wish == ""


def test_a_state_that_was_not_heard_is_asked_for(vm_people: list[Attendee], host: FakeHost) -> None:
    run = running(vm_people[0])
    sleeper = paused(vm_people[1])
    settled(run)
    settled(sleeper)
    host.nudges()
    assert do_heal_runs(report(host, runs=[has(run, "broken"), has(sleeper, "running")])) == 2
    assert {type(c) for c in host.commands()} == {StartRun}, "answered with the state that it has"


def test_what_rests_is_left_alone(vm_people: list[Attendee], host: FakeHost) -> None:
    sleeper = paused(vm_people[0])
    broken = told_by_host(running(vm_people[1]), RunState.BROKEN, NetlabError(ErrorCode.RUN_BROKEN, why="it panicked"))
    settled(sleeper)
    settled(broken)
    host.nudges()
    assert do_heal_runs(report(host, runs=[has(sleeper, "paused"), has(broken, "broken")])) == 0
    assert do_heal_runs(report(host, runs=[has(sleeper, "paused")])) == 0


def test_a_paused_run_that_its_host_has_lost_is_told_as_lost(vm_people: list[Attendee], host: FakeHost) -> None:
    run = paused(vm_people[0])
    settled(run)
    host.nudges()
    assert do_heal_runs(report(host, up_s=5)) == 0, "an agent that has just begun may not know it yet"
    assert do_heal_runs(report(host)) == 1
    page = page_of(run)
    assert (page["state"], page["error"]["code"]) == ("failed", "run_lost")
    assert isinstance(host.commands()[0], StopRun)


# --- impairment


def impaired(run: Run, interface: str = "eth0", **what: float) -> None:
    node = run.spec().nodes[0].name
    impairment = Impairment.model_validate({"node": node, "interface": interface} | what)
    do_host_event(LinkImpaired(run=run.pk, generation=run.generation, at=time.time(), impairment=impairment))


def test_a_link_is_impaired_and_a_reload_shows_it(attendee: Attendee, host: FakeHost) -> None:
    run = running(attendee)
    node = run.spec().nodes[0].name
    host.nudges()
    answer = ask(run, "impair", {"node": node, "interface": "eth0", "delay_ms": 50.5, "loss_percent": 1})
    (command,) = host.commands()
    assert isinstance(command, ImpairLink) and command.id == answer.json()["command"]
    assert (command.delay_ms, command.jitter_ms, command.loss_percent, command.rate_kbit) == (50.5, 0, 1, 0)
    impaired(run, delay_ms=50.5, loss_percent=1)
    impaired(run, delay_ms=80)
    (shown,) = page_of(run)["impairments"]
    assert (shown["node"], shown["interface"], shown["delay_ms"], shown["loss_percent"]) == (node, "eth0", 80, 0)
    do_reset_run(run)
    assert len(page_of(run)["impairments"]) == 1, "a wire is no part of what a reset makes new"
    impaired(run)
    assert page_of(run)["impairments"] == []


@pytest.mark.parametrize(("body", "status"), [
    ({"node": "nobody", "interface": "eth0"}, 404), ({"interface": "eth0"}, 422), ({"loss_percent": 101}, 422),
    ({"delay_ms": -1}, 422), ({"interface": "an interface; reboot"}, 422), ({"corrupt": 3}, 422),
])
def test_what_is_no_impairment_is_refused(body: dict[str, Any], status: int, attendee: Attendee, host: FakeHost) -> None:
    run = running(attendee)
    host.nudges()
    whole = body if body.keys() <= {"interface", "node"} else {"node": run.spec().nodes[0].name, "interface": "eth0"} | body
    assert ask(run, "impair", whole).status_code == status
    assert host.commands() == []


def test_a_guest_that_tells_of_a_thousand_impairments_fills_no_row(attendee: Attendee, host: FakeHost) -> None:
    run = running(attendee)
    for number in range(140):
        impaired(run, interface=f"x{number}", delay_ms=1)
    impaired(run, interface="x" * 200, delay_ms=1)
    assert len(page_of(run)["impairments"]) == 128


# --- too often


def test_a_loop_of_starts_and_stops_is_told_to_wait(
    attendee: Attendee, other_attendee: Attendee, host: FakeHost, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "wishes_per_minute", 3)
    for _ in range(3):
        told_by_host(do_stop_run(running(attendee)), RunState.STOPPED)
    answer = signed_in(attendee.user).post(f"/api/v1/workshops/{attendee.workshop_id}/labs/{LAB}/run")
    assert (answer.status_code, answer.json()["code"]) == (429, "too_often")
    assert 0 < answer.json()["data"]["retry_after_s"] <= 60
    assert answer.headers["Retry-After"] == str(answer.json()["data"]["retry_after_s"])
    assert not Run.objects.filter(state__in=ACTIVE_VALUES).exists()
    assert do_start_run(other_attendee, LAB).run_state is RunState.STARTING, "a room is not one person"


def test_a_loop_of_resets_is_told_to_wait(
    attendee: Attendee, host: FakeHost, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "wishes_per_minute", 2)
    run = running(attendee)
    assert ask(run, "reset", {"keep_files": True}).status_code == 200
    assert ask(run, "reset", {"keep_files": True}).status_code == 429
    assert ask(run, "stop").status_code == 200, "to stop is always free"
