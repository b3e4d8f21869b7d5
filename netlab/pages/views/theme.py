"""Choosing a theme on a server-rendered page; the lab page does the same without asking the server."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.pages.page import page
from netlab.pages.theme import COOKIE_AGE_S, THEME_COOKIE, Theme


@require_POST
@page
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Back to the page on which it was chosen."""
    wanted = request.POST.get("theme", "")
    if wanted not in set(Theme):
        raise NetlabError(ErrorCode.BAD_INPUT, what="There is no such theme.", fix="Choose one from the menu.")
    back = request.POST.get("back", "")
    ours = back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    answer = HttpResponseRedirect(back if ours else "/")
    answer.set_cookie(
        THEME_COOKIE, wanted, max_age=COOKIE_AGE_S, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE
    )  # readable by script: the lab page's menu shows and changes it
    return answer
