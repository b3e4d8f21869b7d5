"""Which kernel a lab runs in, and links that delay and lose: said and done on the page, by mouse and by keyboard."""

import re
import subprocess

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPerson
from tests.browser.workspace import join, open_lab, prompt, start_lab, type_in_terminal
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.kernel, pytest.mark.timeout(600)]

DELAY_MS = 80


def test_a_person_reads_which_kernel_it_is_and_impairs_a_link(stack: Stack, person: NewPerson) -> None:
    page = person()
    join(page, stack, "Katherine")
    open_lab(page)
    start_lab(page)

    page.get_by_title("Which kernel is this, and why?").click()
    kernel = page.get_by_role("dialog")
    expect(kernel).to_contain_text("Runs in the host's kernel")
    page.keyboard.press("Escape")
    expect(kernel).to_have_count(0)
    page.get_by_role("button", name="The lab: more").click()
    expect(page.get_by_role("menuitem", name="Pause")).to_have_count(0)  # only a kernel of one's own can be put aside
    page.keyboard.press("Escape")

    page.get_by_role("button", name=re.compile("^Link client:eth0 – server:eth0")).press("Enter")
    link = page.get_by_role("tabpanel", name="Link")
    expect(link.get_by_role("row", name=re.compile("^packets received"))).to_be_visible()
    link.get_by_role("button", name="Impair …").press("Enter")
    dialog = page.get_by_role("dialog", name="Link client:eth0 – server:eth0")
    dialog.get_by_label("Delay, ms").fill(str(DELAY_MS))
    page.keyboard.press("Enter")
    if _has_netem():
        _is_impaired(page)
    else:
        expect(dialog.get_by_role("alert")).to_contain_text("netem")
        expect(dialog).to_contain_text("Now: nothing")
        expect(page.locator(".notice")).to_have_count(0)  # it is said where it was asked


def _is_impaired(page: Page) -> None:
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("status")).to_have_text("Done.")
    expect(dialog).to_contain_text(f"Now: {DELAY_MS} ms")
    page.keyboard.press("Escape")
    expect(page.locator(".link-button.impaired")).to_contain_text(f"⇄ {DELAY_MS} ms")
    type_in_terminal(page, "ping -c 2 10.0.0.2 | tail -1")
    rtt = re.compile(r"rtt min/avg/max/mdev = (\d+)")
    expect(prompt(page)).to_contain_text(rtt)
    found = rtt.search(prompt(page).inner_text())
    assert found and int(found[1]) >= 2 * DELAY_MS
    page.reload()
    expect(page.locator(".link-button.impaired")).to_contain_text(f"⇄ {DELAY_MS} ms")
    page.locator(".link-button.impaired").click()
    page.get_by_role("button", name="Impair …").click()
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".link-button.impaired")).to_have_count(0)


def _has_netem() -> bool:
    """Asked of the kernel itself, in a namespace that is gone with the command."""
    words = ["unshare", "-n", "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0
