"""Error pages, in the words of the error catalogue. Called by the page decorator and by Django for what no view caught."""

from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_bug_id
from netlab.pages.theme import theme

log = structlog.get_logger(__name__)


def error_page(request: HttpRequest, error: NetlabError) -> HttpResponse:
    """One sentence, a hint and a way on."""
    # Without the request a page asks neither session nor database, which may be what broke.
    asking = request if error.status < 500 else None
    context = {**theme(request), "error": error, "way_on": _way_on(error.code)}
    answer = render(asking, "netlab/error.html", context, status=error.status)
    answer.headers["Cache-Control"] = "no-store"
    if "retry_after_s" in error.data:
        answer.headers["Retry-After"] = str(error.data["retry_after_s"])
    return answer


def _way_on(code: ErrorCode) -> tuple[str, str]:
    """(address, words) of the link below the sentence."""
    if code == ErrorCode.NOT_SIGNED_IN:
        return "/", "Join with a code"
    return "/", "To the first page"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    error = NetlabError(ErrorCode.BAD_INPUT, what="This request is not understood.", fix="Go back and try again.")
    return error_page(request, error)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(request, NetlabError(ErrorCode.NOT_ALLOWED, what="do this"))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(request, NetlabError(ErrorCode.NOT_FOUND, what="page"))


def bug(request: HttpRequest) -> HttpResponse:
    """A bug outside of a view. Django has logged the traceback; the id stands in the line after it."""
    bug_id = new_bug_id()
    log.error("request_failed", bug=bug_id, path=request.path)
    return error_page(request, NetlabError(ErrorCode.BUG, id=bug_id))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW for pages."""
    return error_page(request, NetlabError(ErrorCode.CSRF))


def refusal(error: NetlabError) -> dict[str, Any]:
    """For a form that is shown again: the sentence and the hint, beside what was typed."""
    return {"message": error.message, "hint": error.hint, "code": error.code.value}
