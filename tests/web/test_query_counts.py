"""How many queries the answers that grow with people need: the same for two as for twenty."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from netlab.accounts.models import User
from netlab.runs.actions import do_start_run
from netlab.runs.roster import roster
from netlab.workshops.models import Workshop
from tests.web.conftest import LAB, FakeHost, signed_in, sit_down


def queries(call: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection, ) as captured:
        call()
    return len(captured)


@pytest.fixture
def big(workshop: Workshop, host: FakeHost) -> Workshop:
    for number in range(2):
        do_start_run(sit_down(workshop, f"P{number}"), LAB)
    return workshop


def test_the_roster(big: Workshop, host: FakeHost) -> None:
    few = queries(lambda: roster(big))
    for number in range(2, 12):
        do_start_run(sit_down(big, f"P{number}"), LAB)
    assert queries(lambda: roster(big)) == few == 3


@pytest.mark.parametrize(("path", "most"), [
    ("/api/v1/me", 2),
    ("/api/v1/workshops/{workshop}/roster", 6),
])
def test_an_instructor_s_answers(path: str, most: int, big: Workshop, instructor: User) -> None:
    client = signed_in(instructor)
    assert count_of(client, path.format(workshop=big.pk)) <= most


@pytest.mark.parametrize(("path", "most"), [
    ("/api/v1/runs/{run}", 9),
    ("/api/v1/workshops/{workshop}/labs/{lab}", 13),
    ("/api/v1/runs/{run}/files", 4),
])
def test_an_attendee_s_answers(path: str, most: int, big: Workshop) -> None:
    attendee = big.attendees.all()[0]
    run = attendee.runs.all()[0]
    client = signed_in(attendee.user)
    assert count_of(client, path.format(workshop=big.pk, lab=LAB, run=run.pk)) <= most


def count_of(client: Client, path: str) -> int:
    assert client.get(path).status_code == 200
    return queries(lambda: client.get(path))
