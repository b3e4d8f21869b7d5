"""Coming in: codes, names, seats, limits, personal links."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from netlab.accounts.models import User
from netlab.config import Config
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.workshops.actions import (
    code_of,
    do_close_workshop,
    do_create_workshop,
    do_new_code,
    do_new_resume_link,
    do_open_workshop,
    do_rename_attendee,
    resume_link_of,
)
from netlab.workshops.codes import hash_code, show_code
from netlab.workshops.joining import do_join, do_resume
from netlab.workshops.models import Attendee, Workshop
from tests.web.conftest import LAB, request_of, sit_down


def fresh_request() -> Any:
    return request_of(Client())


def code_of_error(call: Any, *args: Any) -> ErrorCode:
    with pytest.raises(NetlabError) as caught:
        call(*args)
    return caught.value.code


def test_a_code_and_a_name_make_a_person(workshop: Workshop) -> None:
    request = fresh_request()
    attendee = do_join(request, code_of(workshop).upper(), "  Anna\t Berg ")
    assert attendee.name == "Anna Berg"
    assert request.user == attendee.user
    assert not attendee.user.has_usable_password()
    assert do_join(request, show_code(code_of(workshop)), "Anna Berg").pk == attendee.pk, "again: the same seat"


def test_the_database_does_not_know_the_code(workshop: Workshop) -> None:
    code = code_of(workshop)
    row = " ".join(str(value) for value in Workshop.objects.filter(pk=workshop.pk).values_list()[0])
    assert code not in row and show_code(code) not in row
    assert workshop.join_code_hash == hash_code(show_code(code))


def test_a_new_code_voids_the_old_one(workshop: Workshop) -> None:
    old = code_of(workshop)
    new = do_new_code(workshop)
    assert old != new == code_of(workshop)
    assert code_of_error(do_join, fresh_request(), old, "Anna") is ErrorCode.UNKNOWN_CODE
    assert do_join(fresh_request(), new, "Anna").workshop == workshop


def test_the_window(workshop: Workshop, instructor: User) -> None:
    workshop.opens_at = timezone.now() + timedelta(hours=1)
    workshop.save()
    assert code_of_error(do_join, fresh_request(), code_of(workshop), "A") is ErrorCode.WORKSHOP_NOT_OPEN
    workshop.opens_at, workshop.closes_at = None, timezone.now() - timedelta(seconds=1)
    workshop.save()
    assert code_of_error(do_join, fresh_request(), code_of(workshop), "A") is ErrorCode.WORKSHOP_CLOSED
    do_open_workshop(workshop)
    assert do_join(fresh_request(), code_of(workshop), "A")
    do_close_workshop(workshop)
    assert code_of_error(do_join, fresh_request(), code_of(workshop), "B") is ErrorCode.WORKSHOP_CLOSED
    draft = do_create_workshop(instructor, "Not yet", labs=[LAB])
    assert code_of_error(do_join, fresh_request(), code_of(draft), "A") is ErrorCode.UNKNOWN_CODE


def test_two_annas(workshop: Workshop) -> None:
    names = [do_join(fresh_request(), code_of(workshop), name).name for name in ("Anna", "anna", "Anna")]
    assert names == ["Anna", "anna 2", "Anna 3"]
    third = Attendee.objects.get(name="Anna 3")
    assert code_of_error(do_rename_attendee, third, "ANNA") is ErrorCode.BAD_INPUT
    do_rename_attendee(third, "Annika")
    third.user.refresh_from_db()
    assert third.user.name == "Annika"


@pytest.mark.parametrize("name", ["", "   ", "\u0000\n", "x" * 61])
def test_names_that_are_none(workshop: Workshop, name: str) -> None:
    assert code_of_error(do_join, fresh_request(), code_of(workshop), name) is ErrorCode.BAD_INPUT
    assert not Attendee.objects.exists()


def test_seats_are_never_given_twice(workshop: Workshop) -> None:
    """Twelve people press Join at the same moment; there are five seats."""
    code, results, start = code_of(workshop), [], threading.Barrier(12)
    requests = [fresh_request() for _ in range(12)]

    def join(number: int) -> None:
        start.wait()
        try:
            results.append(do_join(requests[number], code, "Anna").name)
        except NetlabError as error:
            results.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=join, args=(i,)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count(ErrorCode.WORKSHOP_FULL) == 7
    assert workshop.attendees.count() == 5
    assert len({r for r in results if r is not ErrorCode.WORKSHOP_FULL}) == 5, "five different names"
    assert User.objects.filter(role="attendee").count() == 5, "nobody is left over without a seat"


def test_one_browser_stops_after_its_tries(workshop: Workshop, config: Config) -> None:
    request = fresh_request()
    for _ in range(config.failed_joins_per_session):
        assert code_of_error(do_join, request, "0000-0000", "A") is ErrorCode.UNKNOWN_CODE
    assert code_of_error(do_join, request, "0000-0000", "A") is ErrorCode.TOO_MANY_TRIES
    assert code_of_error(do_join, fresh_request(), "0000-0000", "A") is ErrorCode.UNKNOWN_CODE, "the one beside it may go on"
    assert do_join(request, code_of(workshop), "A"), "the right code always opens"


def test_the_room_stops_after_its_tries_but_never_those_with_the_code(workshop: Workshop, config: Config) -> None:
    codes = [code_of_error(do_join, fresh_request(), "0000-0000", "A") for _ in range(config.failed_joins_per_minute + 1)]
    assert codes[-1] is ErrorCode.TOO_MANY_TRIES
    assert set(codes[:-1]) == {ErrorCode.UNKNOWN_CODE}
    for number in range(5):
        assert do_join(fresh_request(), code_of(workshop), f"P{number}")


def test_a_personal_link_brings_back_the_same_person(workshop: Workshop) -> None:
    attendee = do_join(fresh_request(), code_of(workshop), "Anna")
    token = resume_link_of(attendee).rstrip("/").rpartition("/")[2]
    request = fresh_request()
    assert do_resume(request, token) == attendee
    assert request.user == attendee.user
    do_new_resume_link(attendee)
    assert code_of_error(do_resume, fresh_request(), token) is ErrorCode.RESUME_LINK_EXPIRED
    assert code_of_error(do_resume, fresh_request(), token[:-2] + "xx") is ErrorCode.RESUME_LINK_EXPIRED
    assert code_of_error(do_resume, fresh_request(), "") is ErrorCode.RESUME_LINK_EXPIRED


def test_a_link_gets_old(workshop: Workshop, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    attendee = sit_down(workshop, "Anna")
    token = resume_link_of(attendee).rstrip("/").rpartition("/")[2]
    later = timezone.now() + timedelta(days=config.resume_link_days + 1)
    monkeypatch.setattr("django.core.signing.time.time", later.timestamp)
    assert code_of_error(do_resume, fresh_request(), token) is ErrorCode.RESUME_LINK_EXPIRED


def test_no_link_leads_into_an_instructor_s_account(workshop: Workshop, instructor: User) -> None:
    client = Client()
    client.force_login(instructor, backend="django.contrib.auth.backends.ModelBackend")
    attendee = do_join(request_of(client), code_of(workshop), "Ada")
    assert attendee.user == instructor
    assert resume_link_of(attendee) == ""
    from netlab.workshops.codes import resume_token

    assert code_of_error(do_resume, fresh_request(), resume_token(attendee.pk, 1)) is ErrorCode.NOT_ALLOWED
