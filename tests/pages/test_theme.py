"""The theme that a person chose: in the page from its first byte on, of one set of tokens, changed without script."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client, RequestFactory

from netlab.accounts.models import User
from netlab.pages.errors import bug
from netlab.pages.theme import THEME_COOKIE, THEME_WORDS, Theme
from tests.pages.conftest import Html, read
from tests.web.conftest import signed_in

pytestmark = pytest.mark.django_db
STATIC = Path(settings.BASE_DIR) / "netlab/pages/static/netlab"
FRONTEND = Path(settings.BASE_DIR) / "frontend/src"


def dark_media(html: Html) -> str:
    return next(e.attributes["media"] for e in html.all("link") if e.attributes.get("id") == "dark-tokens")


@pytest.mark.parametrize(
    ("cookie", "shown", "media"),
    [
        ("", "auto", "(prefers-color-scheme: dark)"), ("auto", "auto", "(prefers-color-scheme: dark)"),
        ("light", "light", "not all"), ("dark", "dark", "all"), ("projector", "projector", "not all"),
        ('"><script>', "auto", "(prefers-color-scheme: dark)"),
    ],
)
def test_a_page_comes_in_the_chosen_theme(cookie: str, shown: str, media: str) -> None:
    client = Client()
    client.cookies[THEME_COOKIE] = cookie
    for address in ("/", "/nowhere/"):
        html = read(client.get(address))
        assert html.all("html")[0].attributes["data-theme"] == shown
        assert dark_media(html) == media


@pytest.mark.parametrize("chosen", [Theme.LIGHT, Theme.DARK, Theme.PROJECTOR])
def test_the_page_of_a_bug_asks_nothing_and_keeps_the_theme(chosen: Theme) -> None:
    request = RequestFactory().get("/")
    request.COOKIES[THEME_COOKIE] = chosen.value
    answer = bug(request)
    assert answer.status_code == 500
    assert read(answer).all("html")[0].attributes["data-theme"] == chosen.value


def test_it_is_chosen_without_script_and_stays(instructor: User) -> None:
    client = signed_in(instructor)
    answer = client.post("/theme/", {"theme": "projector", "back": "/instructor/?page=2"})
    assert answer["Location"] == "/instructor/?page=2"
    assert client.cookies[THEME_COOKIE]["max-age"] > 86400 and client.cookies[THEME_COOKIE]["samesite"] == "Lax"
    html = read(client.get("/instructor/"))
    assert html.all("html")[0].attributes["data-theme"] == "projector"
    chosen = [e.attributes["value"] for e in html.all("button") if "aria-current" in e.attributes]
    assert chosen == ["projector"]


@pytest.mark.parametrize("back", ["//elsewhere.example/", "https://elsewhere.example/", "javascript:alert(1)", ""])
def test_the_way_back_is_a_page_of_ours(back: str) -> None:
    assert Client().post("/theme/", {"theme": "dark", "back": back})["Location"] == "/"


def test_what_is_no_theme_is_refused() -> None:
    answer = Client().post("/theme/", {"theme": "pink", "back": "/"})
    assert answer.status_code == 422 and THEME_COOKIE not in answer.cookies


def tokens_of(text: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z0-9-]+):\s*([^;]+);", text))


def test_each_theme_has_every_colour() -> None:
    """A colour that a theme forgets would be the light theme's there."""
    sheet = (STATIC / "tokens.css").read_text()
    light, projector = sheet.split("/* For a beamer")
    colours = {name for name, value in tokens_of(light).items() if value.startswith(("#", "0 6px"))}
    assert len(colours) > 50
    assert colours <= tokens_of(projector).keys()
    assert colours == tokens_of((STATIC / "tokens-dark.css").read_text()).keys()


def test_no_other_style_sheet_has_colours_of_its_own() -> None:
    """White paper behind a QR code and the shade behind a dialog are the two that no theme changes."""
    sheets = [STATIC / "site.css", *FRONTEND.rglob("*.css")]
    assert len(sheets) > 5
    for sheet in sheets:
        own = re.findall(r"(?<![\w&-])#[0-9a-fA-F]{3,8}\b(?=[^{}]*;)|\brgba?\([^)]*\)", sheet.read_text())
        assert set(own) <= {"#fff", "rgb(0 0 0 / 45%)"}, sheet


def test_pages_and_lab_page_know_the_same_themes() -> None:
    script = (FRONTEND / "ui/theme.ts").read_text()
    known = dict(re.findall(r'^  (\w+): "([^"]+)",$', script.split("THEMES = {")[1].split("}")[0], re.M))
    assert known == {theme.value: words for theme, words in THEME_WORDS.items()}
    assert f'COOKIE = "{THEME_COOKIE}"' in script
    assert all(theme in known for theme in Theme)
