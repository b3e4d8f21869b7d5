"""What a person does on the lab page, in their words; used by browser tests so that they read as stories."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.stack import Stack

LAB = "xdp-01-first-program"
CHECK_PATIENCE_MS = 45_000
PROMPT_PATIENCE_MS, TEMPLATE_PATIENCE_MS = 45_000, 240_000
"""Benches say how quick a start is; here it may wait for the room of a lab that an earlier test has stopped."""


def join(page: Page, stack: Stack, name: str) -> None:
    """Open the join link, type a name, be in."""
    page.goto(f"{stack.url}/join/{stack.code}/")
    page.get_by_role("textbox").first.fill(name)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/w/"))


def join_by_code(page: Page, stack: Stack, code: str, name: str) -> None:
    """Type the code on the first page, then the name."""
    page.goto(f"{stack.url}/")
    page.get_by_role("textbox", name="Workshop code").fill(code)
    page.keyboard.press("Enter")
    page.get_by_role("textbox", name="Your name").fill(name)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/w/"))


def open_lab(page: Page) -> None:
    page.goto(f"{page.url.rstrip('/')}/labs/{LAB}/")


def start_lab(page: Page, *, own_kernel: bool = False) -> None:
    """The first lab of its kind in a kernel of its own waits until its template is made."""
    page.get_by_role("button", name="Start the lab").click()
    patience_ms = TEMPLATE_PATIENCE_MS if own_kernel else PROMPT_PATIENCE_MS
    expect(prompt(page)).to_contain_text("client:/lab#", timeout=patience_ms)


def prompt(page: Page) -> Locator:
    """The text of the terminal that is shown."""
    return page.locator(".xterm-rows:visible")


def show_terminal(page: Page, node: str) -> None:
    page.get_by_role("tablist", name="Terminals").get_by_role("tab", name=node, exact=True).click()
    expect(prompt(page)).to_contain_text(f"{node}:/lab#")


def type_in_terminal(page: Page, text: str) -> None:
    page.locator(".xterm-screen:visible").click()
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def open_step(page: Page, number: int) -> None:
    page.get_by_role("button", name=re.compile(f"^Step {number}:")).click()
    expect(page.get_by_role("button", name=re.compile(f"^Step {number}:"))).to_have_attribute("aria-current", "step")


def edit(page: Page, text: str) -> None:
    """Replace the whole of xdp.c, as with select all and paste."""
    page.get_by_role("tablist", name="Files").get_by_role("tab", name="xdp.c").click()
    editor = page.locator(".cm-content")
    expect(editor).to_contain_text("SPDX")
    editor.click()
    page.keyboard.press("Control+a")
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    page.keyboard.press("Control+v")
    expect(page.locator("[data-save=saved]")).to_be_visible()


def build_and_load(page: Page, outcome: str, mode: str = "native") -> None:
    page.get_by_role("combobox", name=re.compile("Mode")).select_option(mode)
    page.get_by_role("button", name="Build & load").click()
    expect(page.get_by_role("button", name="Building …")).to_have_count(0, timeout=CHECK_PATIENCE_MS)
    expect(page.locator(f".summary[data-outcome={outcome}]")).to_be_visible(timeout=CHECK_PATIENCE_MS)


def check(page: Page, name: str) -> Locator:
    return page.locator(f"[data-check={name}]")


def expect_green(page: Page, *names: str) -> None:
    """Checks of the open step turn green by themselves; nobody presses anything."""
    for name in names:
        expect(check(page, name)).to_have_attribute("data-look", "passed", timeout=CHECK_PATIENCE_MS)
