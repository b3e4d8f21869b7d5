"""The decorator of every page: a refusal becomes the error page with its status, a bug gets an id, times their zone.

Used by all views of this package. The one place of pages that catches everything: beyond it is the server.
"""

from collections.abc import Callable
from functools import update_wrapper
from typing import Concatenate, ParamSpec
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from netlab.accounts.models import User
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_bug_id
from netlab.pages.errors import error_page

ZONE_COOKIE = "netlab_zone"
"""Written by site.js: the browser's time zone by name. Without it times are shown in UTC, and say so."""
Params = ParamSpec("Params")
View = Callable[Concatenate[HttpRequest, Params], HttpResponse]
log = structlog.get_logger(__name__)


def page(view: View[Params]) -> View[Params]:
    """For everybody."""

    def shown(request: HttpRequest, /, *args: Params.args, **kwargs: Params.kwargs) -> HttpResponse:
        try:
            with timezone.override(zone_of(request)):
                answer = view(request, *args, **kwargs)
        except NetlabError as error:
            return error_page(request, error)
        except (Http404, PermissionDenied, SuspiciousOperation):
            raise
        except Exception:
            bug = new_bug_id()
            log.exception("page_failed", bug=bug, path=request.path)
            return error_page(request, NetlabError(ErrorCode.BUG, id=bug))
        answer.headers.setdefault("Cache-Control", "no-store")  # pages are about one person
        return answer

    update_wrapper(shown, view)
    return shown


def signed_in(view: View[Params]) -> View[Params]:
    """For who joined or signed in."""

    @page
    def shown(request: HttpRequest, /, *args: Params.args, **kwargs: Params.kwargs) -> HttpResponse:
        if not isinstance(request.user, User):
            raise NetlabError(ErrorCode.NOT_SIGNED_IN)
        return view(request, *args, **kwargs)

    update_wrapper(shown, view)
    return shown


def instructors_only(view: View[Params]) -> View[Params]:
    """Others are sent to sign in and come back; attendees learn nothing."""

    @page
    def shown(request: HttpRequest, /, *args: Params.args, **kwargs: Params.kwargs) -> HttpResponse:
        if not isinstance(request.user, User):
            return HttpResponseRedirect(f"/sign-in/?{urlencode({'next': request.get_full_path()})}")
        if not request.user.teaches:
            raise NetlabError(ErrorCode.NOT_FOUND, what="page")
        return view(request, *args, **kwargs)

    update_wrapper(shown, view)
    return shown


def operators_only(view: View[Params]) -> View[Params]:
    """Others learn nothing; whoever is not signed in is sent to sign in and comes back."""

    @instructors_only
    def shown(request: HttpRequest, /, *args: Params.args, **kwargs: Params.kwargs) -> HttpResponse:
        if not person(request).operates:
            raise NetlabError(ErrorCode.NOT_FOUND, what="page")
        return view(request, *args, **kwargs)

    update_wrapper(shown, view)
    return shown


def person(request: HttpRequest) -> User:
    """Who asks; only in views that let nobody else in."""
    assert isinstance(request.user, User)
    return request.user


def zone_of(request: HttpRequest) -> ZoneInfo:
    try:
        return ZoneInfo(request.COOKIES.get(ZONE_COOKIE, "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a cookie may hold anything, also the name of a folder
        return ZoneInfo("UTC")
