"""An attendee's own map on the page: decoded, counting, held still; in each theme without a violation."""

import re
import time

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import IMAGES, NewPerson
from tests.browser.workspace import CHECK_PATIENCE_MS, join, prompt, type_in_terminal
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.kernel, pytest.mark.timeout(600)]

COOKIE = "netlab_theme"


def value(pane: Locator, key: str) -> int:
    row = pane.get_by_role("row", name=re.compile(f"^{key} "))
    return int(row.get_by_role("cell").first.inner_text().replace(",", ""))


def keys(pane: Locator) -> list[str]:
    return pane.locator("tbody th").all_inner_texts()


def rate_words(pane: Locator) -> list[str]:
    return pane.locator("tbody td.rate").all_inner_texts()


@pytest.mark.parametrize(("theme", "width", "height"), [("light", 1280, 720), ("dark", 1920, 1080), ("projector", 1280, 720)])
def test_a_map_is_shown_under_its_own_names(stack: Stack, person: NewPerson, theme: str, width: int, height: int) -> None:
    page: Page = person(width, height)
    page.context.add_cookies([{"name": COOKIE, "value": theme, "url": stack.url}])
    join(page, stack, "Mary")
    page.goto(f"{page.url.rstrip('/')}/labs/xdp-02-parsing/")
    page.get_by_role("button", name="Start the lab").click()
    expect(prompt(page)).to_contain_text("client:/lab#")
    page.get_by_role("tab", name="Maps").click()
    panel = page.get_by_role("tabpanel", name="Maps")
    expect(panel).to_contain_text("No maps yet")

    page.get_by_role("tablist", name="Files").get_by_role("tab", name="parse.c").click()
    page.get_by_role("button", name="Build & load").click()
    pane = panel.get_by_role("region", name="BPF maps")
    expect(pane).to_contain_text("percpu_array · 12 entries · summed over CPUs", timeout=CHECK_PATIENCE_MS)
    assert value(pane, "IPV4") == 0
    type_in_terminal(page, "ping -i 0.05 10.0.0.2 > /dev/null")
    rate = pane.get_by_role("row", name=re.compile("^OTHER ")).get_by_role("cell").last
    expect(rate).to_have_text(re.compile(r"^(1\d|2\d)$"), timeout=CHECK_PATIENCE_MS)
    expect(pane.locator(".changed").first).to_be_visible()
    assert keys(pane)[:3] == ["OTHER", "SHORT", "ARP"], "an array stands by its index"
    by_rate = pane.get_by_role("button", name="value / s")
    by_rate.focus()
    page.keyboard.press("Enter")
    expect(pane.get_by_role("columnheader", name="value / s")).to_have_attribute("aria-sort", "descending")
    page.keyboard.press("Enter")
    expect(pane.get_by_role("columnheader", name="value / s")).to_have_attribute("aria-sort", "ascending")
    page.wait_for_timeout(2500)
    shown = rate_words(pane)  # once: they go on counting
    assert shown[-1] == max(shown, key=float), "and stay in order while they count"
    page.keyboard.press("Enter")
    page.screenshot(path=IMAGES / f"maps-{theme}.png")

    page.get_by_role("button", name="Pause", exact=True).click()
    page.wait_for_timeout(1000)  # it was pressed between two drawings
    held = value(pane, "OTHER")
    page.wait_for_timeout(2500)
    assert value(pane, "OTHER") == held, "what one reads stands still"
    assert violations(page) == []
    pane.get_by_role("button", name="Go on").click()
    deadline = time.monotonic() + CHECK_PATIENCE_MS / 1000
    while not value(pane, "OTHER") > held + 20:
        assert time.monotonic() < deadline, "it does not go on"
        page.wait_for_timeout(100)
