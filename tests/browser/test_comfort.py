"""What makes a day on the lab page bearable: themes that everything follows, the palette of all commands, the keyboard."""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPerson
from tests.browser.workspace import join, open_lab, prompt, start_lab
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.kernel, pytest.mark.timeout(600)]
THEMES = {"light": "Light", "dark": "Dark", "projector": "Projector, high contrast"}
CHART_REDRAWN_MS, REDRAWN_WITHIN_S = 300, 15


def choose_theme(page: Page, words: str) -> None:
    page.get_by_role("button", name=re.compile("^Theme")).click()
    page.get_by_role("menuitemradio", name=words).click()


def colours(page: Page, as_wanted: Callable[[dict[str, str]], bool] = lambda _: True) -> dict[str, str]:
    """What is really drawn once all is `as_wanted`; what is drawn in the end, when it never is."""
    deadline = time.monotonic() + REDRAWN_WITHIN_S
    while True:
        page.wait_for_timeout(CHART_REDRAWN_MS)
        found = drawn(page)
        if as_wanted(found) or time.monotonic() > deadline:
            return found


def unlike(*before: dict[str, str]) -> Callable[[dict[str, str]], bool]:
    return lambda now: not any(now.items() & other.items() for other in before)


def drawn(page: Page) -> dict[str, str]:
    """Of the page, the terminal, the editor, and the first chart."""
    found: dict[str, str] = page.evaluate(
        """() => {
            const css = (selector, what) => getComputedStyle(document.querySelector(selector))[what];
            const chart = document.querySelector('.uplot canvas');
            return {
                page: css('body', 'backgroundColor'),
                terminal: css('.xterm-rows', 'color'),
                editor: css('.cm-editor', 'backgroundColor'),
                chart: chart.toDataURL(),
            };
        }"""
    )
    return found


def test_all_follow_the_theme_which_stays(stack: Stack, person: NewPerson) -> None:
    page = person()
    join(page, stack, "Susan")
    workshop = page.url
    open_lab(page)
    start_lab(page)
    expect(page.locator(".uplot canvas").first).to_be_visible()
    expect(page.locator(".cm-content")).to_contain_text("SPDX")
    seen: dict[str, dict[str, str]] = {}
    for theme, words in THEMES.items():
        choose_theme(page, words)
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        seen[theme] = colours(page, unlike(*list(seen.values())[-1:]))  # each part is drawn anew in its own time
    assert len({seen[theme]["chart"] for theme in THEMES}) == len(THEMES)
    for part in ("page", "terminal", "editor"):
        assert seen["dark"][part] != seen["light"][part], part
    assert seen["projector"]["page"] == "rgb(255, 255, 255)"
    size = page.locator(".xterm-rows:visible").evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
    assert size >= 18, "a terminal's text for the last row"

    # it comes with the server's page: nothing flashes, with or without script
    html = page.context.request.get(workshop, ignore_https_errors=True).text()
    assert '<html lang="en" data-theme="projector">' in html
    other = page.context.new_page()
    other.goto(workshop)
    assert other.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    # chosen there, the lab page in its tab follows as soon as it is looked at
    other.get_by_label("Theme").click()
    other.get_by_role("button", name="Dark").click()
    expect(other.locator("html")).to_have_attribute("data-theme", "dark")
    assert other.url == workshop
    other.close()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")

    # without a choice the system's wish counts, also while the page is open
    choose_theme(page, "As the system")
    page.emulate_media(color_scheme="dark")
    dark = colours(page, lambda now: now["page"] == seen["dark"]["page"] and now["terminal"] == seen["dark"]["terminal"])
    page.emulate_media(color_scheme="light")
    light = colours(page, lambda now: now["page"] == seen["light"]["page"] and unlike(dark)(now))
    assert dark["page"] == seen["dark"]["page"] and light["page"] == seen["light"]["page"]
    assert dark["terminal"] != light["terminal"] and dark["chart"] != light["chart"]


@pytest.mark.parametrize("width", [390, 1280])
def test_the_menu_of_themes_is_seen_whole(stack: Stack, person: NewPerson, width: int) -> None:
    page = person(width, 720)
    page.goto(f"{stack.url}/")
    page.get_by_label("Theme").click()
    for words in THEMES.values():
        expect(page.get_by_role("button", name=words)).to_be_in_viewport(ratio=1)


