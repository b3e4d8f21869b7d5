"""Who may open which socket, and what happens when access ends: every socket as everybody."""

import asyncio
import itertools
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import logout
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from netlab.accounts.models import User
from netlab.live.run_socket import RunSocket
from netlab.live.socket import GuardedSocket
from netlab.runs.actions import do_open_step, do_start_run
from netlab.runs.models import Run
from netlab.runs.removing import do_remove_attendee
from netlab.workshops.models import Attendee
from tests.live.conftest import Voice, Web
from tests.waiting import until
from tests.web.conftest import LAB

SOCKETS = ("/ws/runs/{run}/", "/ws/runs/{run}/terminals/{terminal}/", "/ws/workshops/{workshop}/")


def _paths(run: Run, terminal: str) -> list[str]:
    return [path.format(run=run.pk, terminal=terminal, workshop=run.workshop_id) for path in SOCKETS]


@pytest.mark.parametrize("which", range(3))
async def test_strangers_are_told_to_sign_in(which: int, web: Web, run: Run, terminal: str) -> None:
    browser = await web.browser(None, _paths(run, terminal)[which])
    code, error = await browser.close_code()
    assert (code, error["code"]) == (4401, "not_signed_in")


@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("who", ["other_attendee", "other_instructor"])
async def test_for_others_there_is_nothing(
    which: int, who: str, web: Web, run: Run, terminal: str, other_attendee: Attendee, other_instructor: User
) -> None:
    user = other_attendee.user if who == "other_attendee" else other_instructor
    browser = await web.browser(user, _paths(run, terminal)[which])
    assert (await browser.close_code())[0] == 4404


@pytest.mark.parametrize("which", range(2))
async def test_the_instructor_does_not_look_into_labs(
    which: int, web: Web, run: Run, terminal: str, instructor: User
) -> None:
    browser = await web.browser(instructor, _paths(run, terminal)[which])
    assert (await browser.close_code())[0] == 4404


async def test_attendees_do_not_get_the_roster(web: Web, run: Run, attendee: Attendee) -> None:
    browser = await web.browser(attendee.user, f"/ws/workshops/{run.workshop_id}/")
    assert (await browser.close_code())[0] == 4404


@pytest.mark.parametrize("path", [
    "/ws/", "/ws/runs/nonsense/", "/ws/runs/r0000000000/terminals/x/", "/ws/workshops/w0000000/", "/ws/runs/r0000000000/",
])
async def test_addresses_that_lead_nowhere(path: str, web: Web, attendee: Attendee) -> None:
    browser = await web.browser(attendee.user, path)
    code, error = await browser.close_code()
    assert code == 4404 and error["message"]


async def test_a_terminal_of_another_run_is_not_found(
    web: Web, run: Run, terminal: str, other_attendee: Attendee, host: Any
) -> None:
    theirs = await sync_to_async(do_start_run)(other_attendee, LAB)
    browser = await web.browser(other_attendee.user, f"/ws/runs/{theirs.pk}/terminals/{terminal}/")
    assert (await browser.close_code())[0] == 4404


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", None])
async def test_pages_of_other_sites_are_refused(origin: str | None, web: Web, run: Run, attendee: Attendee) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await web.browser(attendee.user, f"/ws/runs/{run.pk}/", origin=origin)
    assert refused.value.response.status_code == 403


# --- the end of access


def _sign_out(user: User) -> None:
    """As the sign-out button does, in every session of the user."""
    for key in [s.pk for s in SessionStore.get_model_class().objects.all()]:
        request = HttpRequest()
        request.session = SessionStore(key)
        request.user = user
        logout(request)


@pytest.mark.parametrize("which", range(2))
async def test_signing_out_closes_sockets_at_once(
    which: int, web: Web, run: Run, terminal: str, voice: Voice, attendee: Attendee
) -> None:
    browser = await web.browser(attendee.user, _paths(run, terminal)[which])
    await browser.say(type="hello")
    await browser.next()
    await sync_to_async(_sign_out)(attendee.user)
    assert (await browser.close_code())[0] == 4410


