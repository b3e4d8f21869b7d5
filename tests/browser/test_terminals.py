"""Terminals as a person uses them: two sides, search, copy and paste, size, a lost network, and output without end."""

import re
import time

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import IMAGES, NewPerson
from tests.browser.workspace import join, open_lab, prompt, start_lab, type_in_terminal
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.kernel, pytest.mark.timeout(600)]

AWAY_MS = 1500


def begin(page: Page, stack: Stack, name: str) -> None:
    join(page, stack, name)
    open_lab(page)
    start_lab(page)


def screen(page: Page, node: str) -> Locator:
    return page.locator(f".terminal-tab[data-node={node}] .xterm-rows")


def more(page: Page, title: str, action: str) -> None:
    page.get_by_role("button", name=f"Terminal {title}: more").click()
    page.get_by_role("menuitem", name=action).click()


def expect_focus_in(page: Page, node: str) -> None:
    """What is typed before is lost, or goes elsewhere."""
    page.wait_for_function("node => document.activeElement.closest('[data-node]')?.dataset.node === node", arg=node)


def test_two_sides_are_remembered_and_reached_by_keys(stack: Stack, person: NewPerson) -> None:
    page = person()
    begin(page, stack, "Radia")
    type_in_terminal(page, "echo only-once-$((40+2))")
    more(page, "client", "Two side by side")
    expect(page.get_by_role("tablist", name="Terminals, second side").get_by_role("tab", name="server")).to_be_visible()
    left, right = screen(page, "client"), screen(page, "server")
    expect(left).to_contain_text("only-once-42")
    expect(right).to_contain_text("server:/lab#")
    assert _x(left) < _x(right)

    # by keys alone: to the other side and back, and out
    page.locator(".terminal-tab[data-node=client] .xterm-screen").click()
    page.keyboard.press("Control+Shift+ArrowRight")
    expect_focus_in(page, "server")
    page.keyboard.type("echo typed-on-$HOSTNAME\n")
    expect(right).to_contain_text("typed-on-server")
    page.keyboard.press("Control+Shift+ArrowLeft")
    expect_focus_in(page, "client")
    page.keyboard.press("Control+Shift+ArrowUp")
    expect(page.get_by_role("tab", name="client")).to_be_focused()

    page.screenshot(path=IMAGES / "terminals.png")
    divider = page.get_by_role("separator", name="Between the two sides of the terminals")
    divider.focus()
    page.keyboard.press("ArrowRight")
    expect(divider).to_have_attribute("aria-valuenow", "55")

    page.reload()
    expect(page.get_by_role("separator", name="Between the two sides of the terminals")).to_have_attribute("aria-valuenow", "55")
    expect(screen(page, "client")).to_contain_text("only-once-42")

    # dragged below each other: one side again, then the tab onto the lower half
    more(page, "client", "One at a time")
    expect(page.get_by_role("tablist", name="Terminals, second side")).to_have_count(0)
    expect(page.get_by_role("tab", name="server")).to_be_visible()
    page.get_by_role("tab", name="server").hover()
    page.mouse.down()
    page.locator(".terminals").hover()
    page.locator(".terminal-drop.below").hover()
    page.mouse.up()
    expect(page.get_by_role("tablist", name="Terminals, second side").get_by_role("tab", name="server")).to_be_visible()
    assert _y(screen(page, "client")) < _y(screen(page, "server"))
    expect(screen(page, "client")).to_contain_text("only-once-42")


def _x(place: Locator) -> float:
    box = place.bounding_box()
    assert box is not None
    return box["x"]


def _y(place: Locator) -> float:
    box = place.bounding_box()
    assert box is not None
    return box["y"]


def test_what_was_printed_is_found(stack: Stack, person: NewPerson) -> None:
    page = person()
    begin(page, stack, "Barbara")
    type_in_terminal(page, "seq -f 'line-%g.' 400; clear -x; echo ready-$((1+1))")
    expect(prompt(page)).to_contain_text("ready-2")
    expect(prompt(page)).not_to_contain_text("line-37.")
    page.keyboard.press("Control+Shift+F")
    search = page.get_by_role("search", name="Search in terminal client")
    expect(search.get_by_role("textbox")).to_be_focused()
    page.keyboard.type("line-37.")
    expect(search.get_by_role("status")).to_have_text("1 of 1")
    expect(prompt(page)).to_contain_text("line-37.")
    page.screenshot(path=IMAGES / "terminal-search.png")
    search.get_by_role("button", name="Regular expression").click()
    search.get_by_role("textbox").fill(r"line-[15]99\.")
    expect(search.get_by_role("status")).to_have_text("1 of 1")
    search.get_by_role("textbox").fill("line-(")
    expect(search.get_by_role("status")).to_have_text("no regular expression")
    page.keyboard.press("Escape")
    expect(search).to_have_count(0)
    expect_focus_in(page, "client")


