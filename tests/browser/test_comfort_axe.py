"""axe finds no violation: every page, in each theme, at the size of a small laptop."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.axe import violations
from tests.browser.conftest import IMAGES, NewPerson
from tests.browser.teaching import sign_in
from tests.browser.workspace import join, open_lab, start_lab
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.kernel, pytest.mark.timeout(600)]
THEMES = ["light", "dark", "projector"]
COOKIE = "netlab_theme"


@pytest.mark.parametrize("theme", THEMES)
def test_pages_for_everybody_and_for_attendees(stack: Stack, person: NewPerson, theme: str) -> None:
    page = person()
    page.context.add_cookies([{"name": COOKIE, "value": theme, "url": stack.url}])
    for address in ("/", f"/join/{stack.code}/", "/join/none-here/", "/sign-in/", "/nowhere/", "/help/drops/"):
        page.goto(stack.url + address)
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        assert violations(page) == [], address
    page.get_by_label("Theme").click()
    assert violations(page) == [], "the menu of themes"
    join(page, stack, "Anna")
    assert violations(page) == [], "catalogue"


@pytest.mark.parametrize("theme", THEMES)
def test_the_lab_page(stack: Stack, person: NewPerson, theme: str) -> None:
    page = person()
    page.context.add_cookies([{"name": COOKIE, "value": theme, "url": stack.url}])
    join(page, stack, "Anton")
    open_lab(page)
    expect(page.get_by_role("button", name="Start the lab")).to_be_visible()
    assert violations(page) == [], "before Start"
    start_lab(page)
    expect(page.locator(".uplot canvas").first).to_be_visible()
    expect(page.locator(".cm-content")).to_contain_text("SPDX")
    assert violations(page) == [], "running"
    page.screenshot(path=IMAGES / f"lab-{theme}.png")
    page.get_by_role("button", name="Follow", exact=True).click()
    assert violations(page) == [], "with a folded pane"
    page.get_by_role("button", name="Fill the window: Counters").click()
    assert violations(page) == [], "with a pane as large as the window"
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Search commands")).to_be_focused()
    assert violations(page) == [], "palette"
    page.get_by_role("combobox", name="Search commands").fill("lab")
    assert violations(page) == [], "palette with what it found"
    if theme == "light":
        page.screenshot(path=IMAGES / "palette.png")


@pytest.mark.parametrize("theme", THEMES)
def test_pages_for_instructors(stack: Stack, person: NewPerson, theme: str) -> None:
    attendee = person()
    join(attendee, stack, "Anja")
    page = person()
    page.context.add_cookies([{"name": COOKIE, "value": theme, "url": stack.url}])
    sign_in(page, stack)
    assert violations(page) == [], "workshops"
    page.get_by_role("link", name="Demo workshop").click()
    expect(page.locator("#roster")).to_contain_text("Anja")
    assert violations(page) == [], "workshop"
    page.get_by_label(re.compile("Actions for Anja")).first.click()
    assert violations(page) == [], "a menu of the roster"
    address = page.url
    for more in ("settings/", "screen/"):
        page.goto(address + more)
        assert violations(page) == [], more
    page.goto(f"{stack.url}/operator/")
    expect(page.get_by_role("heading", name="What this kernel can do")).to_be_visible()
    assert violations(page) == [], "the operator's page"
    if theme == "light":
        page.screenshot(path=IMAGES / "host.png")
    page.goto(f"{stack.url}/instructor/new/")
    page.get_by_role("button", name="Make the workshop").click()
    expect(page.get_by_role("alert")).to_contain_text("What you typed is still there")  # the answer, not the empty form
    assert violations(page) == [], "a form with mistakes"
