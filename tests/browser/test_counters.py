"""Charts and counters: what passes is seen, held still, looked at closer and saved; a loss catches the eye."""

import csv
import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import IMAGES, NewPerson
from tests.browser.workspace import CHECK_PATIENCE_MS, join, open_lab, start_lab, type_in_terminal
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.kernel, pytest.mark.timeout(600)]
LOSSY = "tc qdisc replace dev eth0 root tbf rate 100kbit burst 2kb limit 2kb"
PACKETS = "Packets, packets/s"
SEEN_WITHIN_S = 45


def with_traffic(page: Page, stack: Stack, name: str, before: str = "true") -> None:
    join(page, stack, name)
    open_lab(page)
    start_lab(page)
    type_in_terminal(page, f"{before}; ping -i 0.02 -s 900 10.0.0.2 > /dev/null")


def rate(page: Page, chart: str, line: str) -> float:
    row = page.get_by_role("region", name=chart).get_by_role("row", name=re.compile(f"^{line}"))
    return float(row.get_by_role("cell").inner_text().replace("–", "nan"))


def test_charts_are_held_looked_at_closer_and_saved(stack: Stack, person: NewPerson, tmp_path: Path) -> None:
    page = person()
    with_traffic(page, stack, "Grace")
    expect(page.get_by_role("region", name=PACKETS)).to_be_visible()
    deadline = time.monotonic() + SEEN_WITHIN_S
    while not rate(page, PACKETS, "client:eth0 tx") > 20:
        assert time.monotonic() < deadline, "no traffic is shown"
        page.wait_for_timeout(100)

    page.get_by_role("button", name="Pause", exact=True).last.click()
    page.wait_for_timeout(1000)  # it was pressed between two drawings
    held = rate(page, PACKETS, "client:eth0 tx")
    page.get_by_role("tab", name="client").first.click()
    page.locator(".xterm-screen:visible").click()
    page.keyboard.press("Control+c")
    page.wait_for_timeout(2500)
    assert rate(page, PACKETS, "client:eth0 tx") == held, "what is held does not move"

    chart = page.get_by_role("region", name="Packets", exact=True).locator(".chart")
    place = chart.bounding_box()
    assert place is not None
    page.mouse.move(place["x"] + place["width"] * 0.75, place["y"] + 20)
    page.mouse.down()
    page.mouse.move(place["x"] + place["width"] * 0.9, place["y"] + 30, steps=4)
    page.mouse.up()
    closer = page.get_by_role("button", name=re.compile(r"^\d+\.\d s ✕$"))
    expect(closer).to_be_visible()
    closer.click()
    expect(page.get_by_role("button", name="60 s")).to_have_attribute("aria-pressed", "true")

    page.get_by_role("button", name='Save the chart "Packets"').click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="Values").click()
    download.value.save_as(tmp_path / "packets.csv")
    rows = csv.DictReader((tmp_path / "packets.csv").read_text().splitlines())
    assert max(float(row["client:eth0 tx [packets/s]"] or 0) for row in rows) > 20
    page.get_by_role("button", name='Save the chart "Packets"').click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="Picture").click()
    download.value.save_as(tmp_path / "packets.png")
    assert (tmp_path / "packets.png").read_bytes().startswith(b"\x89PNG")

    page.get_by_role("button", name="Pause", exact=True).last.click()
    page.wait_for_function("() => [...document.querySelectorAll('.chart-table td')].every(td => !(Number(td.textContent) > 20))")


