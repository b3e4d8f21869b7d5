"""Signing in with a password, and signing out. For instructors and operators; attendees come in by links."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from netlab.accounts.actions import do_sign_in, do_sign_out
from netlab.accounts.models import User
from netlab.domain.errors import NetlabError
from netlab.pages.errors import refusal
from netlab.pages.page import page


@require_http_methods(["GET", "HEAD", "POST"])
@page
def sign_in(request: HttpRequest) -> HttpResponse:
    """The name that was typed stays; a password is never sent back."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    context = {"next": wanted, "username": request.POST.get("username", "")}
    if request.method != "POST":
        if isinstance(request.user, User) and request.user.teaches:
            return HttpResponseRedirect(_safe(request, wanted))
        return render(request, "netlab/sign_in.html", context)
    try:
        do_sign_in(request, request.POST.get("username", ""), request.POST.get("password", ""))
    except NetlabError as error:
        return render(request, "netlab/sign_in.html", {**context, "refusal": refusal(error)}, status=error.status)
    return HttpResponseRedirect(_safe(request, wanted))


@require_POST
@page
def sign_out(request: HttpRequest) -> HttpResponse:
    do_sign_out(request)
    return HttpResponseRedirect("/")


def _safe(request: HttpRequest, wanted: str) -> str:
    """Only to a page of ours."""
    ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return wanted if ours and wanted.startswith("/") else "/instructor/"
