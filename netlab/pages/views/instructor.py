"""The instructor's pages: own workshops, making one, and one workshop with its code, its people and its buttons."""

import segno
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_http_methods, require_safe

from netlab.catalogue.labs import catalogue
from netlab.domain.errors import NetlabError
from netlab.domain.lab import Isolation
from netlab.pages.errors import refusal
from netlab.pages.forms import WorkshopForm, initial_of
from netlab.pages.lab_cards import (
    ISOLATION_WORDS,
    default_isolation,
    kernel_words,
    lab_cards,
    labs_that_can_run,
    refresh_s,
    vm_words,
    words_of_all,
)
from netlab.pages.page import instructors_only, person
from netlab.pages.roster import roster_rows
from netlab.runs.hosts import choose_host
from netlab.runs.telling import host_report
from netlab.wire.host_report import HostReport
from netlab.workshops.access import access_workshop_to_manage, access_workshops_taught
from netlab.workshops.actions import code_of, do_change_workshop, do_create_workshop, do_set_labs
from netlab.workshops.codes import join_link, show_code
from netlab.workshops.models import Workshop

NOTICE = "notice"
"""In the session: one sentence for the next page, about what was just done."""


@require_safe
@instructors_only
def workshops(request: HttpRequest) -> HttpResponse:
    found = access_workshops_taught(person(request)).prefetch_related("labs", "attendees")
    return render(request, "netlab/instructor/workshops.html", {"workshops": found, "broken": catalogue().broken})


@require_http_methods(["GET", "HEAD", "POST"])
@instructors_only
def new(request: HttpRequest) -> HttpResponse:
    form = WorkshopForm(request.POST or None, initial={"isolation": default_isolation(host_report(choose_host())).value})
    error = None
    if request.method == "POST" and form.is_valid():
        wish = form.cleaned_data
        try:
            made = do_create_workshop(
                person(request), wish["title"], labs=wish["labs"], seats=wish["seats"], isolation=Isolation(wish["isolation"]),
                opens_at=wish["opens_at"], closes_at=wish["closes_at"], show_solutions=wish["show_solutions"],
            )
        except NetlabError as refused:
            error = refused
        else:
            request.session[NOTICE] = "The workshop is made. Nobody can join before you open it."
            return HttpResponseRedirect(reverse("workshop", args=[made.pk]))
    return _form_page(request, form, error, None)


@require_safe
@instructors_only
def workshop(request: HttpRequest, workshop_id: str) -> HttpResponse:
    found = access_workshop_to_manage(person(request), workshop_id)
    return workshop_page(request, found)


def workshop_page(request: HttpRequest, found: Workshop, error: NetlabError | None = None) -> HttpResponse:
    """Also shown by the buttons' view when one of them was refused."""
    cards = lab_cards(found, None)
    context = {
        **_invitation(found),
        "workshop": found,
        "cards": cards,
        "refresh_s": refresh_s(cards),
        "kernel_words_of_all": words_of_all(cards),
        "rows": roster_rows(found),
        "is_open": found.is_open(),
        "is_over": found.is_over(),
        "isolation": ISOLATION_WORDS[Isolation(found.isolation)],
        "kernel": kernel_words(Isolation(found.isolation), host_report(choose_host())),
        "extend_minutes": settings.CONFIG.extend_minutes,
        "notice": request.session.pop(NOTICE, ""),
        "refusal": refusal(error) if error else None,
    }
    return render(request, "netlab/instructor/workshop.html", context, status=error.status if error else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@instructors_only
def change(request: HttpRequest, workshop_id: str) -> HttpResponse:
    found = access_workshop_to_manage(person(request), workshop_id)
    keep = [link.lab for link in found.labs.all()]
    form = WorkshopForm(request.POST or None, initial=initial_of(found), keep_labs=keep)
    error = None
    if request.method == "POST" and form.is_valid():
        wish = form.cleaned_data
        try:
            if wish["labs"] != keep:
                do_set_labs(found, wish["labs"])
            do_change_workshop(
                found, title=wish["title"], seats=wish["seats"], isolation=Isolation(wish["isolation"]),
                opens_at=wish["opens_at"], closes_at=wish["closes_at"], show_solutions=wish["show_solutions"],
            )
        except NetlabError as refused:
            error = refused
        else:
            request.session[NOTICE] = "Saved. Labs that run already are not changed by this."
            return HttpResponseRedirect(reverse("workshop", args=[found.pk]))
    return _form_page(request, form, error, found)


def _form_page(request: HttpRequest, form: WorkshopForm, error: NetlabError | None, found: Workshop | None) -> HttpResponse:
    report = host_report(choose_host())
    context = {
        "form": form, "workshop": found, "refusal": refusal(error) if error else None,
        "isolations": [(i.value, *ISOLATION_WORDS[i], _possible(i, report)) for i in Isolation],
    }
    bad = error is not None or form.errors
    return render(request, "netlab/instructor/form.html", context, status=422 if bad else 200)


def _possible(isolation: Isolation, report: HostReport | None) -> str:
    words = vm_words(report) if isolation is Isolation.PRIVATE else ""
    return words or labs_that_can_run(isolation, report)


@require_safe
@instructors_only
def roster(request: HttpRequest, workshop_id: str) -> HttpResponse:
    """The table alone: fetched anew by roster.js when the websocket says that it has changed."""
    found = access_workshop_to_manage(person(request), workshop_id)
    return render(request, "netlab/instructor/roster.html", {"workshop": found, "rows": roster_rows(found)})


@require_safe
@instructors_only
def screen(request: HttpRequest, workshop_id: str) -> HttpResponse:
    """For the projector: code, QR code and address, as large as they fit."""
    found = access_workshop_to_manage(person(request), workshop_id)
    return render(request, "netlab/instructor/screen.html", {"workshop": found, **_invitation(found)})


def _invitation(found: Workshop) -> dict[str, object]:
    code = code_of(found)
    link = join_link(code)
    return {"code": show_code(code), "join_link": link, "qr": _qr(link), "address": settings.CONFIG.public_url.removeprefix("https://")}


def _qr(link: str) -> SafeString:
    """SVG without styles or scripts, so it passes the CSP inline. Black on white in either theme: scanners want that."""
    svg: str = segno.make(link, error="m").svg_inline(border=4, light="#fff", omitsize=True)
    return mark_safe(svg)  # noqa: S308 segno's own drawing of a link that we made

