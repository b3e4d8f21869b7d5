"""Packets on the page: both ends of a link side by side, filtered, taken apart, followed, downloaded, there after a reload."""

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import IMAGES, NewPerson
from tests.browser.workspace import CHECK_PATIENCE_MS, join, open_lab, start_lab, type_in_terminal
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.kernel, pytest.mark.timeout(600)]

COOKIE = "netlab_theme"
ENHANCED_PACKET = 6
ICMP_AT = 14 + 20
DELAY = re.compile(r"\d+(\.\d+)? [µm]s")


def packets_of(file: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(file):
        kind, length = struct.unpack_from("<II", file, at)
        assert struct.unpack_from("<I", file, at + length - 4) == (length,), "a block ends as it begins"
        if kind == ENHANCED_PACKET:
            (kept,) = struct.unpack_from("<I", file, at + 20)
            yield file[at + 28 : at + 28 + kept]
        at += length


def rows(pane: Locator) -> Locator:
    return pane.get_by_role("row", name=re.compile("Echo re"))


def capture_both_ends(page: Page) -> Locator:
    page.get_by_role("button", name=re.compile("^Link client:eth0")).click()
    page.get_by_role("button", name="Capture packets", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("Both ends")).click()
    return page.get_by_role("region", name="Packets", exact=True)


def test_both_ends_of_a_link_side_by_side(stack: Stack, person: NewPerson, tmp_path: Path) -> None:
    page = person(1600, 900)
    join(page, stack, "Radia")
    open_lab(page)
    start_lab(page)
    type_in_terminal(page, "while sleep 0.1; do ping -c1 10.0.0.2; ip neigh flush dev eth0; done >/dev/null &")
    pane = capture_both_ends(page)
    grid = pane.get_by_role("grid", name="Packets at client:eth0 and server:eth0")
    request = grid.get_by_role("row", name=re.compile("Echo request"))
    expect(request.first).to_be_visible(timeout=CHECK_PATIENCE_MS)
    expect(request.filter(has_text=DELAY).first).to_be_visible()  # the first may have passed before both ends were looked at
    expect(grid.get_by_role("row", name=re.compile("Who has")).first).to_be_visible()

    line = pane.get_by_role("combobox", name="Filter packets")
    line.fill("icpm")
    expect(pane.get_by_text("No packet passes the filter.")).to_be_visible()
    line.fill("icmp.tpye == 8")
    expect(pane.get_by_text("There is no field icmp.tpye.")).to_be_visible()
    line.fill("icmp")
    expect(grid.get_by_role("row", name=re.compile("Who has"))).to_have_count(0)
    expect(grid.get_by_role("row", name=re.compile("Echo reply")).first).to_be_visible()

    grid.focus()
    page.keyboard.press("Home")
    chosen_row = grid.locator("[aria-selected=true]")
    while "Echo request" not in (row := chosen_row.inner_text()) or not DELAY.search(row):
        page.keyboard.press("ArrowDown")  # the first may have passed before both ends were looked at
    chosen = pane.get_by_role("region", name="The chosen packet")
    tree = chosen.get_by_role("tree", name="Layers of the packet")
    tree.get_by_role("treeitem", name=re.compile("^Time to live")).click()
    expect(chosen.locator(".hex-bytes .marked")).to_have_text("40")
    chosen.get_by_role("button", name="As at server:eth0").click()
    expect(tree.get_by_role("treeitem", name=re.compile("received at server:eth0"))).to_be_visible()
    grid.focus()
    page.keyboard.press("ArrowDown")
    expect(chosen_row).to_contain_text("Echo reply")

    chosen.get_by_role("button", name="Follow the flow").click()
    expect(pane.get_by_text(re.compile("ICMP 10.0.0.1 ↔ 10.0.0.2"))).to_be_visible()
    expect(pane.get_by_text("2 packets, 196 B")).to_be_visible()
    pane.get_by_role("button", name="All flows").click()
    larger = page.get_by_role("button", name="Fill the window: Counters")
    larger.click()
    expect(grid.get_by_text("Echo request seq=1").nth(3)).to_be_visible()
    page.screenshot(path=IMAGES / "packets.png")
    larger.click()
    assert violations(page) == []
    grid.focus()
    page.keyboard.press("Escape")
    expect(chosen).to_be_hidden()

    pane.get_by_role("button", name="Stop").click()
    expect(pane.get_by_text("Ended: you stopped it")).to_have_count(2)
    with page.expect_download() as download:
        pane.get_by_role("link", name="Download client:eth0 as pcapng").click()
    download.value.save_as(tmp_path / "client.pcapng")
    kept = list(packets_of((tmp_path / "client.pcapng").read_bytes()))
    asked = [one for one in kept if one[12:14] == b"\x08\x00" and one[23] == 1 and one[ICMP_AT] == 8]
    assert len(asked) >= 3 and any(one[12:14] == b"\x08\x06" for one in kept)

    count, listed = pane.get_by_text(re.compile(r"^\d+ of \d+ listed$")), ""
    while listed != (listed := count.inner_text()):
        page.wait_for_timeout(2000)  # the last ones may still be on their way to the page
    page.reload()
    page.get_by_role("tab", name="Packets").click()
    expect(line).to_have_value("icmp")
    expect(pane.get_by_text(listed)).to_be_visible(timeout=CHECK_PATIENCE_MS)
    expect(grid.get_by_role("row", name=re.compile("Echo request")).first).to_be_visible()


def test_what_does_not_arrive_is_said_also_after_a_reload(stack: Stack, person: NewPerson) -> None:
    page = person(1600, 900)
    join(page, stack, "Jon")
    open_lab(page)
    start_lab(page)
    page.get_by_role("button", name="Build & load").click()
    expect(page.get_by_text(re.compile("xdp_filter runs on server:eth0")).first).to_be_visible(timeout=CHECK_PATIENCE_MS)
    pane = capture_both_ends(page)
    expect(pane.get_by_role("button", name="Stop")).to_be_visible(timeout=CHECK_PATIENCE_MS)
    type_in_terminal(page, "ping -i0.3 10.0.0.2 >/dev/null &")
    grid = pane.get_by_role("grid")
    lost = grid.get_by_role("row", name=re.compile("Who has 10.0.0.2.*lost"))
    expect(lost.first).to_be_visible(timeout=CHECK_PATIENCE_MS)
    page.reload()
    page.get_by_role("tab", name="Packets").click()
    expect(grid.get_by_role("row", name=re.compile(r"^0\.000000"))).to_be_visible(timeout=CHECK_PATIENCE_MS)
    only = pane.get_by_role("button", name=re.compile(r"^\d+ not seen at the other end"))
    only.click()
    expect(lost.first).to_be_visible()
    expect(pane.get_by_role("button", name="Stop")).to_be_visible()  # it went on meanwhile


@pytest.mark.parametrize("theme", ["light", "dark", "projector"])
def test_a_capture_is_readable_in_each_theme(stack: Stack, person: NewPerson, theme: str) -> None:
    page = person()
    page.context.add_cookies([{"name": COOKIE, "value": theme, "url": stack.url}])
    join(page, stack, "Van")
    open_lab(page)
    start_lab(page)
    page.get_by_role("tab", name="Packets").click()
    pane = page.get_by_role("region", name="Packets", exact=True)
    expect(pane.get_by_text(re.compile("^Start a capture"))).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Capture packets at client:eth0").click()
    expect(pane.get_by_role("button", name="Stop")).to_be_visible(timeout=CHECK_PATIENCE_MS)  # the one connection is seen
    type_in_terminal(page, "ping -c4 -i0.2 10.0.0.2; (echo > /dev/tcp/10.0.0.2/9)")
    grid = pane.get_by_role("grid", name="Packets at client:eth0")
    refused = grid.get_by_role("row", name=re.compile("RST, ACK"))
    expect(refused).to_be_visible(timeout=CHECK_PATIENCE_MS)
    refused.click()
    expect(pane.get_by_role("tree", name="Layers of the packet")).to_contain_text("9 →")
    assert violations(page) == []
    page.screenshot(path=IMAGES / f"packets-{theme}.png")


def test_a_flood_leaves_the_page_alive(stack: Stack, person: NewPerson) -> None:
    """More than can be shown: the list says so, and takes what the file has when it is asked."""
    page = person()
    join(page, stack, "Sally")
    open_lab(page)
    start_lab(page)
    page.get_by_role("button", name="Capture packets at client:eth0").click()
    pane = page.get_by_role("region", name="Packets", exact=True)
    expect(pane.get_by_role("button", name="Stop")).to_be_visible(timeout=CHECK_PATIENCE_MS)
    type_in_terminal(page, "ping -f -w2 10.0.0.2 >/dev/null")
    load = pane.get_by_role("button", name=re.compile(r"^Load [\d,]+ not shown"))
    expect(load).to_be_visible(timeout=CHECK_PATIENCE_MS)
    pane.get_by_role("button", name="Stop").click()
    expect(pane.get_by_text(re.compile("^Ended:"))).to_be_visible()
    load.click()
    expect(load).to_be_hidden(timeout=CHECK_PATIENCE_MS)
    expect(pane.get_by_text(re.compile(r"^[\d,]+ listed$"))).to_be_visible()
    assert page.locator(".packet-rows .packet-row").count() < 60, "only rows in sight are in the page"
