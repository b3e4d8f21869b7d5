"""The instructor's pages: making and changing a workshop, its buttons, who is here."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from netlab.accounts.models import User
from netlab.catalogue.labs import all_labs
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lifecycle import RunState
from netlab.runs.actions import do_start_run
from netlab.runs.models import CheckState
from netlab.runs.projection import do_host_event
from netlab.wire.events import RunStateChanged
from netlab.workshops.actions import code_of
from netlab.workshops.models import Attendee, Workshop
from tests.pages.conftest import Html, read
from tests.web.conftest import LAB, FakeHost, signed_in

FORM = {
    "title": "Afternoon", "labs": [LAB], "seats": "40", "isolation": "trusted", "opens_at": "", "closes_at": "2030-01-02T15:30",
}


@pytest.fixture
def ada(instructor: User, host: FakeHost) -> Client:
    return signed_in(instructor)


def test_making_a_workshop(ada: Client, instructor: User) -> None:
    ada.cookies["netlab_zone"] = "Europe/Prague"
    answer = ada.post("/instructor/new/", FORM, follow=True)
    made = Workshop.objects.get(title="Afternoon")
    assert answer.redirect_chain == [(f"/instructor/w/{made.pk}/", 302)]
    assert (made.seats, made.isolation, [link.lab for link in made.labs.all()]) == (40, "trusted", [LAB])
    assert made.closes_at is not None and made.closes_at.isoformat() == "2030-01-02T14:30:00+00:00"  # as typed in Prague
    words = read(answer).words
    assert "Nobody can join before you open it" in words and "2 January, 15:30 CET" in words
    assert list(made.instructors.all()) == [instructor]


@pytest.mark.parametrize(("change", "sentence"), [
    ({"title": ""}, "A title is missing."),
    ({"title": "x" * 81}, "at most 80 characters"),
    ({"seats": "0"}, "at least 1 seat"),
    ({"seats": "many"}, "a whole number"),
    ({"seats": "100000"}, "at most 1000 seats"),
    ({"isolation": "none"}, "Choose one of the three."),
    ({"labs": ["no-such-lab"]}, "There is no lab no-such-lab"),
    ({"opens_at": "soon"}, "This is not a date and time."),
    ({"opens_at": "2031-01-01T00:00"}, "close before it opens"),
    ({"closes_at": "9999-99-99T99:99"}, "This is not a date and time."),
])
def test_what_was_typed_stays(change: dict[str, object], sentence: str, ada: Client) -> None:
    typed = FORM | change
    answer = ada.post("/instructor/new/", typed)
    assert answer.status_code == 422
    html = read(answer)
    assert sentence in html.words
    for name in ("title", "seats", "opens_at", "closes_at"):
        assert html.field(name).attributes.get("value", "") == typed[name], name
    if change.get("labs") is None:
        assert "checked" in html.field("labs").attributes
    assert not Workshop.objects.exists()


def test_changing_a_workshop(ada: Client, workshop: Workshop) -> None:
    page = read(ada.get(f"/instructor/w/{workshop.pk}/settings/"))
    assert page.field("title").attributes["value"] == workshop.title
    ada.post(f"/instructor/w/{workshop.pk}/settings/", FORM | {"labs": []})
    workshop.refresh_from_db()
    assert (workshop.title, workshop.seats, workshop.labs.count()) == ("Afternoon", 40, 0)


def test_open_close_and_a_new_code(ada: Client, workshop: Workshop, attendee: Attendee) -> None:
    run = do_start_run(attendee, LAB)
    answer = ada.post(f"/instructor/w/{workshop.pk}/do/close/", follow=True)
    assert "1 lab was stopped" in read(answer).words
    run.refresh_from_db()
    assert run.state == "stopping"
    ada.post(f"/instructor/w/{workshop.pk}/do/open/")
    workshop.refresh_from_db()
    assert workshop.is_open()
    before = code_of(workshop)
    ada.post(f"/instructor/w/{workshop.pk}/do/new-code/")
    workshop.refresh_from_db()
    assert code_of(workshop) != before
    assert Client().get(f"/join/{before}/").status_code == 404
    assert ada.post(f"/instructor/w/{workshop.pk}/do/nonsense/").status_code == 404


def test_more_time_and_stop_for_all(ada: Client, workshop: Workshop, attendee: Attendee) -> None:
    run = do_start_run(attendee, LAB)
    deadline = run.deadline
    assert "1 lab was given more time" in read(ada.post(f"/instructor/w/{workshop.pk}/do/extend/", follow=True)).words
    run.refresh_from_db()
    assert run.deadline is not None and deadline is not None and run.deadline > deadline
    assert "1 lab was stopped" in read(ada.post(f"/instructor/w/{workshop.pk}/do/stop/", follow=True)).words


def test_who_is_here_and_at_which_step(ada: Client, workshop: Workshop, attendee: Attendee, other_attendee: Attendee) -> None:
    run = do_start_run(attendee, LAB)
    first = next(s for s in run.spec().steps if s.checks)
    CheckState.objects.filter(run=run, step=first.id).update(ever_passed=True)
    Attendee.objects.filter(pk=other_attendee.pk).update(seen_at=timezone.now() - timedelta(hours=1))
    total = sum(bool(s.checks) for s in run.spec().steps)
    words = read(ada.get(f"/instructor/w/{workshop.pk}/roster/")).words
    anna, ben = words.index("Anna"), words.index("Ben")
    assert anna < ben  # who is here comes first
    for said in (f"1. {run.spec().steps[0].title}", f"1 of {total}", " here "):
        assert said in words[anna:ben]
    assert "nothing started" in words[ben:]


def test_buttons_about_one_person(ada: Client, workshop: Workshop, attendee: Attendee) -> None:
    run = do_start_run(attendee, LAB)
    theirs = f"/instructor/w/{workshop.pk}/attendees/{attendee.pk}"
    assert "was stopped" in read(ada.post(f"{theirs}/stop/", follow=True)).words
    run.refresh_from_db()
    assert run.state == "stopping"
    words = read(ada.post(f"{theirs}/new-link/", follow=True)).words
    link = next(word for word in words.split() if "/resume/" in word)
    assert Client().get(link.removeprefix("http://testserver")).status_code == 302
    browser = signed_in(attendee.user)
    assert "was removed" in read(ada.post(f"{theirs}/remove/", follow=True)).words
    assert not User.objects.filter(pk=attendee.user_id).exists()
    assert browser.get(f"/w/{workshop.pk}/").status_code == 401
    assert ada.post(f"{theirs}/stop/").status_code == 404


def test_removing_stops_the_lab_first(ada: Client, workshop: Workshop, attendee: Attendee, host: FakeHost) -> None:
    run = do_start_run(attendee, LAB)
    host.commands()
    ada.post(f"/instructor/w/{workshop.pk}/attendees/{attendee.pk}/remove/")
    assert [(c.kind, c.run) for c in host.commands()] == [("stop_run", run.pk)]


def test_the_screen_shows_code_and_qr(ada: Client, workshop: Workshop) -> None:
    html = read(ada.get(f"/instructor/w/{workshop.pk}/screen/"))
    code = code_of(workshop)
    assert f"{code[:4]}-{code[4:]}" in html.words
    assert html.all("svg") and html.all("path")


# --- VMs


def radio(html: Html, value: str) -> bool:
    return any(e.attributes.get("value") == value and "checked" in e.attributes for e in html.all("input"))


def test_a_new_workshop_gives_everybody_a_kernel_where_the_host_can(ada: Client, host: FakeHost) -> None:
    html = read(ada.get("/instructor/new/"))
    assert radio(html, "strangers") and "VM labs: this host has no guest kernel for VMs." in html.words
    host.report(guest=host.guest("building", minutes_left=9))
    html = read(ada.get("/instructor/new/"))
    assert radio(html, "strangers") and "VM labs: building the guest kernel, about 9 min left." in html.words
    host.report(guest=host.guest())
    html = read(ada.get("/instructor/new/"))
    assert radio(html, "private") and not radio(html, "strangers")
    assert "VM labs:" not in html.words


def test_a_workshop_s_page_says_what_waits_and_asks_again(ada: Client, workshop: Workshop, host: FakeHost) -> None:
    Workshop.objects.update(isolation="private")
    host.report(guest=host.guest("building", minutes_left=1))
    html = read(ada.get(f"/instructor/w/{workshop.pk}/"))
    assert "VM labs: building the guest kernel, about 1 min left." in html.words
    (part,) = [e for e in html.elements if "data-refresh-s" in e.attributes]
    assert part.attributes["id"] == "offered" and part.attributes["data-source"] == f"/instructor/w/{workshop.pk}/"
    host.report(guest=host.guest())
    html = read(ada.get(f"/instructor/w/{workshop.pk}/"))
    assert "Linux 6.12.1-guest" in html.words and "This workshop gives everybody a kernel of their own." in html.words
    assert not [e for e in html.elements if "data-refresh-s" in e.attributes]


def test_labs_keep_the_order_that_they_were_put_in(ada: Client, workshop: Workshop) -> None:
    labs = [lab.id for lab in all_labs()]
    wanted = [labs[-1], LAB] if labs[-1] != LAB else [LAB]
    ada.post(f"/instructor/w/{workshop.pk}/settings/", FORM | {"labs": wanted})
    assert list(workshop.labs.values_list("lab", flat=True)) == wanted
    html = read(ada.get(f"/instructor/w/{workshop.pk}/settings/"))
    boxes = [e.attributes["value"] for e in html.all("input") if e.attributes.get("name") == "labs"]
    assert boxes[: len(wanted)] == wanted and sorted(boxes) == sorted(labs)


def test_the_roster_says_what_is_broken(ada: Client, workshop: Workshop, attendee: Attendee, host: FakeHost) -> None:
    host.report(guest=host.guest())
    Workshop.objects.update(isolation="private")
    attendee.workshop.refresh_from_db()
    run = do_start_run(attendee, LAB)
    error = NetlabError(ErrorCode.RUN_BROKEN, why="it panicked").body()
    do_host_event(RunStateChanged(run=run.pk, generation=1, at=1.0, state=RunState.RUNNING))
    do_host_event(RunStateChanged(run=run.pk, generation=1, at=2.0, state=RunState.BROKEN, error=error))
    words = read(ada.get(f"/instructor/w/{workshop.pk}/roster/")).words
    assert "broken" in words and "Your lab's own kernel is not there any more: it panicked." in words
