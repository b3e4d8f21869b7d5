"""Coming in, and what happens when something typed is wrong: nothing of it is lost."""

import pytest
from django.test import Client

from netlab.accounts.actions import do_make_instructor
from netlab.accounts.models import User
from netlab.workshops.actions import code_of
from netlab.workshops.models import Attendee, Workshop
from tests.pages.conftest import read
from tests.web.conftest import LAB, FakeHost, signed_in, sit_down

PASSWORD = "a long password for tests"


def test_a_code_as_people_type_it(client: Client, workshop: Workshop) -> None:
    code = code_of(workshop)
    for typed in (code, code.upper(), f" {code[:4]} {code[4:]} ", f"{code[:4]}-{code[4:]}"):
        answer = client.post("/join/", {"code": typed})
        assert answer.status_code == 302 and answer.headers["Location"] == f"/join/{code[:4]}-{code[4:]}/"


@pytest.mark.parametrize(("typed", "status"), [
    ("no such code", 404), ("", 422), ("x" * 500, 404), ("../../etc", 404), ("<b>&'\"", 404),
])
def test_a_wrong_code_stays_in_the_field(typed: str, status: int, client: Client) -> None:
    answer = client.post("/join/", {"code": typed})
    assert answer.status_code == status
    html = read(answer)
    assert html.field("code").attributes["value"] == typed[:40]
    assert html.field("code").attributes["aria-invalid"] == "true"
    assert [e for e in html.elements if e.attributes.get("role") == "alert"]


def test_a_name_and_one_is_in(client: Client, workshop: Workshop, host: FakeHost) -> None:
    path = f"/join/{code_of(workshop)}/"
    assert workshop.title in read(client.get(path)).words
    answer = client.post(path, {"name": "  Žofie   N. "}, follow=True)
    assert answer.redirect_chain == [(f"/w/{workshop.pk}/", 302)]
    html = read(answer)
    assert "You are in, Žofie N." in html.words
    (details,) = [e for e in html.all("details") if "link" in e.attributes.get("class", "")]
    assert "open" in details.attributes
    again = read(client.get(f"/w/{workshop.pk}/"))
    (details,) = [e for e in again.all("details") if "link" in e.attributes.get("class", "")]
    assert "open" not in details.attributes
    assert client.get(path).status_code == 302  # who is in goes on
    assert workshop.attendees.count() == 1


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "\x00\x01"])
def test_a_name_that_cannot_be(name: str, client: Client, workshop: Workshop) -> None:
    answer = client.post(f"/join/{code_of(workshop)}/", {"name": name})
    assert answer.status_code == 422
    html = read(answer)
    assert html.field("name").attributes["aria-invalid"] == "true"
    if name.startswith("x"):
        assert html.field("name").attributes["value"] == name
    assert not workshop.attendees.exists()


def test_a_full_workshop(client: Client, workshop: Workshop) -> None:
    for number in range(workshop.seats):
        sit_down(workshop, f"Person {number}")
    answer = client.post(f"/join/{code_of(workshop)}/", {"name": "Late"})
    assert answer.status_code == 409
    html = read(answer)
    assert "All 5 seats" in html.words and html.field("name").attributes["value"] == "Late"


def test_wrong_codes_are_counted_and_right_ones_are_not(client: Client, workshop: Workshop) -> None:
    statuses = [client.post("/join/", {"code": f"wrong{n:03}"}).status_code for n in range(12)]
    assert statuses[:10] == [404] * 10 and statuses[-1] == 429
    assert client.post("/join/", {"code": code_of(workshop)}).status_code == 302


def test_signing_in(client: Client) -> None:
    do_make_instructor("ada.l", PASSWORD)
    wrong = client.post("/sign-in/", {"username": "ada.l", "password": "wrong", "next": "/instructor/new/"})
    assert wrong.status_code == 403
    html = read(wrong)
    assert html.field("username").attributes["value"] == "ada.l"
    assert "value" not in html.field("password").attributes
    assert html.field("next").attributes["value"] == "/instructor/new/"
    right = client.post("/sign-in/", {"username": "ada.l", "password": PASSWORD, "next": "/instructor/new/"})
    assert right.headers["Location"] == "/instructor/new/"
    assert client.post("/sign-out/").status_code == 302
    assert client.get("/instructor/").status_code == 302


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "\\\\evil.example"])
def test_signing_in_leads_to_our_pages_only(wanted: str, client: Client) -> None:
    do_make_instructor("ada.l", PASSWORD)
    answer = client.post("/sign-in/", {"username": "ada.l", "password": PASSWORD, "next": wanted})
    assert answer.headers["Location"] == "/instructor/"


def test_start_and_the_lab_that_runs_already(attendee: Attendee, workshop: Workshop, host: FakeHost) -> None:
    client = signed_in(attendee.user)
    answer = client.post(f"/w/{workshop.pk}/labs/{LAB}/start/")
    assert answer.headers["Location"] == f"/w/{workshop.pk}/labs/{LAB}/"
    html = read(client.get(f"/w/{workshop.pk}/"))
    assert "starting" in html.words and "Continue" in html.words
    client.post(f"/w/{workshop.pk}/labs/{LAB}/stop/")
    assert attendee.runs.get().state == "stopping"


def test_start_while_the_host_is_away(attendee: Attendee, workshop: Workshop, host: FakeHost) -> None:
    host.silent()
    answer = signed_in(attendee.user).post(f"/w/{workshop.pk}/labs/{LAB}/start/")
    assert answer.status_code == 503
    assert "does not answer" in read(answer).words


def test_names_are_escaped(workshop: Workshop, instructor: User, host: FakeHost) -> None:
    sit_down(workshop, "<script>alert(1)</script>")
    answer = signed_in(instructor).get(f"/instructor/w/{workshop.pk}/")
    assert read(answer).inline_scripts == []
    assert "&lt;script&gt;alert(1)" in answer.content.decode()