async def test_who_is_removed_is_out_at_once(web: Web, run: Run, voice: Voice, attendee: Attendee) -> None:
    browser = await web.run_socket(attendee.user, run)
    await browser.until("snapshot")
    await sync_to_async(do_remove_attendee)(attendee)
    assert (await browser.close_code())[0] == 4410
    assert not await sync_to_async(User.objects.filter(pk=attendee.user_id).exists)()


async def test_access_is_looked_at_again_and_again(
    web: Web, run: Run, voice: Voice, attendee: Attendee, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody says that it has ended; the check of every minute finds it."""
    monkeypatch.setattr("netlab.live.socket.CHECK_EVERY_S", 0.2)
    browser = await web.run_socket(attendee.user, run)
    await browser.until("snapshot")
    await asyncio.sleep(0.5)
    await voice.event("still here")
    assert (await browser.until("event"))["event"]["what"] == "still here"
    await sync_to_async(User.objects.filter(pk=attendee.user_id).update)(is_active=False)
    assert (await browser.close_code())[0] == 4410


async def test_a_hello_must_come_in_time(
    web: Web, run: Run, attendee: Attendee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GuardedSocket, "HELLO_WITHIN_S", 0.2)
    browser = await web.browser(attendee.user, f"/ws/runs/{run.pk}/")
    code, error = await browser.close_code()
    assert code == 4400 and "hello" in error["message"]


@pytest.mark.parametrize("message", [
    '{"type":"rate","rate":"fast"}', '{"type":"hello","last_event":"x","rate":"off"}', '{"type":"hello","rate":"ludicrous"}',
    "{", "null", b"\x00\x01", "\u0000", '{"type":"hello","last_event":"99999999999999999999-1"}',
])
async def test_malformed_first_messages(message: str | bytes, web: Web, run: Run, attendee: Attendee) -> None:
    browser = await web.browser(attendee.user, f"/ws/runs/{run.pk}/")
    await browser.socket.send(message)
    code, error = await browser.close_code()
    assert code == 4400 and error["code"] == "bad_message"


async def test_a_bug_is_an_id_and_no_traceback(
    web: Web, run: Run, attendee: Attendee, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(self: RunSocket, message: object) -> None:
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr(RunSocket, "hello", broken)
    browser = await web.run_socket(attendee.user, run)
    code, error = await browser.close_code()
    assert code == 1011
    logged = [r.msg for r in caplog.records if isinstance(r.msg, dict) and r.msg.get("event") == "socket_failed"]
    assert [(line["bug"], line["exc_info"]) for line in logged] == [(error["data"]["id"], True)]
    assert "bug of ours" not in str(error)


# --- the roster


async def test_instructors_hear_that_the_roster_has_changed(
    web: Web, run: Run, instructor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netlab.live.workshop_socket.ROSTER_EVERY_S", 3.0)  # three steps take a moment, too
    browser = await web.browser(instructor, f"/ws/workshops/{run.workshop_id}/")
    assert await browser.quiet()
    turns = itertools.cycle(step.id for step in run.spec().steps[:3])
    while await browser.quiet():  # it may not have been let in yet
        await sync_to_async(do_open_step)(run, next(turns))
    while not await browser.quiet(4.0):
        continue
    for _ in range(3):
        await sync_to_async(do_open_step)(run, next(turns))
    assert await browser.next() == {"type": "roster"}
    assert await browser.quiet(0.5)  # the others wait for their time
    assert await browser.next() == {"type": "roster"}
    assert await browser.quiet(4.0)


async def test_one_person_cannot_hold_any_number_of_sockets(web: Web, run: Run, attendee: Attendee, monkeypatch: Any) -> None:
    monkeypatch.setattr("netlab.live.socket.SOCKETS_PER_PERSON", 2)
    first = await web.run_socket(attendee.user, run)
    await first.until("snapshot")
    second = await web.run_socket(attendee.user, run)
    await second.until("snapshot")
    third = await web.run_socket(attendee.user, run)
    code, error = await third.close_code()
    assert (code, error["code"]) == (1013, "bad_input")
    await first.socket.close()

    async def let_in() -> bool:
        """The server gives the place back when it has seen the end."""
        try:
            again = await web.run_socket(attendee.user, run)
            return bool((await again.until("snapshot"))["type"] == "snapshot")
        except ConnectionClosed:
            return False

    await until(let_in, "a place")