def test_a_paste_runs_nothing_unasked(stack: Stack, person: NewPerson) -> None:
    page = person()
    begin(page, stack, "Margaret")
    # at a prompt: one bracketed paste, which waits for Enter; an escape sequence in it cannot end it
    page.evaluate("navigator.clipboard.writeText('echo a-$((1+1))\\necho b-$((1+2))\\u001b[201~\\n')")
    page.locator(".xterm-screen:visible").click()
    page.keyboard.press("Control+Shift+V")
    expect(prompt(page)).to_contain_text("echo b-$((1+2))[201~")
    expect(prompt(page)).not_to_contain_text("a-2")
    page.keyboard.press("Control+C")  # stays the interrupt

    # what knows no such paste takes each line's end as Enter: asked first
    type_in_terminal(page, "clear; echo rea''dy; while read line; do echo got-$line; done")
    expect(prompt(page)).to_contain_text("ready")
    page.evaluate("navigator.clipboard.writeText('one\\ntwo\\n')")
    page.keyboard.press("Shift+Insert")
    dialog = page.get_by_role("dialog", name="Paste and run 2 lines?")
    dialog.get_by_role("button", name="Cancel").click()
    expect_focus_in(page, "client")
    page.keyboard.type("typed\n")
    expect(prompt(page)).to_contain_text("got-typed")
    expect(prompt(page)).not_to_contain_text("got-one")
    page.keyboard.press("Control+Shift+V")
    dialog.get_by_role("button", name="Paste").click()
    expect(prompt(page)).to_contain_text("got-two")
    page.keyboard.press("Control+C")

    # selected and copied; Ctrl+C did not do it
    page.evaluate("navigator.clipboard.writeText('before')")
    page.get_by_text("got-two").first.dblclick(force=True)  # the screen lies over its rows
    page.keyboard.press("Control+Shift+C")
    page.wait_for_function("navigator.clipboard.readText().then(text => text.includes('got'))")


def test_size_and_screen_reader_are_remembered(stack: Stack, person: NewPerson) -> None:
    page = person()
    begin(page, stack, "Evi")
    page.locator(".xterm-screen:visible").click()
    before = _height(page)
    for _ in range(3):
        page.keyboard.press("Control+Equal")
    page.wait_for_function("height => document.querySelector('.xterm-rows > div').offsetHeight > height + 2", arg=before)
    more(page, "client", "Screen reader: off")
    expect(page.locator(".terminal-tab[data-node=client] .xterm-accessibility")).to_have_count(1)
    page.reload()
    expect(page.locator(".terminal-tab[data-node=client] .xterm-accessibility")).to_have_count(1)
    expect(page.locator(".terminal-tab[data-node=client] .xterm-accessibility-tree")).to_contain_text("client:/lab#")
    page.wait_for_function("height => document.querySelector('.xterm-rows > div').offsetHeight > height + 2", arg=before)
    page.locator(".xterm-screen:visible").click()
    page.keyboard.press("Control+0")
    page.wait_for_function("height => document.querySelector('.xterm-rows > div').offsetHeight == height", arg=before)


def _height(page: Page) -> float:
    return float(page.evaluate("document.querySelector('.xterm-rows > div').offsetHeight"))


def test_the_network_comes_back(stack: Stack, person: NewPerson) -> None:
    """What was printed meanwhile is there once, what was typed meanwhile runs once."""
    page = person()
    begin(page, stack, "Frances")
    type_in_terminal(page, "clear; for i in $(seq 100 140); do echo n$i; sleep 0.03; done; read word; echo said-$word")
    expect(prompt(page)).to_contain_text("n101")
    page.context.set_offline(True)
    expect(page.locator(".terminal-note:visible")).to_contain_text("Reconnecting")
    page.keyboard.type("offline\n")
    page.wait_for_timeout(AWAY_MS)
    began = time.monotonic()
    page.context.set_offline(False)
    expect(page.locator(".terminal-note:visible")).to_have_count(0)
    print(f"connected again {time.monotonic() - began:.2f} s after the network's return")
    expect(prompt(page)).to_contain_text("said-offline", timeout=30_000)
    text = prompt(page).inner_text()
    seen = [int(number) for number in re.findall(r"n(1\d\d)", text)]  # the echo of what was typed may stand before it
    assert seen == list(range(seen[0], 141)), f"lines were lost, doubled or out of order: {text}"
    assert text.count("said-offline") == 1


def test_output_without_end_leaves_the_page_alive(stack: Stack, person: NewPerson) -> None:
    page = person()
    begin(page, stack, "Hedy")
    more(page, "client", "Two side by side")
    page.evaluate("""() => {
        window.longest = 0;
        new PerformanceObserver(list => {
            for (const task of list.getEntries()) window.longest = Math.max(window.longest, task.duration);
        }).observe({entryTypes: ["longtask"]});
    }""")
    page.locator(".terminal-tab[data-node=client] .xterm-screen").click()
    page.keyboard.type("yes | nl\n")
    page.wait_for_timeout(5000)
    began = time.monotonic()
    page.keyboard.press("Control+C")
    expect(screen(page, "client")).to_contain_text(re.compile(r"\^C[\s\S]*client:/lab#"))
    print(f"Ctrl-C to prompt {(time.monotonic() - began) * 1000:.0f} ms, longest task {page.evaluate('window.longest'):.0f} ms")
    page.keyboard.type("echo alive-$((40+2))\n")
    expect(screen(page, "client")).to_contain_text("alive-42")
    page.locator(".terminal-tab[data-node=server] .xterm-screen").click()
    page.keyboard.type("echo other-$((40+3))\n")
    expect(screen(page, "server")).to_contain_text("other-43")
