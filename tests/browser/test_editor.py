"""The editor as a person uses it: registers on their lines, format, comparison, vim's keys, languages, two tabs, no network."""

import re
import time

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import IMAGES, NewPerson
from tests.browser.teaching import sign_in
from tests.browser.test_attendee_story import REFUSED_STEP, solution
from tests.browser.workspace import build_and_load, edit, join, open_lab, open_step, start_lab
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.kernel, pytest.mark.timeout(600)]

SHOWN_WITHIN_S = 30


def begin(page: Page, stack: Stack, name: str) -> None:
    join(page, stack, name)
    open_lab(page)
    start_lab(page)
    expect(page.locator(".cm-content")).to_contain_text("SPDX")


def more(page: Page, action: str) -> None:
    page.get_by_role("button", name="Editor: more").click()
    page.get_by_role("menuitem", name=re.compile(f"^{re.escape(action)}")).click()


def line(page: Page, text: str) -> Locator:
    return page.locator(".cm-line", has_text=text).first


def show_solutions(teacher: Page, attendees: Page, stack: Stack, on: bool) -> None:
    """The instructor's own checkbox."""
    workshop = re.search("/w/([^/]+)/", attendees.url)
    assert workshop is not None
    teacher.goto(f"{stack.url}/instructor/w/{workshop[1]}/settings/")
    teacher.get_by_role("checkbox", name=re.compile("solution")).set_checked(on)
    teacher.get_by_role("button", name="Save").click()
    expect(teacher.get_by_text("Saved.")).to_be_visible()


def test_registers_are_shown_on_their_lines(stack: Stack, person: NewPerson) -> None:
    page = person(1440, 900)
    begin(page, stack, "Dorothy")
    edit(page, solution(REFUSED_STEP))
    build_and_load(page, "refused")
    table = page.locator(".cm-registers")
    deadline = time.monotonic() + SHOWN_WITHIN_S
    while not table.count():  # a pointer that stands still before the page knows the registers asks for nothing
        assert time.monotonic() < deadline, "no registers are shown"
        page.mouse.move(0, 0)
        line(page, "ip->protocol").hover()
        page.wait_for_timeout(1000)
    expect(table).to_contain_text("What the verifier knew after line 23")
    expect(table.get_by_role("row", name=re.compile("^R1 "))).to_contain_text("bytes 0 to 13 are safe to read")
    page.screenshot(path=IMAGES / "registers.png")
    page.get_by_role("list", name="Problems").hover()
    expect(table).to_have_count(0)

    # by keys: F8 leads to the problem, F9 shows, Escape hides
    line(page, "ctx->data_end").click()
    page.keyboard.press("F9")
    expect(table.get_by_role("row", name=re.compile("^R2 "))).to_contain_text("end of the packet")
    page.keyboard.press("Escape")
    expect(table).to_have_count(0)
    page.keyboard.press("F8")
    expect(page.locator(".cm-activeLine")).to_contain_text("ip->protocol")

    # a line that was changed since tells nothing any more; the others still do
    page.keyboard.press("End")
    page.keyboard.type(" /* mine */")
    page.keyboard.press("F9")
    expect(table).to_have_count(0)
    line(page, "eth->h_proto").click()
    page.keyboard.press("F9")
    expect(table.get_by_role("row", name=re.compile("^R3 "))).to_contain_text("the number 8")


def test_a_file_is_laid_out_as_the_kernel_does(stack: Stack, person: NewPerson) -> None:
    page = person()
    begin(page, stack, "Joan")
    edit(page, solution(2).replace("\treturn", "   return"))
    page.locator(".cm-content").click()
    page.keyboard.press("Shift+Alt+F")
    expect(line(page, "return XDP_PASS")).to_have_text(re.compile("^\t"))
    expect(page.locator("[data-save=saved]")).to_be_visible()
    page.keyboard.press("Control+z")
    expect(line(page, "return XDP_PASS")).to_have_text(re.compile("^   "))
    page.get_by_role("tab", name="Makefile").click()
    page.get_by_role("button", name="Editor: more").click()
    expect(page.get_by_role("menuitem", name="Format")).to_be_disabled()


