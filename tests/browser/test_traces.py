"""Traces on the page: latency by stage and node, before and after; one dropped packet's way, with the reason explained; call
graphs of a lab's own kernel, and what is offered where there is none."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import IMAGES, NewPerson
from tests.browser.workspace import CHECK_PATIENCE_MS, join, open_lab, prompt, start_lab, type_in_terminal
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.kernel, pytest.mark.timeout(600)]

VM_PATIENCE_MS = 240_000
"""With a template to be made first."""
COOKIE = "netlab_theme"
SLOW = "tc qdisc replace dev eth0 root tbf rate 16kbit burst 1600 limit 1600"
RANGE = re.compile(r"\d+(\.\d+)? [nµm]?s – \d+(\.\d+)? [nµm]?s")


def open_trace(page: Page) -> Locator:
    page.get_by_role("tab", name="Trace").click()
    return page.get_by_role("region", name="Trace", exact=True)


def test_latency_by_stage_is_measured_and_compared(stack: Stack, person: NewPerson) -> None:
    page = person(1600, 900)
    join(page, stack, "Sally")
    open_lab(page)
    start_lab(page)
    pane = open_trace(page)
    expect(pane.get_by_text(re.compile("Nothing is measured until you start"))).to_be_visible()
    pane.get_by_role("button", name="Start", exact=True).click()
    expect(pane.get_by_text("Measuring")).to_be_visible(timeout=CHECK_PATIENCE_MS)
    type_in_terminal(page, "ping -i0.02 10.0.0.2 >/dev/null &")
    row = pane.get_by_role("row", name=re.compile("^server stack"))
    expect(row).to_contain_text(RANGE, timeout=CHECK_PATIENCE_MS)
    expect(row.get_by_role("img", name=re.compile("server, stack: median"))).to_be_visible()
    expect(pane.get_by_role("row", name=re.compile("^client whole way"))).to_contain_text(RANGE)
    pane.get_by_role("button", name="Compare from here").click()  # first: what is slow belongs to what comes after
    expect(pane.get_by_role("button", name="Do not compare")).to_be_visible()
    type_in_terminal(page, SLOW)
    queue = pane.get_by_role("row", name=re.compile("^client queue"))
    median = queue.get_by_role("cell").nth(2)
    expect(median).to_contain_text(re.compile(r"\d ms – \d+ ms"), timeout=CHECK_PATIENCE_MS)
    expect(median).to_contain_text(re.compile(r"before \d+(\.\d+)? µs"))
    larger = page.get_by_role("button", name="Fill the window: Counters")
    larger.click()
    page.screenshot(path=IMAGES / "trace-latency.png")
    larger.click()
    assert violations(page) == []
    pane.get_by_role("button", name="Stop").click()
    expect(pane.get_by_text("Ended: you stopped it")).to_be_visible()
    page.reload()
    expect(open_trace(page).get_by_text("Ended: you stopped it")).to_be_visible(timeout=CHECK_PATIENCE_MS)


@pytest.mark.parametrize("theme", ["light", "dark", "projector"])
def test_a_dropped_packets_way_ends_with_the_reason(stack: Stack, person: NewPerson, theme: str) -> None:
    page = person()
    page.context.add_cookies([{"name": COOKIE, "value": theme, "url": stack.url}])
    join(page, stack, "Dave")
    open_lab(page)
    start_lab(page)
    pane = open_trace(page)
    pane.get_by_role("combobox", name="What to trace").select_option(label="The next packets' way")
    pane.get_by_role("combobox", name="Packets first seen at").select_option(label="from client")
    pane.get_by_role("combobox", name="Protocol").select_option(label="UDP")
    pane.get_by_role("button", name="Start", exact=True).click()
    expect(pane.get_by_text("Waiting for 5 more packets")).to_be_visible(timeout=CHECK_PATIENCE_MS)
    type_in_terminal(page, "echo hi >/dev/udp/10.0.0.2/9")
    way = pane.get_by_role("region", name="Packet 1")
    last = way.get_by_role("listitem").last
    expect(last).to_contain_text("dropped: nobody listens there", timeout=CHECK_PATIENCE_MS)
    expect(way.get_by_role("listitem").first).to_contain_text("client:eth0")
    expect(last).to_contain_text("server:eth0")
    expect(last.get_by_role("link", name="NO_SOCKET")).to_have_attribute("href", "/help/drops/#NO_SOCKET")
    page.screenshot(path=IMAGES / f"trace-way-{theme}.png")
    assert violations(page) == []
    pane.get_by_role("button", name="Stop").focus()  # in a terminal the keys are the shell's
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search commands").fill("stop the trace")
    page.keyboard.press("Enter")
    expect(pane.get_by_text("Ended: you stopped it")).to_be_visible()


@pytest.mark.timeout(900)
def test_functions_are_followed_in_a_kernel_of_ones_own(stack: Stack, person: NewPerson) -> None:
    page = person(1440, 900)
    join(page, stack, "Grace")
    page.goto(f"{page.url.rstrip('/')}/labs/wireguard-01-tunnel/")
    page.get_by_role("button", name="Start the lab").click(timeout=VM_PATIENCE_MS)
    expect(prompt(page)).to_contain_text("laptop:/lab#", timeout=VM_PATIENCE_MS)
    pane = open_trace(page)
    pane.get_by_role("combobox", name="What to trace").select_option(label="The kernel's functions")
    start_from = pane.get_by_role("combobox", name="Start from")
    start_from.select_option(label="another function …")
    function = pane.get_by_role("combobox", name="Function")
    function.fill("icmp rcv")
    expect(pane.locator("datalist option[value='icmp_rcv']")).to_be_attached(timeout=VM_PATIENCE_MS)
    expect(pane.get_by_role("button", name="Start", exact=True)).to_be_disabled()
    start_from.select_option("icmp_rcv")
    pane.get_by_role("combobox", name="Calls").select_option(label="next 5 calls")
    pane.get_by_role("button", name="Start", exact=True).click()
    expect(pane.get_by_text("Waiting for 5 more calls")).to_be_visible(timeout=VM_PATIENCE_MS)
    type_in_terminal(page, "ping -c4 10.1.1.1")
    tree = pane.get_by_role("tree", name="Calls")
    expect(pane.get_by_text("Ended: all its calls have been followed")).to_be_visible(timeout=VM_PATIENCE_MS)
    calls = tree.get_by_role("treeitem", name=re.compile(r"call \d"))
    expect(calls).to_have_count(5)
    expect(calls.first).to_have_attribute("aria-expanded", "true")
    tree.focus()
    page.keyboard.press("ArrowLeft")
    expect(calls.first).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("*")
    expect(tree.get_by_role("treeitem", name=re.compile("icmp_reply")).first).to_have_attribute("aria-level", "3")
    with page.expect_download() as saved:
        pane.get_by_role("button", name="Save as text").click()
    assert "|  icmp_rcv() {" in saved.value.path().read_text()
    pane.get_by_role("button", name="Added up").click()
    expect(pane.get_by_role("img", name=re.compile("^Where the time went: icmp_rcv"))).to_be_visible()
    expect(pane.get_by_role("tree", name="All calls added up").get_by_role("treeitem").first).to_contain_text("5×")
    page.get_by_role("button", name="Fill the window: Counters").click()
    for words in ("Projector, high contrast", "Dark", "Light"):
        page.get_by_role("button", name=re.compile("^Theme")).click()
        page.get_by_role("menuitemradio", name=words).click()
        assert violations(page) == [], words
    page.screenshot(path=IMAGES / "trace-functions.png")


def test_where_a_kernel_is_shared_a_packets_way_is_offered(stack: Stack, person: NewPerson) -> None:
    page = person()
    join(page, stack, "Heidi")
    open_lab(page)
    start_lab(page)
    pane = open_trace(page)
    pane.get_by_role("combobox", name="What to trace").select_option(label="The kernel's functions")
    expect(pane.get_by_text(re.compile("this lab shares its kernel with others"))).to_be_visible()
    expect(pane.get_by_role("button", name="Start", exact=True)).to_be_disabled()
    with page.context.expect_page() as opened:
        pane.get_by_role("link", name="Help").click()
    expect(opened.value.get_by_role("heading", name="The kernel’s functions")).to_be_visible()
    pane.get_by_role("button", name="Follow a packet's way instead").click()
    expect(pane.get_by_text("Waiting for 5 more packets")).to_be_visible(timeout=CHECK_PATIENCE_MS)
