"""The division of the lab page: panes are folded, moved, made as large as the window, remembered; presets; every screen."""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NewPerson
from tests.browser.workspace import LAB, join, open_lab, prompt, start_lab, type_in_terminal
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.kernel, pytest.mark.timeout(600)]
SCREENS = [(1280, 720), (1920, 1080), (3840, 2160)]
TABLETS = [(1024, 768), (768, 1024)]
PHONE = (390, 844)
THEMES = ["light", "dark", "projector"]
COOKIE = "netlab_theme"
SETTLE_MS, DRAWN_WITHIN_S = 400, 15
"""The drawing follows the size of its pane at once; borders and colours fade."""


def pane(page: Page, name: str) -> Locator:
    return page.locator(f"#pane-{name}")


def width_of(page: Page, name: str) -> float:
    box = pane(page, name).bounding_box()
    assert box
    return box["width"]


def expect_width(page: Page, name: str, holds: Callable[[float], bool]) -> None:
    """Once the page has been drawn as it was wished."""
    deadline = time.monotonic() + DRAWN_WITHIN_S
    while not holds(width_of(page, name)):
        assert time.monotonic() < deadline, f"{name} is {width_of(page, name)} wide"
        page.wait_for_timeout(50)


def settled(page: Page, script: str) -> list[str]:
    """What the script finds wrong and does not go away: the drawing follows the window a moment later."""
    deadline = time.monotonic() + DRAWN_WITHIN_S
    while True:
        found: list[str] = page.evaluate(script)
        if not found or time.monotonic() > deadline:
            return found
        page.wait_for_timeout(100)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def cut_off(page: Page) -> list[str]:
    """Buttons, fields and headings that lie outside of the window or of the pane that they are in, and cannot be scrolled to."""
    return settled(
        page,
        """() => [...document.querySelectorAll('.top-bar *, .frame-corner button, .step-buttons button, .column-switch button')]
            .filter(e => e.checkVisibility({visibilityProperty: true}) && !e.closest('.visually-hidden') && !e.closest('[inert]'))
            .filter(e => {
                const box = e.getBoundingClientRect(), frame = e.closest('.frame')?.getBoundingClientRect();
                const left = frame ? frame.left : 0, right = frame ? frame.right : innerWidth;
                const away = frame && (frame.right <= 0 || frame.left >= innerWidth);
                return box.width && !away && (box.left < left - 1 || box.right > right + 1 || box.bottom > innerHeight + 1);
            })
            .map(e => `${e.tagName} ${e.className} ${e.textContent}`)""",
    )


def too_small_for_their_words(page: Page) -> list[str]:
    """Of what must be read whole: the title, names of files, nodes and their addresses, the charts' names."""
    return settled(
        page,
        """() => [...document.querySelectorAll('.top-bar h1, .editor .tabs, .node button, .node button .mono, .chart-head h2')]
            .filter(e => e.checkVisibility() && (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1))
            .map(e => `${e.textContent}: ${e.scrollWidth}x${e.scrollHeight} in ${e.clientWidth}x${e.clientHeight}`)""",
    )


def test_panes_fold_fill_the_window_and_are_remembered(stack: Stack, person: NewPerson) -> None:
    page = person()
    join(page, stack, "Radia")
    open_lab(page)
    start_lab(page)
    type_in_terminal(page, "marker=kept")

    # a border, by keyboard and by pointer
    border = page.get_by_role("separator", name="Width of the instructions")
    before = width_of(page, "instructions")
    border.focus()
    page.keyboard.press("Shift+ArrowRight")
    expect(border).to_have_attribute("aria-valuenow", re.compile("5[0-3]"))
    expect_width(page, "instructions", lambda width: width > before + 100)
    box = border.bounding_box()
    assert box
    page.mouse.move(box["x"] + 2, 400)
    page.mouse.down()
    page.mouse.move(box["x"] - 98, 400, steps=5)
    page.mouse.up()
    dragged = box["x"] - 100
    expect_width(page, "instructions", lambda width: abs(width - dragged) < 6)

    # folded to a bar with its name, opened again from there
    page.get_by_role("button", name="Fold: Editor").press("Enter")
    bar = pane(page, "editor").get_by_role("button", name="Editor")
    expect(bar).to_be_focused()
    expect(bar).to_have_attribute("aria-expanded", "false")
    expect(page.locator(".cm-editor")).to_be_hidden()
    page.get_by_role("button", name="Fold: Topology").click()
    page.get_by_role("button", name="Fold: Counters").click()
    expect_width(page, "counters", lambda width: width < 60)

    # remembered for this lab, also by a page that is left at once
    page.reload()
    expect(prompt(page)).to_contain_text("marker=kept")
    expect_width(page, "counters", lambda width: abs(width - 38) < 10)
    expect(bar).to_be_visible()
    page.locator("#pane-counters").get_by_role("button", name="Counters").click()
    bar.click()
    expect(page.locator(".cm-editor")).to_be_visible()

    # as large as the window, by its button; the others are out of reach; Escape brings them back
    fill = page.get_by_role("button", name="Fill the window: Counters")
    fill.click()
    expect_width(page, "counters", lambda width: width == 1280)
    expect(pane(page, "editor")).to_have_attribute("inert", "")
    page.keyboard.press("Escape")
    expect(pane(page, "editor")).not_to_have_attribute("inert", "")
    # from a terminal with a key, since Escape is the shell's there
    page.locator(".xterm-screen:visible").click()
    page.keyboard.press("Control+Shift+Enter")
    expect(pane(page, "terminals")).to_have_class(re.compile("maximised"))
    page.keyboard.press("Escape")
    page.keyboard.press("Control+c")  # the shell has had the Escape and waits for what it would mean
    page.keyboard.type(" echo still-$marker")  # it may take the first key together with the Escape
    page.keyboard.press("Enter")
    expect(prompt(page)).to_contain_text("still-kept")
    expect(pane(page, "terminals")).to_have_class(re.compile("maximised"))
    page.keyboard.press("Control+Shift+Enter")
    expect(pane(page, "terminals")).not_to_have_class(re.compile("maximised"))


