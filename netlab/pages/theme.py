"""Which theme a person has chosen: a cookie, so that a page comes in its colours from the first byte on.

Called by Django for every template (settings.py) and by the pages that change or need it. It never asks session or database.
"""

from enum import StrEnum
from urllib.parse import urlsplit

from django.http import HttpRequest

THEME_COOKIE = "netlab_theme"
"""Also written by the lab page (frontend/src/ui/theme.ts). Without it the system's wish decides between light and dark."""
COOKIE_AGE_S = 365 * 86400


class Theme(StrEnum):
    AUTOMATIC = "auto"
    LIGHT = "light"
    DARK = "dark"
    PROJECTOR = "projector"


THEME_WORDS = {
    Theme.AUTOMATIC: "As the system",
    Theme.LIGHT: "Light",
    Theme.DARK: "Dark",
    Theme.PROJECTOR: "Projector, high contrast",
}
DARK_MEDIA = {Theme.AUTOMATIC: "(prefers-color-scheme: dark)", Theme.DARK: "all"}
"""For whom tokens-dark.css counts; for all other themes nobody."""


def theme_of(request: HttpRequest) -> Theme:
    try:
        return Theme(request.COOKIES.get(THEME_COOKIE, ""))
    except ValueError:  # a cookie may hold anything
        return Theme.AUTOMATIC


def theme(request: HttpRequest) -> dict[str, object]:
    """Django's context processor."""
    chosen = theme_of(request)
    return {
        "theme": chosen.value,
        "dark_media": DARK_MEDIA.get(chosen, "not all"),
        "themes": [(one.value, words, one == chosen) for one, words in THEME_WORDS.items()],
        "page_path": _path_to_come_back_to(request),
    }


def _path_to_come_back_to(request: HttpRequest) -> str:
    """Of a form that is shown again, because of a mistake, the page that it was on: its own address may be for POST alone."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    return urlsplit(request.headers.get("Referer", "")).path or "/"
