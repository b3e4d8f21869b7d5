"""The attendee's day, told once from the join link to the last step, with screenshots for the documents."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import IMAGES, NewPerson
from tests.browser.workspace import (
    LAB,
    build_and_load,
    check,
    edit,
    expect_green,
    join,
    open_lab,
    open_step,
    prompt,
    show_terminal,
    start_lab,
    type_in_terminal,
)
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.kernel, pytest.mark.timeout(600)]

SOLUTION = Path(__file__).resolve().parents[2] / "labs" / LAB / "solution"
ICMP_STEP, REFUSED_STEP = 4, 5


def solution(step: int) -> str:
    return (SOLUTION / f"{step:02}" / "xdp.c").read_text()


def test_a_person_works_the_first_lab_through(stack: Stack, person: NewPerson) -> None:
    page = person()
    join(page, stack, "Ada")
    page.screenshot(path=IMAGES / "workshop.png")
    open_lab(page)
    expect(page.get_by_role("heading", name="Talk")).to_be_visible()
    start_lab(page)

    # step 1: ping in one terminal, tcpdump in another; the checks turn green by themselves
    show_terminal(page, "server")
    type_in_terminal(page, "tcpdump -ni eth0 -c 4 icmp")
    expect(prompt(page)).to_contain_text("listening on eth0")
    show_terminal(page, "client")
    type_in_terminal(page, "ping -c 6 -i 0.2 10.0.0.2")
    expect(prompt(page)).to_contain_text("6 received")
    page.get_by_role("tablist", name="Terminals").get_by_role("tab", name="server").click()
    expect(prompt(page)).to_contain_text("ICMP echo request")
    expect_green(page, "talked", "neighbour")

    # step 2: clang's error is on its line; then a program that passes
    open_step(page, 2)
    edit(page, solution(2).replace("XDP_PASS;", "XDP_PAS;"))
    build_and_load(page, "build_failed")
    problems = page.get_by_role("list", name="Problems")
    line = next(n for n, text in enumerate(solution(2).splitlines(), 1) if "XDP_PASS;" in text)
    expect(problems).to_contain_text(f"xdp.c:{line}")
    expect(problems).to_contain_text("XDP_PAS")
    expect(page.locator(".cm-lint-marker-error")).to_be_visible()
    edit(page, solution(2))
    build_and_load(page, "attached")
    expect_green(page, "attached", "reachable")

    # step 3: everything is dropped; the picture moves because of it
    open_step(page, 3)
    expect(check(page, "silent")).to_have_attribute("data-look", "failed")
    expect(check(page, "silent")).to_contain_text("answer")
    edit(page, solution(3))
    build_and_load(page, "attached")
    page.get_by_role("tablist", name="Terminals").get_by_role("tab", name="client").click()
    type_in_terminal(page, "clear; ping -i 0.05 -W 1 10.0.0.2")
    expect(page.get_by_role("row", name=re.compile("^DROP")).get_by_role("cell")).to_have_text(re.compile("[1-9]"))
    expect_green(page, "silent", "dropped")
    page.wait_for_timeout(3000)  # let the picture fill for the screenshot
    page.screenshot(path=IMAGES / "workspace.png")
    type_in_terminal(page, "\x03")

    # step 4: ping is dropped, TCP lives
    open_step(page, ICMP_STEP)
    edit(page, solution(ICMP_STEP))
    build_and_load(page, "attached")
    page.get_by_role("tablist", name="Terminals").get_by_role("tab", name="server").click()
    type_in_terminal(page, "clear; iperf3 -s -D")
    expect_green(page, "native", "silent", "tcp")

    # step 5: the verifier refuses, on the right line, and the old program goes on
    open_step(page, REFUSED_STEP)
    edit(page, solution(REFUSED_STEP))
    build_and_load(page, "refused")
    expect(page.get_by_role("list", name="Problems")).to_contain_text(re.compile(r"xdp\.c:\d+"))
    page.get_by_role("button", name="Verifier log").click()
    expect(page.get_by_role("region", name="Verifier log")).to_contain_text("invalid access to packet")
    expect_green(page, "refused", "still-there")
    page.screenshot(path=IMAGES / "verifier.png")

    # step 6 and 7: generic mode; off again, by hand in the shell
    open_step(page, 6)
    edit(page, solution(6))
    build_and_load(page, "attached", mode="generic")
    expect_green(page, "generic", "silent", "tcp")
    # the pings of its check are dropped: on a line of their own, since the driver counts nothing now
    expect(page.get_by_role("row", name=re.compile("^DROP generic")).get_by_role("cell")).to_have_text(re.compile("[1-9]"))
    open_step(page, 7)
    type_in_terminal(page, "clear; ip link set dev eth0 xdpgeneric off")
    expect_green(page, "detached", "answers")
    expect(page.get_by_role("navigation", name=re.compile("7 of 7 done"))).to_be_visible()

    stop(page)


def test_reload_and_a_lost_connection_lose_nothing(stack: Stack, person: NewPerson) -> None:
    page = person()
    join(page, stack, "Grace")
    open_lab(page)
    start_lab(page)
    type_in_terminal(page, "marker=kept; echo before-$marker")
    expect(prompt(page)).to_contain_text("before-kept")
    edit(page, solution(2))

    page.reload()
    expect(prompt(page)).to_contain_text("before-kept")
    page.get_by_role("tab", name="xdp.c").click()
    expect(page.locator(".cm-content")).to_contain_text("XDP_PASS")

    type_in_terminal(page, "for i in $(seq 100 160); do echo n$i; sleep 0.05; done; echo end-$marker")
    page.context.set_offline(True)
    page.wait_for_timeout(1500)
    page.context.set_offline(False)
    expect(prompt(page)).to_contain_text("end-kept", timeout=30_000)
    seen = re.findall(r"n(1[0-6]\d)", prompt(page).inner_text())
    assert seen == sorted(set(seen)), "lines were doubled or out of order"
    assert seen[-1] == "160" and [int(n) for n in seen] == list(range(int(seen[0]), 161)), "lines were lost"
    stop(page)


def test_a_second_tab_is_the_same_lab(stack: Stack, person: NewPerson) -> None:
    page = person()
    join(page, stack, "Edsger")
    open_lab(page)
    start_lab(page)
    other = page.context.new_page()
    other.goto(page.url)
    expect(prompt(other)).to_contain_text("client:/lab#")
    type_in_terminal(page, "echo seen-$((40+2))")
    expect(prompt(other)).to_contain_text("seen-42")
    edit(page, solution(3))
    other.get_by_role("tab", name="xdp.c").click()
    expect(other.locator(".cm-content")).to_contain_text("XDP_DROP")
    stop(page)


def stop(page: Page) -> None:
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Stop the lab").click()
    expect(page.get_by_role("button", name="Start again").first).to_be_visible()
