"""The instructor's day in Chromium: make a workshop, see people come and go, close it, open it again, send one away."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import IMAGES, NewPerson
from tests.browser.teaching import act_on, code_of, confirm, expect_in_roster, make_workshop, open_workshop, row_of, sign_in
from tests.browser.workspace import (
    TEMPLATE_PATIENCE_MS,
    join_by_code,
    open_lab,
    open_step,
    prompt,
    start_lab,
    type_in_terminal,
)
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.kernel, pytest.mark.timeout(600)]


def test_bad_input_keeps_what_was_typed(stack: Stack, person: NewPerson) -> None:
    page = person()
    page.goto(f"{stack.url}/sign-in/")
    page.get_by_role("textbox", name="Name").fill(stack.instructor)
    page.get_by_label("Password").fill("not the password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Name and password do not match.")
    expect(page.get_by_role("textbox", name="Name")).to_have_value(stack.instructor)
    expect(page.get_by_label("Password")).to_have_value("")
    expect(page.get_by_label("Password")).to_be_focused()

    sign_in(page, stack)
    page.get_by_role("link", name="New workshop").click()
    page.get_by_role("textbox", name="Title").fill("  ")
    page.get_by_role("spinbutton", name="Seats").fill("0")
    page.get_by_label("Opens").fill("2027-01-02T10:00")
    page.get_by_label("Closes").fill("2027-01-01T10:00")
    page.get_by_role("button", name="Make the workshop").click()
    expect(page.get_by_role("alert")).to_contain_text("What you typed is still there")
    for sentence in ("A title is missing.", "A workshop has at least 1 seat.", "It would close before it opens."):
        expect(page.get_by_text(sentence)).to_be_visible()
    expect(page.get_by_role("spinbutton", name="Seats")).to_have_value("0")
    expect(page.get_by_role("spinbutton", name="Seats")).to_have_accessible_description(re.compile("at least 1 seat"))
    expect(page.get_by_label("Opens")).to_have_value("2027-01-02T10:00")
    expect(page.get_by_label("Closes")).to_have_value("2027-01-01T10:00")

    page.goto(f"{stack.url}/")
    page.get_by_role("textbox", name="Workshop code").fill("nope-nope")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("No workshop has this code.")
    expect(page.get_by_role("alert")).to_contain_text("Codes have 8 letters and digits")
    expect(page.get_by_role("textbox", name="Workshop code")).to_have_value("nope-nope")

    page.goto(f"{stack.url}/join/{stack.code}/")
    page.get_by_role("textbox", name="Your name").fill("\u202e\u202e")
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("textbox", name="Your name")).to_be_focused()


def test_an_instructor_runs_a_workshop(stack: Stack, person: NewPerson) -> None:
    teacher, ada = person(), person()
    sign_in(teacher, stack)
    name = "Packets in the kernel"
    make_workshop(teacher, name)
    code = code_of(teacher)
    expect_refused(ada, stack, code, "No workshop has this code.")  # a draft is nobody's business

    open_workshop(teacher)
    expect(teacher.get_by_role("img", name="QR code of the join link")).to_be_visible()
    expect(teacher.locator("#join-link")).to_have_attribute("href", re.compile(f"/join/{code}/$"))
    teacher.get_by_role("button", name="Copy link").click()
    copied = "end => navigator.clipboard.readText().then(text => text.endsWith(end))"
    teacher.wait_for_function(copied, arg=f"/join/{code}/")

    join_by_code(ada, stack, code.replace("-", "").upper(), "Ada")
    expect(ada.get_by_role("heading", name=name)).to_be_visible()
    resume_link = ada.get_by_role("textbox", name="Your personal link").input_value()
    expect_in_roster(teacher, "Ada", "nothing started", "here")
    expect(teacher.get_by_text("1 of 5 seats taken")).to_be_visible()
    open_lab(ada)
    start_lab(ada, own_kernel=True)
    expect_in_roster(teacher, "Ada", "running", "1. Two machines")
    open_step(ada, 2)
    expect_in_roster(teacher, "Ada", "2. ")
    teacher.screenshot(path=IMAGES / "instructor.png")
    type_in_terminal(ada, "echo kept > /lab/notes.txt; echo wri''tten")
    expect(prompt(ada)).to_contain_text("written")  # who stops a lab before the shell has heard of it has not written it

    # more time for all, and stop all; the attendee's page says so without a reload
    before = ada.locator(".time-left").inner_text()
    teacher.get_by_role("button", name=re.compile("more minutes for all")).click()
    expect(teacher.get_by_role("status").filter(has_text="1 lab was given more time.")).to_be_visible()
    expect(ada.locator(".time-left")).not_to_contain_text(before.split(" left")[0][:4])
    confirm(teacher, "Stop all …", "Stop all labs")
    expect(teacher.get_by_text("1 lab was stopped.")).to_be_visible()
    expect(ada.get_by_text("The instructor has stopped all labs. Your files are kept.", exact=True).first).to_be_visible()
    expect(ada.get_by_role("heading", name="The lab has stopped")).to_be_visible()
    expect_in_roster(teacher, "Ada", "stopped")

    # the personal link opens the same labs in another browser, with the files
    elsewhere = person()
    elsewhere.goto(resume_link.replace(resume_link.partition("/resume/")[0], stack.url))
    expect(elsewhere.get_by_role("heading", name=name)).to_be_visible()
    open_lab(elsewhere)
    start_again(elsewhere)
    type_in_terminal(elsewhere, "cat /lab/notes.txt")
    expect(prompt(elsewhere)).to_contain_text("notes.txtkept")
    expect(elsewhere.get_by_role("button", name=re.compile("^Step 2:"))).to_have_attribute("aria-current", "step")

    # closed: the lab ends and says why, nobody can join; open again: the old code is valid until there is a new one
    confirm(teacher, "Close …", "Close the workshop")
    expect(teacher.get_by_text("The workshop is closed and nobody can join. 1 lab was stopped")).to_be_visible()
    expect(elsewhere.get_by_text("The workshop is over; the lab was stopped. Your files are kept.").first).to_be_visible()
    elsewhere.get_by_role("button", name="Start again").first.click()
    expect(elsewhere.get_by_role("alert")).to_contain_text("This workshop is over.")
    late = person()
    expect_refused(late, stack, code, "This workshop is over.")
    open_workshop(teacher)
    confirm(teacher, "New code …", "Make a new code")
    expect(teacher.locator(".big-code")).not_to_have_text(code)  # the page comes anew
    fresh = code_of(teacher)
    assert fresh != code
    expect_refused(late, stack, code, "No workshop has this code.")
    join_by_code(late, stack, fresh, "ada")
    expect_in_roster(teacher, "ada 2", "nothing started")  # two people of one name can be told apart

    # sent away: the page of the one who was removed says so
    open_lab(late)
    act_on(teacher, "ada 2", "Remove ada 2")
    expect(teacher.get_by_text("ada 2 was removed.")).to_be_visible()
    expect(row_of(teacher, "ada 2")).to_have_count(0)
    late.reload()
    expect(late.get_by_role("heading", level=1)).to_have_text("You are not signed in.")
    late.get_by_role("link", name="Join with a code").click()
    expect(late.get_by_role("textbox", name="Workshop code")).to_be_focused()


def start_again(page: Page) -> None:
    page.get_by_role("button", name="Start again").first.click()
    expect(prompt(page)).to_contain_text("client:/lab#", timeout=TEMPLATE_PATIENCE_MS)


def expect_refused(page: Page, stack: Stack, code: str, sentence: str) -> None:
    page.goto(f"{stack.url}/")
    page.get_by_role("textbox", name="Workshop code").fill(code)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text(sentence)
    expect(page.get_by_role("textbox", name="Workshop code")).to_have_value(code)
