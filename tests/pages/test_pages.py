"""Every page as every kind of person: status, words, links that lead somewhere, and nothing that the CSP forbids."""

import re

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import Resolver404, resolve

from netlab.accounts.models import User
from netlab.domain.lab import Ability
from netlab.domain.lifecycle import RunState
from netlab.runs.actions import do_start_run, do_stop_run
from netlab.runs.projection import do_host_event
from netlab.wire.events import RunStateChanged
from netlab.workshops.actions import code_of, do_close_workshop, resume_link_of
from netlab.workshops.codes import show_code
from netlab.workshops.models import Attendee, Workshop
from tests.pages.conftest import read
from tests.web.conftest import LAB, FakeHost, signed_in

PAGES = [
    "/", "/join/{code}/", "/join/nonsense/", "/resume/nonsense/", "/w/{workshop}/", "/w/{workshop}/labs/{lab}/", "/sign-in/",
    "/instructor/", "/instructor/new/", "/instructor/w/{workshop}/", "/instructor/w/{workshop}/settings/",
    "/instructor/w/{workshop}/roster/", "/instructor/w/{workshop}/screen/", "/help/drops/", "/help/packets/", "/help/traces/",
    "/nowhere/",
]
OPEN = {
    "/": 200, "/join/{code}/": 200, "/join/nonsense/": 404, "/resume/nonsense/": 403, "/sign-in/": 200, "/help/drops/": 200,
    "/help/packets/": 200, "/help/traces/": 200, "/nowhere/": 404,
}
STATUS: dict[str, dict[str, int]] = {
    "anonymous": {**{p: 302 if "instructor" in p else 401 for p in PAGES}, **OPEN},
    "attendee": {**{p: 404 if "instructor" in p else 200 for p in PAGES}, **OPEN, "/join/{code}/": 302},
    "other_attendee": {**dict.fromkeys(PAGES, 404), **OPEN},
    "instructor": {**dict.fromkeys(PAGES, 200), **OPEN, "/sign-in/": 302},
    "other_instructor": {**dict.fromkeys(PAGES, 404), **OPEN, "/sign-in/": 302, "/instructor/": 200, "/instructor/new/": 200},
    "operator": {**dict.fromkeys(PAGES, 200), **OPEN, "/sign-in/": 302},
}


@pytest.fixture
def people(
    attendee: Attendee, other_workshop: Workshop, instructor: User, other_instructor: User, operator: User
) -> dict[str, Client]:
    from tests.web.conftest import sit_down

    users = {
        "attendee": attendee.user, "other_attendee": sit_down(other_workshop, "Zoe").user, "instructor": instructor,
        "other_instructor": other_instructor, "operator": operator,
    }
    return {"anonymous": Client()} | {name: signed_in(user) for name, user in users.items()}


def _path(page: str, workshop: Workshop) -> str:
    return page.format(workshop=workshop.pk, lab=LAB, code=show_code(code_of(workshop)))


@pytest.mark.parametrize("who", STATUS)
def test_who_sees_what(who: str, people: dict[str, Client], workshop: Workshop, host: FakeHost) -> None:
    client = people[who]
    answers = {page: client.get(_path(page, workshop)).status_code for page in PAGES}
    assert answers == STATUS[who]


@pytest.mark.parametrize("who", STATUS)
def test_nothing_that_the_policy_forbids(who: str, people: dict[str, Client], workshop: Workshop, host: FakeHost) -> None:
    for page in PAGES:
        answer = people[who].get(_path(page, workshop))
        html = read(answer)
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert html.inline_scripts == [], page
        for element in html.elements:
            assert "style" not in element.attributes, (page, element)
            assert not [name for name in element.attributes if name.startswith("on")], (page, element)
            address = element.attributes.get("src") or element.attributes.get("href") or ""
            assert not re.match(r"(https?:)?//", address) or address.startswith("http://testserver/"), (page, address)


