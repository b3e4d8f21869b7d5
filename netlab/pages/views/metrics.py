"""`/metrics`: what netlab counts, for Prometheus with its bearer token, or for an operator who is signed in."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from netlab.accounts.models import User
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.pages.page import page
from netlab.runs.metrics import metrics_text

BEARER = "Bearer "


@require_safe
@page
def metrics(request: HttpRequest) -> HttpResponse:
    """404 for everybody else: strangers learn nothing."""
    if not (_has_token(request) or (isinstance(request.user, User) and request.user.operates)):
        raise NetlabError(ErrorCode.NOT_FOUND, what="page")
    return HttpResponse(metrics_text(), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _has_token(request: HttpRequest) -> bool:
    expected = settings.CONFIG.metrics_token.get_secret_value()
    shown = request.headers.get("Authorization", "")
    return bool(expected) and shown.startswith(BEARER) and constant_time_compare(shown.removeprefix(BEARER), expected)