def test_a_line_is_hidden_by_its_row_and_a_chart_by_the_menu(stack: Stack, person: NewPerson) -> None:
    page = person()
    with_traffic(page, stack, "Alan")
    line = page.get_by_role("button", name=re.compile("^client:eth0 rx")).first
    line.click()
    expect(line).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Which charts are shown").click()
    page.get_by_role("menuitem", name=re.compile("Traffic")).click()
    expect(page.get_by_role("region", name="Traffic", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_role("region", name="Traffic", exact=True)).to_be_visible(timeout=CHECK_PATIENCE_MS)


def test_what_the_kernel_gives_up_is_listed_with_its_reason(stack: Stack, person: NewPerson) -> None:
    page = person()
    join(page, stack, "Radia")
    open_lab(page)
    start_lab(page)
    page.get_by_role("tab", name="Drops").click()
    expect(page.get_by_role("tabpanel", name="Drops")).to_contain_text("No packet has been dropped yet")
    type_in_terminal(page, "while sleep 0.05; do echo hello > /dev/udp/10.0.0.2/9; done 2> /dev/null")
    row = page.get_by_role("tabpanel", name="Drops").get_by_role("row", name=re.compile("^server:eth0 nobody listens there"))
    expect(row.locator("td.moving").first).to_be_visible(timeout=CHECK_PATIENCE_MS)
    lost = page.locator("[data-label='server:eth0'] .lost")
    expect(lost).to_have_attribute("title", re.compile(r"are lost at server:eth0: nobody listens there \d"))
    page.wait_for_timeout(2000)  # let the picture fill for the screenshot
    page.screenshot(path=IMAGES / "drops.png")
    with page.context.expect_page() as opened:
        row.get_by_role("link", name="NO_SOCKET").click()
    explained = opened.value
    expect(explained.locator("#NO_SOCKET")).to_be_in_viewport()
    expect(explained.locator("#NO_SOCKET")).to_contain_text("No socket is bound")


def test_a_connection_is_looked_into(stack: Stack, person: NewPerson) -> None:
    """What TCP itself knows of a connection: as charts, and among everything else that the node counts."""
    page = person(width=1440, height=900)
    join(page, stack, "Vint")
    open_lab(page)
    start_lab(page)
    server = "iperf3 -s -D -1 -B 10.0.0.2"
    page.get_by_role("tab", name="server").first.click()
    type_in_terminal(page, server)
    page.get_by_role("tab", name="client").first.click()
    type_in_terminal(page, "until iperf3 -c 10.0.0.2 -t 600 -b 20M > /dev/null 2>&1; do sleep 0.3; done")
    for chart in ("TCP: round-trip time", "TCP: congestion window"):
        page.get_by_role("button", name="Which charts are shown").click()
        item = page.get_by_role("menuitem", name=re.compile(chart))
        expect(item).to_be_visible(timeout=CHECK_PATIENCE_MS)
        item.click()
    window = page.get_by_role("region", name="TCP: congestion window", exact=True)
    row = window.get_by_role("row", name=re.compile(r"^client \d+ → 5201"))
    expect(row.get_by_role("cell").first).to_have_text(re.compile(r"^[1-9]"), timeout=CHECK_PATIENCE_MS)
    page.get_by_role("button", name="Fill the window: Counters").click()
    page.wait_for_timeout(4000)  # let the picture fill for the screenshot
    page.screenshot(path=IMAGES / "charts.png")

    page.get_by_role("tab", name="Counters", exact=True).click()
    table = page.get_by_role("tabpanel", name="Counters")
    flow = table.locator("tbody").filter(has_text=re.compile(r"client:10\.0\.0\.1:\d+ → 10\.0\.0\.2:5201")).first
    expect(flow.get_by_role("row", name=re.compile("round-trip time"))).to_be_visible(timeout=CHECK_PATIENCE_MS)
    page.screenshot(path=IMAGES / "counters.png")


def test_a_queue_that_drops_is_seen_where_it_drops(stack: Stack, person: NewPerson) -> None:
    page = person()
    with_traffic(page, stack, "Barbara", LOSSY)
    label = page.locator("[data-label='client:eth0'] .lost")
    expect(label).to_be_visible(timeout=CHECK_PATIENCE_MS)
    expect(label).to_contain_text("✗")
    expect(page.locator("[data-label='server:eth0'] .lost")).to_be_hidden()
    expect(page.get_by_text("QDISC eth0")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Link client:eth0")).click()
    dropped = page.get_by_role("tabpanel", name="Link").get_by_role("row", name=re.compile("^queue: dropped"))
    expect(dropped.locator("td.moving").first).to_be_visible()

    page.get_by_role("tab", name="Counters", exact=True).click()
    page.get_by_role("searchbox", name="Find counters").fill("client queue drop")
    expect(page.get_by_role("row", name=re.compile("queue: dropped"))).to_have_count(1)
    page.get_by_role("searchbox", name="Find counters").fill("no such counter")
    expect(page.get_by_text("No counter is called so.")).to_be_visible()
