"""Every error of the API in the one shape `{code, message, hint, data}`, whoever refuses: ninja, Django or we.

Used by netlab.api.app (exceptions of operations) and as the outermost middleware (what never reached an operation).
"""

import json
from collections.abc import Callable
from typing import Any

import structlog
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_bug_id

log = structlog.get_logger("netlab.api")

PREFIX = "/api/"


def error_response(error: NetlabError, status: int | None = None) -> JsonResponse:
    headers = {"Retry-After": str(error.data["retry_after_s"])} if "retry_after_s" in error.data else {}
    return JsonResponse(error.body().model_dump(mode="json"), status=status or error.status, headers=headers)


def bug_response(error: BaseException, request: HttpRequest) -> JsonResponse:
    """The traceback goes to the log under the id that the person is told."""
    bug = new_bug_id()
    log.error("bug", bug=bug, method=request.method, path=request.path, exc_info=error)
    return error_response(NetlabError(ErrorCode.BUG, id=bug))


def from_status(status: int) -> NetlabError:
    """What a bare status means: answers of Django and of ninja itself."""
    if status == 401:
        return NetlabError(ErrorCode.NOT_SIGNED_IN)
    if status == 403:
        return NetlabError(ErrorCode.CSRF)
    if status == 404:
        return NetlabError(ErrorCode.NOT_FOUND, what="address in this API")
    if status == 405:
        return NetlabError(ErrorCode.BAD_INPUT, what="This address does not take that method.", fix="Reload the page.")
    if status >= 500:
        return NetlabError(ErrorCode.BUG, id="")
    return NetlabError(ErrorCode.BAD_INPUT, what="This request is not understood.", fix="Reload the page and try again.")


def from_validation(error: ValidationError) -> NetlabError:
    """The first thing that is wrong, in a sentence that names the field."""
    first: dict[str, Any] = error.errors[0] if error.errors else {}
    loc = first.get("loc", ())
    where = ".".join(str(part) for part in loc if part not in ("body", "path", "query", "payload"))
    text = str(first.get("msg", "it is not understood"))
    problems = [{"loc": [str(p) for p in e.get("loc", ())], "msg": str(e.get("msg", ""))} for e in error.errors[:5]]
    what = f"{where}: {text}." if where else f"{text}."
    return NetlabError(ErrorCode.BAD_INPUT, what=what, fix="Correct it and send it again.", problems=problems)


def add_handlers(api: NinjaAPI) -> None:
    """One function for all: ninja asks for the most special class, the shape is the same for each."""
    for kind in (NetlabError, ValidationError, AuthenticationError, HttpError, Http404, SuspiciousOperation, Exception):
        api.add_exception_handler(kind, lambda request, error: answer_to(request, error))


def answer_to(request: HttpRequest, error: Any) -> HttpResponse:
    if isinstance(error, NetlabError):
        return error_response(error)
    if isinstance(error, ValidationError):
        return error_response(from_validation(error))
    if isinstance(error, HttpError):
        return error_response(from_status(error.status_code), error.status_code)
    if isinstance(error, Http404):
        return error_response(from_status(404))
    if isinstance(error, SuspiciousOperation):  # what Django refuses to read: too large, too many fields, not what it says
        return error_response(from_status(400), 413 if isinstance(error, RequestDataTooBig) else 400)
    return bug_response(error, request)


class ApiErrorMiddleware:
    """Gives the shape to answers that no operation made: 404 and 405 of the resolver, 400 and 413 of Django, 500."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not request.path.startswith(PREFIX) or response.status_code < 400 or _has_shape(response):
            return response
        answer = error_response(from_status(response.status_code), response.status_code)
        for header in ("Allow", "Retry-After"):
            if header in response.headers:
                answer.headers[header] = response.headers[header]
        return answer

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return bug_response(error, request) if request.path.startswith(PREFIX) else None


def _has_shape(response: HttpResponseBase) -> bool:
    if not isinstance(response, HttpResponse) or not response.headers.get("Content-Type", "").startswith("application/json"):
        return False
    try:
        return {"code", "message", "hint", "data"} <= set(json.loads(response.content))
    except (ValueError, TypeError):
        return False