@pytest.mark.parametrize("who", ["anonymous", "attendee", "instructor"])
def test_links_lead_somewhere(who: str, people: dict[str, Client], workshop: Workshop, host: FakeHost) -> None:
    for page in PAGES:
        for element in read(people[who].get(_path(page, workshop))).elements:
            for name in ("href", "src", "action"):
                address = element.attributes.get(name, "").removeprefix("http://testserver")
                if address.startswith(settings.STATIC_URL):
                    assert finders.find(address.removeprefix(settings.STATIC_URL)), (page, address)
                elif address.startswith("/"):
                    try:
                        resolve(address)
                    except Resolver404:
                        pytest.fail(f"{page} leads to {address}")


@pytest.mark.parametrize("who", STATUS)
def test_every_page_can_be_read_aloud(who: str, people: dict[str, Client], workshop: Workshop, host: FakeHost) -> None:
    """A title, one first heading, a label for every field, a name for every button."""
    for page in PAGES:
        answer = people[who].get(_path(page, workshop))
        if answer.status_code == 302 or page.endswith("/roster/"):
            continue
        html = read(answer)
        assert '<html lang="en"' in answer.content.decode()
        assert "<title>" in answer.content.decode()
        assert len(html.all("h1")) == 1, page
        labelled = {label.attributes.get("for") for label in html.all("label")}
        for box in html.all("input"):
            if box.attributes.get("type") not in ("hidden", "checkbox", "radio"):
                assert box.attributes.get("id") in labelled or "aria-label" in box.attributes, (page, box)