@pytest.mark.parametrize("kept", ["{", "null", '{"columns":{"read":1e9},"folded":"editor"}', '{"folded":["instructions"]}'])
def test_a_bad_memory_breaks_nothing(stack: Stack, person: NewPerson, kept: str) -> None:
    page = person()
    join(page, stack, "Barbara")
    page.evaluate("([key, kept]) => localStorage.setItem(key, kept)", [f"netlab.layout.{LAB}", kept])
    open_lab(page)
    expect(page.get_by_role("button", name="Start the lab")).to_be_visible()
    if "instructions" in kept:
        pane(page, "instructions").get_by_role("button", name="Instructions").click()
    expect(page.get_by_role("heading", name="Talk")).to_be_visible()


def test_a_page_that_may_keep_nothing_works(stack: Stack, person: NewPerson) -> None:
    page = person()
    join(page, stack, "Sophie")
    page.add_init_script(
        "for (const f of ['getItem', 'setItem']) { const real = Storage.prototype[f];"
        " Storage.prototype[f] = function (key, ...more) { if (key.startsWith('netlab.layout')) throw new DOMException('no');"
        " return real.call(this, key, ...more); } }"
    )
    open_lab(page)
    press(page, "Watch")
    page.wait_for_timeout(500)
    expect(page.get_by_role("button", name="Watch", exact=True).first).to_have_attribute("aria-pressed", "true")


def test_presets_and_screens(stack: Stack, person: NewPerson) -> None:
    page = person()
    join(page, stack, "Vint")
    open_lab(page)
    start_lab(page)
    for width, height in SCREENS:
        page.set_viewport_size({"width": width, "height": height})
        shares = {}
        for preset in ("Follow", "Code", "Watch"):
            press(page, preset)
            expect(page.get_by_role("button", name=preset, exact=True).first).to_have_attribute("aria-pressed", "true")
            shares[preset] = {name: width_of(page, name) / width for name in ("instructions", "terminals", "topology")}
            assert cut_off(page) == []
        assert max(shares, key=lambda p: shares[p]["instructions"]) == "Follow"
        assert max(shares, key=lambda p: shares[p]["terminals"]) == "Code"
        assert max(shares, key=lambda p: shares[p]["topology"]) == "Watch"
        size = float(page.evaluate("parseFloat(getComputedStyle(document.querySelector('.prose')).fontSize)"))
        assert (size >= 20) == (width == 3840), "text on a 4K screen"
    press(page, "Watch")  # once more: as it was at first
    expect(page.get_by_role("button", name="Watch", exact=True).first).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize("theme", THEMES)
def test_type_of_every_theme_fits_every_screen(stack: Stack, person: NewPerson, theme: str) -> None:
    page = person()
    page.context.add_cookies([{"name": COOKIE, "value": theme, "url": stack.url}])
    join(page, stack, "Karen")
    open_lab(page)
    start_lab(page)
    expect(page.locator(".uplot canvas").first).to_be_visible()
    for width, height in SCREENS:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(SETTLE_MS)
        assert cut_off(page) == [], (width, height)
        assert too_small_for_their_words(page) == [], (width, height)
        heights = page.locator(".step-dot").evaluate_all("all => all.map(e => Math.round(e.getBoundingClientRect().top))")
        assert len(heights) > 5 and len(set(heights)) == 1, f"steps on one line at {width}x{height}"


def test_what_is_asked_of_a_folded_pane_opens_it(stack: Stack, person: NewPerson) -> None:
    page = person()
    join(page, stack, "Elizabeth")
    open_lab(page)
    start_lab(page)
    press(page, "Fold: Terminals")
    expect(page.locator(".xterm-screen").first).to_be_hidden()
    page.get_by_role("button", name="Type it for me").first.click()
    expect(prompt(page)).to_contain_text("ping -c 5")


@pytest.mark.parametrize("screen", [*TABLETS, PHONE])
def test_small_screens(stack: Stack, person: NewPerson, screen: tuple[int, int]) -> None:
    page = person(*screen)
    join(page, stack, "Leslie")
    open_lab(page)
    assert cut_off(page) == []
    columns = page.get_by_role("navigation", name="Columns")
    two = screen[0] >= 900
    if not two:
        columns.get_by_role("button", name="Do").click()
    start_lab(page)
    assert cut_off(page) == []
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_in_viewport(ratio=1)
    columns.get_by_role("button", name="Watch").click()
    expect(columns.get_by_role("button", name="Watch")).to_have_attribute("aria-pressed", "true")
    expect(pane(page, "counters")).to_be_in_viewport(ratio=0.9)
    if two:
        expect(pane(page, "terminals")).to_be_in_viewport(ratio=0.9)
    columns.get_by_role("button", name="Read").click()
    expect(pane(page, "instructions")).to_be_in_viewport(ratio=0.9)
    # what a click types is seen
    page.get_by_role("button", name="Type it for me").first.click()
    expect(pane(page, "terminals")).to_be_in_viewport(ratio=0.9)
    assert page.evaluate("document.documentElement.scrollWidth") <= screen[0]