def test_a_file_is_compared_and_reset(stack: Stack, person: NewPerson) -> None:
    teacher, page = person(), person(1440, 900)
    sign_in(teacher, stack)
    join(page, stack, "Kathleen")
    show_solutions(teacher, page, stack, False)
    open_lab(page)
    start_lab(page)
    edit(page, solution(3))
    page.get_by_role("button", name="Editor: more").click()
    expect(page.get_by_role("menuitem", name="Compare with the starter")).to_be_visible()
    expect(page.get_by_role("menuitem", name=re.compile("solution"))).to_have_count(0)
    page.get_by_role("menuitem", name="Compare with the starter").click()
    bar = page.get_by_role("region", name="Comparison")
    expect(bar.get_by_role("status")).to_have_text("xdp.c and the starter: 1 difference")
    expect(page.locator(".cm-deletedChunk")).to_contain_text("XDP_ABORTED")
    page.screenshot(path=IMAGES / "compare.png")
    bar.get_by_role("button", name="Reset this file").click()
    page.get_by_role("dialog").get_by_role("button", name="Reset this file").click()
    expect(bar.get_by_role("status")).to_have_text("xdp.c and the starter: no difference")
    expect(page.locator("[data-save=saved]")).to_be_visible()
    bar.get_by_role("button", name="Done").click()
    expect(bar).to_have_count(0)

    # where the instructor allows it: the solution, of which a stretch is taken over
    show_solutions(teacher, page, stack, True)
    open_step(page, 3)
    more(page, "Compare with the solution of step 3")
    expect(bar.get_by_role("status")).to_have_text(re.compile("the solution of step 3: 1 difference"))
    page.get_by_role("button", name="Take the solution's").click()
    expect(bar.get_by_role("status")).to_have_text(re.compile("no difference"))
    expect(line(page, "return XDP_DROP")).to_be_visible()
    show_solutions(teacher, page, stack, False)


def test_vims_keys_and_languages(stack: Stack, person: NewPerson) -> None:
    page = person()
    begin(page, stack, "Grace")
    more(page, "Vim's keys: off")
    expect(page.locator(".cm-vim-panel")).to_contain_text("NORMAL")
    line(page, "return XDP_ABORTED").click()
    page.keyboard.type("ccreturn XDP_TX;")
    page.keyboard.press("Escape")
    expect(line(page, "return XDP_TX")).to_be_visible()
    expect(page.locator("[data-save=saved]")).to_be_visible()
    page.get_by_role("tab", name="Makefile").click()
    expect(page.locator(".cm-vim-panel")).to_contain_text("NORMAL")
    expect(line(page, "unload:").locator("span").first).to_have_text("unload")  # coloured as a target, not as C
    page.reload()
    expect(page.locator(".cm-vim-panel")).to_contain_text("NORMAL")
    expect(line(page, "return XDP_TX")).to_be_visible()


def test_typed_without_a_network_and_in_two_tabs(stack: Stack, person: NewPerson) -> None:
    page = person()
    begin(page, stack, "Annie")
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.locator(".cm-content")).to_contain_text("XDP_ABORTED")
    page.context.set_offline(True)
    line(page, "return XDP_ABORTED").click()
    page.keyboard.press("End")
    page.keyboard.type(" // from the first tab")
    expect(page.locator("[data-save=offline]")).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("[data-save=saved]")).to_be_visible()
    expect(other.locator(".cm-content")).to_contain_text("from the first tab")

    # both at once: neither is lost, one is asked
    page.context.set_offline(True)
    for tab, word in ((page, "one"), (other, "two")):
        line(tab, "from the first tab").click()
        tab.keyboard.press("End")
        tab.keyboard.type(f" and {word}")
    page.context.set_offline(False)
    for tab in (page, other):
        expect(tab.locator("[data-save=saved], [data-save=conflict]")).to_be_visible()
    asked = page if page.locator("[data-save=conflict]").count() else other
    dialog = asked.get_by_role("dialog", name="xdp.c was changed elsewhere")
    expect(dialog).to_contain_text("and one")
    expect(dialog).to_contain_text("and two")
    dialog.get_by_role("button", name="Keep your version").click()
    mine = "and one" if asked is page else "and two"
    for tab in (page, other):
        expect(tab.locator(".cm-content")).to_contain_text(mine)
