"""Pages that explain, for everybody: `/help/drops/`, what each of the kernel's reasons to drop a packet means; `/help/packets/`,
how captured packets are filtered and read; `/help/traces/`, what a trace shows, how exactly, and what it costs."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from netlab.domain.drop_reasons import FAMILIES
from netlab.pages.page import page
from netlab.wire.packets import CAPTURE_BYTES_MAX, CAPTURE_S_MAX, CAPTURES_AT_ONCE, CAPTURES_KEPT
from netlab.wire.traces import CALLS_MAX, FRAMES_MAX, FRAMES_OF_A_CALL_MAX, FUNCTIONS_S_MAX, TRACE_S_MAX, TRACES_AT_ONCE


@require_safe
@page
def drops(request: HttpRequest) -> HttpResponse:
    families = [
        (family.title, [(name, label, meaning) for name, (label, meaning) in family.words.items()]) for family in FAMILIES
    ]
    return render(request, "netlab/help/drops.html", {"families": families})


@require_safe
@page
def packets(request: HttpRequest) -> HttpResponse:
    limits = {"minutes": CAPTURE_S_MAX // 60, "mib": CAPTURE_BYTES_MAX >> 20, "at_once": CAPTURES_AT_ONCE, "kept": CAPTURES_KEPT}
    return render(request, "netlab/help/packets.html", limits)


@require_safe
@page
def traces(request: HttpRequest) -> HttpResponse:
    limits = {
        "minutes": TRACE_S_MAX // 60, "at_once": TRACES_AT_ONCE, "calls": CALLS_MAX, "functions_minutes": FUNCTIONS_S_MAX // 60,
        "of_a_call": FRAMES_OF_A_CALL_MAX, "of_all": FRAMES_MAX,
    }
    return render(request, "netlab/help/traces.html", limits)
