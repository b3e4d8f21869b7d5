"""How attendees come in: by a code that is typed, by the join link, by their personal link."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from netlab.accounts.models import NAME_CHARS_MAX, User
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import normalise_join_code
from netlab.pages.errors import refusal
from netlab.pages.page import page
from netlab.workshops.access import access_attendances
from netlab.workshops.codes import show_code
from netlab.workshops.joining import do_join, do_resume, find_workshop
from netlab.workshops.models import Workshop

JUST_JOINED = "just_joined"
"""In the session: the next page of that workshop shows the personal link at once."""
CODE_CHARS_MAX = 40


@require_safe
@page
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "netlab/home.html", {"attendances": _attendances(request)})


@require_http_methods(["GET", "HEAD", "POST"])
@page
def by_code(request: HttpRequest) -> HttpResponse:
    """The code as typed -> the page of the join link, which has an address that can be reloaded."""
    typed = (request.POST.get("code") or request.GET.get("code") or "").strip()[:CODE_CHARS_MAX]
    code = normalise_join_code(typed)
    if not code:
        missing = NetlabError(ErrorCode.BAD_INPUT, what="A code is missing.", fix="Type the one on the screen.")
        return _code_form(request, typed, missing)
    try:
        find_workshop(request, typed)
    except NetlabError as error:
        return _code_form(request, typed, error)
    return HttpResponseRedirect(reverse("join", args=[show_code(code)]))


def _code_form(request: HttpRequest, typed: str, error: NetlabError) -> HttpResponse:
    context = {"code": typed, "refusal": refusal(error), "attendances": _attendances(request)}
    return render(request, "netlab/home.html", context, status=error.status)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def join(request: HttpRequest, code: str) -> HttpResponse:
    try:
        workshop = find_workshop(request, code)
    except NetlabError as error:
        return _code_form(request, code[:CODE_CHARS_MAX], error)
    present = access_attendances(request.user).filter(workshop=workshop).first() if isinstance(request.user, User) else None
    if present is not None:
        return HttpResponseRedirect(reverse("labs", args=[workshop.pk]))
    if request.method == "POST":
        return _take_seat(request, code, workshop)
    return _name_form(request, code, workshop, request.user.name if isinstance(request.user, User) else "")


def _take_seat(request: HttpRequest, code: str, workshop: Workshop) -> HttpResponse:
    name = request.POST.get("name", "")
    try:
        attendee = do_join(request, code, name)
    except NetlabError as error:
        answer = _name_form(request, code, workshop, name, error)
        answer.status_code = error.status
        return answer
    request.session[JUST_JOINED] = attendee.workshop_id
    return HttpResponseRedirect(reverse("labs", args=[attendee.workshop_id]))


def _name_form(request: HttpRequest, code: str, workshop: Workshop, name: str, error: NetlabError | None = None) -> HttpResponse:
    context = {
        "code": code, "workshop": workshop, "name": name, "name_chars_max": NAME_CHARS_MAX,
        "refusal": refusal(error) if error else None,
    }
    return render(request, "netlab/join.html", context)


@require_safe
@page
def resume(request: HttpRequest, token: str) -> HttpResponse:
    """The personal link: this browser is the attendee's from now on."""
    attendee = do_resume(request, token)
    return HttpResponseRedirect(reverse("labs", args=[attendee.workshop_id]))


def _attendances(request: HttpRequest) -> list[object]:
    return list(access_attendances(request.user)) if isinstance(request.user, User) else []
