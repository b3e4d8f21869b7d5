"""The attendee's pages: the labs of a workshop, and the workspace of one lab, whose inside is the front end's."""

from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from netlab.accounts.models import User
from netlab.catalogue.labs import get_lab
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import Isolation
from netlab.pages.errors import refusal
from netlab.pages.lab_cards import ISOLATION_WORDS, kernel_words, lab_cards, refresh_s
from netlab.pages.lab_search import WORTHWHILE_FROM, LabSearch, topics_of
from netlab.pages.page import person, signed_in
from netlab.pages.views.join import JUST_JOINED
from netlab.runs.access import access_run_for, newest_run
from netlab.runs.actions import do_start_run, do_stop_run
from netlab.runs.hosts import choose_host
from netlab.runs.telling import host_report
from netlab.workshops.access import access_attendance, access_attendances, access_workshop
from netlab.workshops.actions import do_new_resume_link, do_touch, resume_link_of
from netlab.workshops.models import Attendee, Workshop

FRONT_END_MANIFEST = Path(str(settings.DJANGO_VITE["default"]["manifest_path"]))


@require_safe
@signed_in
def labs(request: HttpRequest, workshop_id: str) -> HttpResponse:
    workshop = access_workshop(person(request), workshop_id)
    return _labs_page(request, workshop)


def _labs_page(request: HttpRequest, workshop: Workshop, error: NetlabError | None = None) -> HttpResponse:
    attendee = _attendee(person(request), workshop)
    if attendee is not None:
        do_touch(attendee)
    cards, search = lab_cards(workshop, attendee), LabSearch.of(request.GET.dict())
    context = {
        "workshop": workshop,
        "attendee": attendee,
        "cards": search.found(cards),
        "search": search,
        "topics": topics_of(cards),
        "is_worth_searching": len(cards) >= WORTHWHILE_FROM,
        "refresh_s": refresh_s(cards),
        "is_open": workshop.is_open(),
        "is_over": workshop.is_over(),
        "isolation": ISOLATION_WORDS[Isolation(workshop.isolation)],
        "kernel": kernel_words(Isolation(workshop.isolation), host_report(choose_host())),
        "resume_link": resume_link_of(attendee) if attendee else "",
        "resume_link_days": settings.CONFIG.resume_link_days,
        "just_joined": request.session.get(JUST_JOINED) == workshop.pk,
        "refusal": refusal(error) if error else None,
        "refused_lab": (error.data.get("lab_id") or "") if error else "",
    }
    if context["just_joined"]:
        del request.session[JUST_JOINED]
    return render(request, "netlab/labs.html", context, status=error.status if error else 200)


def _attendee(user: User, workshop: Workshop) -> Attendee | None:
    """None for an instructor who only looks on."""
    return access_attendances(user).filter(workshop=workshop).first()


@require_POST
@signed_in
def start(request: HttpRequest, workshop_id: str, lab_id: str) -> HttpResponse:
    attendee = access_attendance(person(request), workshop_id)
    try:
        do_start_run(attendee, lab_id)
    except NetlabError as error:
        return _labs_page(request, attendee.workshop, error)
    return HttpResponseRedirect(reverse("workspace", args=[workshop_id, lab_id]))


@require_POST
@signed_in
def stop(request: HttpRequest, workshop_id: str, lab_id: str) -> HttpResponse:
    """From the list of labs: the way out of 'you already have a running lab'."""
    attendee = access_attendance(person(request), workshop_id)
    run = newest_run(attendee, lab_id)
    if run is None:
        raise NetlabError(ErrorCode.NOT_FOUND, what="run")
    do_stop_run(access_run_for(person(request), run.pk))
    return HttpResponseRedirect(reverse("labs", args=[workshop_id]))


@require_POST
@signed_in
def new_link(request: HttpRequest, workshop_id: str) -> HttpResponse:
    """The old personal link went astray: make it void."""
    do_new_resume_link(access_attendance(person(request), workshop_id))
    request.session[JUST_JOINED] = workshop_id
    return HttpResponseRedirect(reverse("labs", args=[workshop_id]))


@require_safe
@signed_in
def workspace(request: HttpRequest, workshop_id: str, lab_id: str) -> HttpResponse:
    """The shell of the front end. The open step's text is in it: readable before any script has run."""
    workshop = access_workshop(person(request), workshop_id)
    if not workshop.labs.filter(lab=lab_id).exists():
        raise NetlabError(ErrorCode.NOT_FOUND, what="lab in this workshop")
    lab = get_lab(lab_id)
    attendee = _attendee(person(request), workshop)
    if attendee is not None:
        do_touch(attendee)
    run = newest_run(attendee, lab_id) if attendee else None
    step = (lab.spec.step(run.open_step) if run else None) or lab.spec.steps[0]
    get_token(request)  # so that the CSRF cookie is there when the front end needs it
    context = {
        "workshop": workshop,
        "lab": lab,
        "step": step,
        "step_number": lab.spec.steps.index(step) + 1,
        "step_html": lab.html[step.id],
        "bootstrap": {"workshop": workshop.pk, "lab": lab_id},
        "csrf_cookie": settings.CSRF_COOKIE_NAME,
        "front_end_is_built": FRONT_END_MANIFEST.is_file(),
    }
    return render(request, "netlab/workspace.html", context)
