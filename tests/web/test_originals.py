"""What the editor compares with: the starter for its owner always, a solution where the workshop shows it."""

import pytest
from django.test import Client

from netlab.accounts.models import User
from netlab.catalogue.labs import get_lab
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.runs.actions import do_start_run
from netlab.runs.models import Run
from netlab.runs.originals import access_originals_for
from netlab.workshops.actions import do_change_workshop
from netlab.workshops.models import Attendee
from tests.web.conftest import LAB, FakeHost


@pytest.fixture
def run(attendee: Attendee, host: FakeHost) -> Run:
    return do_start_run(attendee, LAB)


def show_solutions(run: Run) -> None:
    workshop = run.workshop
    do_change_workshop(
        workshop, title=workshop.title, seats=workshop.seats, isolation=workshop.isolation,  # type: ignore[arg-type]
        opens_at=None, closes_at=None, show_solutions=True,
    )
    run.workshop.refresh_from_db()


def test_an_attendee_sees_the_starter_and_no_solution(run: Run) -> None:
    found = access_originals_for(run.attendee.user, run, "drop")
    assert found.starter == get_lab(LAB).files
    assert not found.may_see_solution and found.solution == {}


def test_where_the_workshop_shows_them_a_step_has_what_all_steps_so_far_have_left(run: Run) -> None:
    show_solutions(run)
    lab = get_lab(LAB)
    of_drop, of_detach = (access_originals_for(run.attendee.user, run, step).solution for step in ("drop", "detach"))
    assert of_drop["xdp.c"] == lab.solutions[2].files["xdp.c"]
    assert of_detach == lab.solutions[5].files, "the last step writes nothing: the files are as the one before has left them"
    assert access_originals_for(run.attendee.user, run, "look").solution == {}


def test_who_teaches_the_workshop_sees_solutions_always(run: Run, instructor: User, other_instructor: User) -> None:
    assert access_originals_for(instructor, run, "drop").solution
    assert not access_originals_for(other_instructor, run, "drop").may_see_solution


def test_an_unknown_step_is_said_so(run: Run, client: Client) -> None:
    with pytest.raises(NetlabError) as refused:
        access_originals_for(run.attendee.user, run, "nothing")
    assert refused.value.code is ErrorCode.STEP_UNKNOWN
    client.force_login(run.attendee.user)
    answer = client.get(f"/api/v1/runs/{run.pk}/originals/drop").json()
    assert answer["may_see_solution"] is False and [file["path"] for file in answer["starter"]] == ["Makefile", "xdp.c"]


def test_what_a_solution_does_is_said_as_one_would_type_it(run: Run, client: Client) -> None:
    client.force_login(run.attendee.user)
    path = f"/api/v1/runs/{run.pk}/originals/drop"
    assert client.get(path).json()["actions"] == []
    show_solutions(run)
    actions = client.get(path).json()["actions"]
    assert [(a["do"], a["node"], a["text"]) for a in actions] == [
        ("write", "", "xdp.c"), ("load", "", "xdp"), ("run", "client", "ping -c 30 -i 0.05 -W 1 10.0.0.2"),
    ]
