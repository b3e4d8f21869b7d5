"""The instructions beside a running lab: being brought to a later step, with one's own work kept."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPerson
from tests.browser.workspace import CHECK_PATIENCE_MS, edit, expect_green, join, open_lab, open_step, prompt, start_lab
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.kernel, pytest.mark.timeout(600)]
MINE = "// SPDX-License-Identifier: GPL-2.0\n/* as far as I came */\n"


def bring_me_here(page: Page, number: int) -> None:
    page.get_by_role("button", name=f"Step {number} of 7: what can be done").click()
    page.get_by_role("menuitem", name="Bring me to the start of this step").click()
    page.get_by_role("button", name=f"Bring me to step {number}").click()


def test_who_has_fallen_behind_is_brought_to_a_step(stack: Stack, person: NewPerson) -> None:
    page = person()
    join(page, stack, "Grace")
    open_lab(page)
    start_lab(page)
    edit(page, MINE)
    open_step(page, 4)
    bring_me_here(page, 4)
    expect(page.get_by_role("strong").filter(has_text="You are at the start of step 4")).to_be_visible(timeout=CHECK_PATIENCE_MS)
    files = page.get_by_role("tablist", name="Files")
    files.get_by_role("tab", name="xdp.c", exact=True).click()
    expect(page.locator(".cm-content")).to_contain_text("XDP_DROP")
    files.get_by_role("tab", name="xdp.c.mine").click()
    expect(page.locator(".cm-content")).to_contain_text("as far as I came")
    expect(prompt(page)).to_contain_text("client:/lab#")
    open_step(page, 3)
    expect_green(page, "dropped")


def test_a_step_is_left_alone_when_one_thinks_again(stack: Stack, person: NewPerson) -> None:
    page = person()
    join(page, stack, "Edsger")
    open_lab(page)
    start_lab(page)
    edit(page, MINE)
    open_step(page, 2)
    page.get_by_role("button", name=re.compile("^Step 2 of 7")).click()
    page.get_by_role("menuitem", name="Bring me to the start of this step").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".cm-content")).to_contain_text("as far as I came")