def test_the_palette_does_everything_by_name(stack: Stack, person: NewPerson) -> None:
    page = person()
    join(page, stack, "Anita")
    open_lab(page)
    start = page.get_by_role("button", name="Start the lab")
    expect(start).to_be_visible()
    field = page.get_by_role("combobox", name="Search commands")
    chosen = page.get_by_role("option", selected=True)

    # what cannot be done says why, and is not done
    page.keyboard.press("Control+k")
    expect(field).to_be_focused()
    field.fill("stop lab")
    expect(chosen).to_have_attribute("aria-disabled", "true")
    expect(chosen).to_contain_text("the lab is not started")
    page.keyboard.press("Enter")
    expect(field).to_be_visible()
    field.fill("no such thing")
    expect(page.get_by_text("Nothing here is called that.")).to_be_visible()

    # started by name; the field says which option is chosen, arrows move it
    field.fill("star")
    expect(chosen).to_contain_text("Start the lab")
    expect(field).to_have_attribute("aria-activedescendant", re.compile("lab_start"))
    page.keyboard.press("Enter")
    expect(prompt(page)).to_contain_text("client:/lab#")

    # in a terminal Ctrl+K is the shell's: it kills the line
    page.locator(".xterm-screen:visible").click()
    page.keyboard.type("echo kept-$((1+1)) and what is killed")
    for _ in range(len(" and what is killed")):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Control+k")
    page.keyboard.press("Enter")
    expect(prompt(page)).to_contain_text("kept-2client:")  # rows have no line ends
    expect(field).to_be_hidden()
    # and Ctrl+Shift+K is the palette's; Escape gives the terminal its focus back
    page.keyboard.press("Control+Shift+k")
    expect(field).to_be_focused()
    page.keyboard.press("Escape")
    expect(field).to_be_hidden()
    page.keyboard.type("echo back-$((2+2))")
    page.keyboard.press("Enter")
    expect(prompt(page)).to_contain_text("back-4")

    # steps, a node's reset, a terminal, the layout, the theme, the list of keys
    def do(words: str) -> None:
        page.keyboard.press("Control+Shift+k")
        field.fill(words)
        page.keyboard.press("Enter")
        expect(field).to_be_hidden()

    do("step 3")
    expect(page.get_by_role("button", name=re.compile("^Step 3:"))).to_have_attribute("aria-current", "step")
    do("previous step")
    expect(page.get_by_role("button", name=re.compile("^Step 2:"))).to_have_attribute("aria-current", "step")
    do("open terminal server")
    expect(prompt(page)).to_contain_text("server:/lab#")
    do("fill topology")
    expect(page.locator("#pane-topology")).to_have_class(re.compile("maximised"))
    expect(page.locator("#pane-topology")).to_be_focused()
    do("layout follow")
    expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "true")
    do("theme dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    do("keyboard shortcuts")
    keys = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(keys.get_by_role("row", name=re.compile("^Ctrl.Shift.K"))).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="All commands").click()
    page.get_by_role("option", name="Stop the lab …").click()
    page.get_by_role("dialog", name="Stop this lab?").get_by_role("button", name="Stop the lab").click()
    expect(page.get_by_role("button", name="Start again").first).to_be_visible()


def test_the_keyboard_reaches_everything_in_order(stack: Stack, person: NewPerson) -> None:
    page = person(reduced_motion="reduce")
    join(page, stack, "Stephanie")
    open_lab(page)
    start_lab(page)
    page.reload()
    expect(prompt(page)).to_contain_text("client:/lab#")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="To: Instructions")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport(ratio=1)
    for name in ("Editor", "Terminals"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name=f"To: {name}")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#pane-terminals")).to_be_focused()

    # F6 goes round, in the order in which the panes stand
    for pane in ("topology", "counters", "instructions", "editor", "terminals"):
        page.keyboard.press("F6")
        expect(page.locator(f"#pane-{pane}")).to_be_focused()
    page.keyboard.press("Shift+F6")
    expect(page.locator("#pane-editor")).to_be_focused()

    # Tab comes by every part of the bar and of the panes, never into what is folded
    page.get_by_role("button", name="Fold: Editor").click()
    expect(page.locator("#pane-editor").get_by_role("button", name="Editor")).to_be_focused()
    skip.focus()
    parts = tab_through(page)
    assert [p for p in parts if p.startswith("pane-")] == [
        "pane-instructions", "pane-editor", "pane-terminals", "pane-topology", "pane-counters",
    ]
    assert parts[0] == "skip-links" and parts[1] == "top-bar"

    # nothing moves for who asked for that
    moving = page.evaluate(
        "() => [...document.querySelectorAll('*')].filter(e => parseFloat(getComputedStyle(e).transitionDuration) > 0.01"
        " || (getComputedStyle(e).animationName != 'none' && parseFloat(getComputedStyle(e).animationDuration) > 0.01)).length"
    )
    assert moving == 0


def tab_through(page: Page) -> list[str]:
    """The parts of the page that Tab comes by, each once, in its order."""
    parts: list[str] = []
    for _ in range(160):
        page.keyboard.press("Tab")
        part = page.evaluate(
            """() => {
                const e = document.activeElement;
                if (e.matches('.cm-content') || e.closest('.xterm')) return 'swallows Tab: ' + e.className;
                const place = e.closest('.skip-links, .top-bar, .frame');
                return place ? place.id || place.className : e.tagName == 'BODY' ? 'end' : '';
            }"""
        )
        if part == "end":
            break
        if part and part not in parts:
            parts.append(part)
    return parts
