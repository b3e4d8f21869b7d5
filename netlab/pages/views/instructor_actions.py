"""The buttons of the instructor's workshop page. Each is one action and one sentence about what happened."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.pages.page import instructors_only, person
from netlab.pages.views.instructor import NOTICE, workshop_page
from netlab.runs.actions import do_extend_workshop_runs, do_stop_run, do_stop_workshop_runs
from netlab.runs.choices import UNFINISHED_VALUES
from netlab.runs.removing import do_remove_attendee
from netlab.workshops.access import access_workshop_to_manage
from netlab.workshops.actions import do_close_workshop, do_new_code, do_new_resume_link, do_open_workshop
from netlab.workshops.models import Attendee, Workshop


def _open(workshop: Workshop) -> str:
    do_open_workshop(workshop)
    return "The workshop is open: people can join."


def _close(workshop: Workshop) -> str:
    do_close_workshop(workshop)
    stopped = do_stop_workshop_runs(workshop, "The workshop is over; the lab was stopped. Your files are kept.")
    return f"The workshop is closed and nobody can join. {_labs(stopped)} stopped; files are kept."


def _extend(workshop: Workshop) -> str:
    extended = do_extend_workshop_runs(workshop)
    return f"{_labs(extended)} given more time."


def _stop(workshop: Workshop) -> str:
    stopped = do_stop_workshop_runs(workshop)
    return f"{_labs(stopped)} stopped. Files are kept; people can start again while the workshop is open."


def _new_code(workshop: Workshop) -> str:
    do_new_code(workshop)
    return "The code is new; the old one and its links let nobody in any more. Who has joined stays."


def _labs(count: int) -> str:
    return "No lab was" if count == 0 else "1 lab was" if count == 1 else f"{count} labs were"


ACTIONS: dict[str, Callable[[Workshop], str]] = {
    "open": _open, "close": _close, "extend": _extend, "stop": _stop, "new-code": _new_code,
}


@require_POST
@instructors_only
def act(request: HttpRequest, workshop_id: str, action: str) -> HttpResponse:
    workshop = access_workshop_to_manage(person(request), workshop_id)
    if action not in ACTIONS:
        raise NetlabError(ErrorCode.NOT_FOUND, what="action")
    try:
        sentence = ACTIONS[action](workshop)
    except NetlabError as error:
        return workshop_page(request, workshop, error)
    request.session[NOTICE] = sentence
    return HttpResponseRedirect(reverse("workshop", args=[workshop.pk]))


def _stop_theirs(attendee: Attendee) -> str:
    runs = list(attendee.runs.filter(state__in=UNFINISHED_VALUES))
    for run in runs:
        do_stop_run(run, "The instructor has stopped this lab. Your files are kept.")
    return f"{attendee.name}'s lab was stopped; the files are kept." if runs else f"{attendee.name} had no lab running."


def _new_link(attendee: Attendee) -> str:
    """For who lost theirs: handed over by the instructor, in person."""
    link = do_new_resume_link(attendee)
    return f"{attendee.name}'s new personal link: {link}" if link else f"{attendee.name} signs in with a password, not by a link."


def _remove(attendee: Attendee) -> str:
    do_remove_attendee(attendee)
    return f"{attendee.name} was removed. They can join again while they have the code."


ACTIONS_ON_ATTENDEES: dict[str, Callable[[Attendee], str]] = {"stop": _stop_theirs, "new-link": _new_link, "remove": _remove}


@require_POST
@instructors_only
def act_on_attendee(request: HttpRequest, workshop_id: str, attendee_id: int, action: str) -> HttpResponse:
    workshop = access_workshop_to_manage(person(request), workshop_id)
    attendee = workshop.attendees.select_related("user").filter(pk=attendee_id).first()
    if attendee is None or action not in ACTIONS_ON_ATTENDEES:
        raise NetlabError(ErrorCode.NOT_FOUND, what="attendee")
    try:
        sentence = ACTIONS_ON_ATTENDEES[action](attendee)
    except NetlabError as error:
        return workshop_page(request, workshop, error)
    request.session[NOTICE] = sentence
    return HttpResponseRedirect(reverse("workshop", args=[workshop.pk]))
