"""The lab page in each theme and at two sizes of window: every part does its work, nothing is cut off, axe finds nothing."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import NewPerson
from tests.browser.test_layout import cut_off, too_small_for_their_words
from tests.browser.workspace import CHECK_PATIENCE_MS, join, open_lab, open_step, prompt, start_lab, type_in_terminal
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.kernel, pytest.mark.timeout(600)]
THEMES = ["light", "dark", "projector"]
WINDOWS = [(1280, 720), (1920, 1080)]


def test_a_lab_is_worked_in_every_theme_and_at_two_sizes(stack: Stack, person: NewPerson) -> None:
    page = person()
    join(page, stack, "Vera")
    open_lab(page)
    start_lab(page)
    for theme in THEMES:
        page.context.add_cookies([{"name": "netlab_theme", "value": theme, "url": stack.url}])
        for at, (width, height) in enumerate(WINDOWS):
            page.set_viewport_size({"width": width, "height": height})
            page.evaluate("localStorage.clear()")  # the division of the page, as on the first day
            page.reload()
            expect(page.locator("html")).to_have_attribute("data-theme", theme)
            _work(page, f"{theme}-{at}")


def _work(page: Page, look: str) -> None:
    # instructions: a command is typed, and not run
    open_step(page, 1)
    expect(page.get_by_role("navigation", name=re.compile("of 7 done"))).to_be_visible()
    expect(prompt(page)).to_contain_text("client:/lab#")
    page.get_by_role("button", name="Type it for me").first.click()
    expect(prompt(page)).to_contain_text(re.compile(r"ping -c 5 10\.0\.0\.2\s*$"))
    page.locator(".xterm-screen:visible").click()
    page.keyboard.press("Control+c")

    # terminal, and what it sends in topology and charts
    type_in_terminal(page, "clear; ping -i 0.2 10.0.0.2 > /dev/null")  # until it has been seen, however late that is
    expect(page.locator("[data-label='server:eth0']")).to_contain_text(re.compile("[1-9]"))
    page.locator(".xterm-screen:visible").click()
    page.keyboard.press("Control+c")
    type_in_terminal(page, f"echo {look}-$((40+2))")
    expect(prompt(page)).to_contain_text(f"{look}-42", timeout=CHECK_PATIENCE_MS)
    expect(page.locator(".uplot canvas").first).to_be_visible()

    # editor: what is typed is kept
    page.get_by_role("tablist", name="Files").get_by_role("tab", name="xdp.c").click()
    page.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type(f"// {look}\n")
    expect(page.locator("[data-save=saved]")).to_be_visible()
    expect(page.locator(".cm-content")).to_contain_text(f"// {look}")

    # a link, its counters; the palette; the menu of resets
    page.get_by_role("button", name=re.compile("^Link client:eth0")).click()
    row = page.get_by_role("tabpanel", name="Link").get_by_role("row", name=re.compile("^packets received"))
    expect(row).to_be_visible()
    page.get_by_role("tab", name="Charts").click()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Search commands")).to_be_focused()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Reset").click()
    expect(page.get_by_role("menuitem").first).to_be_visible()
    page.keyboard.press("Escape")

    # every preset fits
    for preset in ("Code", "Watch", "Follow"):
        page.get_by_role("button", name=preset, exact=True).click()
        expect(page.get_by_role("button", name=preset, exact=True)).to_have_attribute("aria-pressed", "true")
        assert cut_off(page) == [], f"{look}, {preset}"
    assert too_small_for_their_words(page) == [], look
    assert violations(page) == [], look
