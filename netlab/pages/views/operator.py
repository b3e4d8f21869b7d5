"""The operator's page: each host, what runs on it and what that costs, what its kernel can do, what was left over or stopped."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from netlab.pages.host_card import host_card
from netlab.pages.page import operators_only
from netlab.runs.telling import queue_lengths, web_reports

REFRESH_S = 5


@require_safe
@operators_only
def hosts(request: HttpRequest) -> HttpResponse:
    """Fetches itself anew every few seconds (site.js)."""
    cards = [host_card(name) for name in settings.HOST_NAMES]
    context = {
        "hosts": cards, "refresh_s": REFRESH_S, "web": web_reports(),
        "queues": sorted(queue_lengths([queue for card in cards for queue in card.queues]).items()),
    }
    return render(request, "netlab/operator/hosts.html", context)
