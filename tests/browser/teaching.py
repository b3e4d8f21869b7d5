"""What an instructor does on their pages, in their words; used by browser tests so that they read as stories."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.workspace import LAB
from tests.stack import Stack

ROSTER_PATIENCE_MS = 20_000
"""The roster is told of a change at once; only then is it live. By itself it asks once a minute."""


def sign_in(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.url}/")
    page.get_by_role("link", name="For instructors").click()
    page.get_by_role("textbox", name="Name").fill(stack.instructor)
    page.get_by_label("Password").fill(stack.password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your workshops")).to_be_visible()


def make_workshop(page: Page, title: str, seats: int = 5) -> None:
    page.get_by_role("link", name="New workshop").click()
    page.get_by_role("textbox", name="Title").fill(title)
    choose_lab(page)
    page.get_by_role("spinbutton", name="Seats").fill(str(seats))
    page.get_by_role("button", name="Make the workshop").click()
    expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()


def choose_lab(page: Page) -> None:
    page.locator(f"input[name=labs][value={LAB}]").check()


def open_workshop(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Open( again)?$")).click()
    expect(page.get_by_text("The workshop is open")).to_be_visible()


def confirm(page: Page, menu: str, action: str) -> None:
    """A button behind a menu that says what will happen."""
    page.get_by_role("main").locator("summary", has_text=menu).click()
    page.get_by_role("button", name=action).click()


def code_of(page: Page) -> str:
    return page.locator(".big-code").inner_text().strip()


def row_of(page: Page, name: str) -> Locator:
    return page.locator("#roster tr", has_text=name)


def expect_in_roster(page: Page, name: str, *words: str) -> None:
    for word in words:
        expect(row_of(page, name)).to_contain_text(word, timeout=ROSTER_PATIENCE_MS)


def act_on(page: Page, name: str, action: str) -> None:
    page.get_by_label(f"Actions for {name}").click()
    if action.startswith("Remove"):
        row_of(page, name).locator("summary", has_text="Remove …").click()
    row_of(page, name).get_by_role("button", name=action).click()