def test_forms_need_the_token(workshop: Workshop, instructor: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(instructor, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.post(f"/instructor/w/{workshop.pk}/do/close/")
    assert answer.status_code == 403
    assert "too old" in read(answer).words
    workshop.refresh_from_db()
    assert workshop.is_open()


@pytest.mark.parametrize("who", ["anonymous", "attendee", "other_attendee", "other_instructor"])
def test_only_its_instructors_press_its_buttons(
    who: str, people: dict[str, Client], workshop: Workshop, attendee: Attendee
) -> None:
    actions = [f"do/{a}/" for a in ("open", "close", "extend", "stop", "new-code")]
    actions += [f"attendees/{attendee.pk}/{a}/" for a in ("stop", "new-link", "remove")] + ["settings/"]
    before = code_of(workshop)
    for action in actions:
        form = {"title": "taken over", "seats": 1, "isolation": "trusted"}
        answer = people[who].post(f"/instructor/w/{workshop.pk}/{action}", form)
        assert answer.status_code == (302 if who == "anonymous" else 404), action
        assert answer.status_code == 404 or answer.headers["Location"].startswith("/sign-in/")
    workshop.refresh_from_db()
    assert (workshop.is_open(), workshop.title, code_of(workshop)) == (True, "XDP in an hour", before)
    assert workshop.attendees.filter(pk=attendee.pk).exists()


def test_others_cannot_start_or_stop_for_somebody(
    people: dict[str, Client], workshop: Workshop, attendee: Attendee, host: FakeHost
) -> None:
    run = do_start_run(attendee, LAB)
    for who in ("anonymous", "other_attendee", "other_instructor"):
        for verb in ("start", "stop"):
            assert people[who].post(f"/w/{workshop.pk}/labs/{LAB}/{verb}/").status_code in (401, 404)
        assert people[who].post(f"/w/{workshop.pk}/new-link/").status_code in (401, 404)
    run.refresh_from_db()
    assert run.state == "starting"


def test_a_bug_has_an_id_and_no_details(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: object) -> None:
        raise ZeroDivisionError("secret details")

    monkeypatch.setattr("netlab.pages.views.join._attendances", broken)
    answer = client.get("/")
    assert answer.status_code == 500
    words = read(answer).words
    (bug,) = [r.msg["bug"] for r in caplog.records if isinstance(r.msg, dict) and r.msg.get("event") == "page_failed"]
    assert bug in words and "secret" not in words


def test_healthz(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"database": True, "redis": True})


def test_the_workspace_can_be_read_before_any_script(attendee: Attendee, workshop: Workshop, host: FakeHost) -> None:
    answer = signed_in(attendee.user).get(f"/w/{workshop.pk}/labs/{LAB}/")
    html = read(answer)
    assert settings.CSRF_COOKIE_NAME in answer.cookies
    metas = {m.attributes.get("name"): m.attributes.get("content") for m in html.all("meta")}
    assert metas["csrf-cookie"] == settings.CSRF_COOKIE_NAME and metas["csp-nonce"]
    assert f'{{"workshop": "{workshop.pk}", "lab": "{LAB}"}}' in answer.content.decode()
    assert len(html.words) > 300


def test_a_closed_workshop_says_so(attendee: Attendee, workshop: Workshop, host: FakeHost) -> None:
    do_close_workshop(workshop)
    assert "This workshop is over" in read(signed_in(attendee.user).get(f"/w/{workshop.pk}/")).words
    assert "is over" in read(Client().get(f"/join/{code_of(workshop)}/")).words


def test_a_lab_that_cannot_run_says_why_before_start(attendee: Attendee, workshop: Workshop, host: FakeHost) -> None:
    host.report(abilities=[{"ability": "veth", "works": True}])
    html = read(signed_in(attendee.user).get(f"/w/{workshop.pk}/"))
    assert "It cannot run here" in html.words and "lacks" in html.words
    assert not [b for b in html.all("button") if "Start" in b.attributes.get("aria-label", "")]


def test_a_host_without_tokens_says_what_differs(attendee: Attendee, workshop: Workshop, host: FakeHost) -> None:
    page = signed_in(attendee.user)
    assert "BPF tokens" not in read(page.get(f"/w/{workshop.pk}/")).words
    host.report(abilities=[{"ability": a.value, "works": a is not Ability.BPF_TOKEN} for a in Ability])
    html = read(page.get(f"/w/{workshop.pk}/"))
    assert "no BPF tokens" in html.words and "It cannot run here" not in html.words


def test_a_lab_that_waits_for_the_guest_says_how_long_and_asks_again(attendee: Attendee, host: FakeHost) -> None:
    abilities = [{"ability": a.ability, "works": a.ability != "veth"} for a in host.report().abilities]
    url = f"/w/{attendee.workshop_id}/"
    host.report(abilities=abilities, guest=host.guest("building", doing="compiling the guest kernel", minutes_left=9))
    html = read(signed_in(attendee.user).get(url))
    assert "VM labs: building the guest kernel, about 9 min left." in html.words and "It cannot run here" not in html.words
    (part,) = [e for e in html.elements if "data-refresh-s" in e.attributes]
    assert (part.attributes["id"], part.attributes["data-source"]) == ("cards", url)
    host.report(abilities=abilities, guest=host.guest("cannot_boot", doing="QEMU ended with signal 11."))
    html = read(signed_in(attendee.user).get(url))
    assert "It cannot run here:" in html.words and "does not boot on this host (QEMU ended with signal 11)" in html.words
    host.report(abilities=abilities, guest=host.guest())
    html = read(signed_in(attendee.user).get(url))
    assert "It runs in a kernel of its own, because the host's kernel lacks veth." in html.words
    assert not [e for e in html.elements if "data-refresh-s" in e.attributes]


def test_a_lab_that_somebody_else_ended_says_why(attendee: Attendee, host: FakeHost) -> None:
    run = do_stop_run(do_start_run(attendee, LAB), "The instructor has stopped all labs. Your files are kept.")
    do_host_event(RunStateChanged(run=run.pk, generation=run.generation, at=1.0, state=RunState.STOPPED))
    assert "The instructor has stopped all labs." in read(signed_in(attendee.user).get(f"/w/{attendee.workshop_id}/")).words
    do_start_run(attendee, LAB)
    assert "has stopped" not in read(signed_in(attendee.user).get(f"/w/{attendee.workshop_id}/")).words


def test_the_resume_link_opens_the_labs_elsewhere(attendee: Attendee, workshop: Workshop, host: FakeHost) -> None:
    page = read(signed_in(attendee.user).get(f"/w/{workshop.pk}/"))
    link = next(e.attributes["value"] for e in page.all("input") if e.attributes.get("id") == "resume-link")
    assert link == resume_link_of(attendee)
    elsewhere = Client()
    answer = elsewhere.get(link.removeprefix("http://testserver"), follow=True)
    assert answer.redirect_chain[-1][0] == f"/w/{workshop.pk}/"
    signed_in(attendee.user).post(f"/w/{workshop.pk}/new-link/")
    assert Client().get(link.removeprefix("http://testserver")).status_code == 403
