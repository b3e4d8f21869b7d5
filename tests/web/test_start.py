"""From Start to the host's queue: what is written, what is sent, what is refused."""

from datetime import timedelta

import pytest
from django.utils import timezone

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lifecycle import RunState
from netlab.queue.routing import work_queue
from netlab.runs.actions import do_start_run, do_stop_run
from netlab.runs.models import Run
from netlab.wire.commands import StartRun, StopRun
from netlab.workshops.actions import do_close_workshop
from netlab.workshops.models import Attendee, Workshop
from tests.web.conftest import LAB, FakeHost


def test_start_sends_the_whole_lab_after_the_commit(attendee: Attendee, host: FakeHost) -> None:
    run = do_start_run(attendee, LAB)
    assert run.run_state is RunState.STARTING
    assert run.deadline is not None and run.deadline > timezone.now() + timedelta(minutes=100)
    ((command,),) = host.nudges(work_queue("local"))
    assert isinstance(command, StartRun)
    assert (command.run, command.generation, command.lab.id) == (run.pk, 1, LAB)
    assert {f.path for f in command.files} == set(run.files.values_list("path", flat=True)) != set()
    assert command.terminals == list(run.terminals.values_list("id", flat=True)) != []
    assert command.open_step == command.lab.steps[0].id


def test_start_again_is_the_same_run(attendee: Attendee, host: FakeHost) -> None:
    first = do_start_run(attendee, LAB)
    assert do_start_run(attendee, LAB).pk == first.pk
    assert len(host.nudges()) == 1


def test_a_silent_host_refuses_and_leaves_no_row(attendee: Attendee, host: FakeHost) -> None:
    host.silent()
    with pytest.raises(NetlabError) as caught:
        do_start_run(attendee, LAB)
    assert caught.value.code is ErrorCode.HOST_AWAY
    assert not Run.objects.exists()


def test_a_lab_that_cannot_run_here_says_why(attendee: Attendee, host: FakeHost) -> None:
    host.report(abilities=[{"ability": "veth", "works": True}])
    with pytest.raises(NetlabError) as caught:
        do_start_run(attendee, LAB)
    assert caught.value.code is ErrorCode.LAB_CANNOT_RUN_HERE
    assert "lacks" in caught.value.message


def test_a_lab_of_another_workshop_does_not_exist(attendee: Attendee, workshop: Workshop, host: FakeHost) -> None:
    workshop.labs.all().delete()
    with pytest.raises(NetlabError) as caught:
        do_start_run(attendee, LAB)
    assert caught.value.code is ErrorCode.NOT_FOUND


def test_a_closed_workshop_starts_nothing(attendee: Attendee, workshop: Workshop, host: FakeHost) -> None:
    do_close_workshop(workshop)
    attendee.workshop.refresh_from_db()
    with pytest.raises(NetlabError) as caught:
        do_start_run(attendee, LAB)
    assert caught.value.code is ErrorCode.WORKSHOP_CLOSED


def test_stop_grows_the_generation_and_goes_the_fast_way(attendee: Attendee, host: FakeHost) -> None:
    run = do_start_run(attendee, LAB)
    host.nudges()
    run = do_stop_run(run)
    assert (run.run_state, run.generation) == (RunState.STOPPING, 2)
    (command,) = host.commands()
    assert isinstance(command, StopRun) and command.generation == 2
    assert do_stop_run(run).generation == 2, "pressed twice: nothing more happens"
    assert host.commands() == []
