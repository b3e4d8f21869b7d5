"""What happens when things are full, are killed, are reset or collide: nobody loses anything, and the page says why."""

import os
import re
import signal
import tarfile
import time

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPerson
from tests.browser.teaching import sign_in
from tests.browser.workspace import (
    CHECK_PATIENCE_MS,
    LAB,
    edit,
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

PLACES_MAX = 4
"""More labs than fit on the tests' stack, whatever an earlier test has left."""
NO_LABS, NOTHING_LEFT_WITHIN_S = "No lab is running.", 60
RESTART_PATIENCE_MS = 45_000


def at_the_lab(stack: Stack, page: Page, name: str) -> Page:
    join(page, stack, name)
    open_lab(page)
    return page


def working(stack: Stack, page: Page, name: str) -> Page:
    start_lab(at_the_lab(stack, page, name))
    return page


def tab(page: Page, node: str) -> None:
    page.get_by_role("tablist", name="Terminals").get_by_role("tab", name=node, exact=True).click()


def choose(page: Page, menu: str, item: str) -> None:
    page.get_by_role("button", name=menu).click()
    page.get_by_role("menuitem", name=re.compile(f"^{item}")).click()


def nothing_left(stack: Stack, page: Page) -> None:
    """What the test before has left is being stopped; were it still there, its place would be free in the middle of this one."""
    sign_in(page, stack)
    page.goto(f"{stack.url}/operator/")
    deadline = time.monotonic() + NOTHING_LEFT_WITHIN_S
    while not page.get_by_text(NO_LABS).count():
        assert time.monotonic() < deadline, "labs are left"
        page.wait_for_timeout(1000)
        page.reload()


def test_a_full_host_has_a_queue_that_moves(stack: Stack, person: NewPerson) -> None:
    waits = "All places are taken"
    nothing_left(stack, person())
    inside: list[Page] = []
    for number in range(PLACES_MAX):
        page = at_the_lab(stack, person(), f"Guest {number}")
        page.get_by_role("button", name="Start the lab").click()
        expect(page.get_by_text(waits).or_(prompt(page).first)).to_be_visible()
        if page.get_by_text(waits).is_visible():
            break
        inside.append(page)
    assert inside, "nobody got a place"
    expect(page.locator(".queue-position")).to_have_text("1")
    expect(page.get_by_text("You are next.")).to_be_visible()
    expect(page.get_by_role("heading", name="Talk")).to_be_visible()  # there is something to read meanwhile

    behind = at_the_lab(stack, person(), "Behind")
    behind.get_by_role("button", name="Start the lab").click()
    expect(behind.locator(".queue-position")).to_have_text("2")
    behind.reload()
    expect(behind.locator(".queue-position")).to_have_text("2")

    inside[0].get_by_role("button", name="Stop", exact=True).click()
    inside[0].get_by_role("button", name="Stop the lab").click()
    expect(prompt(page)).to_contain_text("client:/lab#", timeout=CHECK_PATIENCE_MS)  # by itself
    expect(behind.locator(".queue-position")).to_have_text("1")
    behind.get_by_role("button", name="Leave the queue").click()
    expect(behind.get_by_role("button", name="Start again").first).to_be_visible()


def test_a_killed_agent_takes_nothing_along(stack: Stack, person: NewPerson) -> None:
    page = working(stack, person(), "Barbara")
    type_in_terminal(page, "marker=kept; ping -i 0.1 10.0.0.2 > /dev/null &")
    moving = page.locator(".link-label .rate.moving")
    expect(moving.first).to_be_visible()
    before = stack.pid("agent")
    os.kill(before, signal.SIGKILL)
    type_in_terminal(page, "echo still-$marker")  # typed while nobody listens
    expect(prompt(page)).to_contain_text("still-kept", timeout=RESTART_PATIENCE_MS)
    assert stack.pid("agent") not in (0, before)
    type_in_terminal(page, "kill %1")  # counters that go to nothing and come back are not a picture of yesterday
    expect(moving).to_have_count(0)
    type_in_terminal(page, "ping -i 0.1 10.0.0.2 > /dev/null &")
    expect(moving.first).to_be_visible()
    edit(page, "/* SPDX after the kill */\n")
    # saved is in the database; the node has it a moment later
    type_in_terminal(page, "until grep -q 'after the kill' /lab/xdp.c; do sleep 0.2; done; echo there-$((40+2))")
    expect(prompt(page)).to_contain_text("there-42")


def test_reset_of_one_node_and_of_all(stack: Stack, person: NewPerson) -> None:
    page = working(stack, person(), "Frances")
    type_in_terminal(page, "marker=kept; ip link set dev eth0 mtu 1400; echo mine > /lab/mine.txt; echo done-$marker")
    expect(prompt(page)).to_contain_text("done-kept")
    show_terminal(page, "server")
    type_in_terminal(page, "marker=kept; echo ready-$marker")
    expect(prompt(page)).to_contain_text("ready-kept")

    choose(page, "Reset the lab or one node", "Only client")
    told = page.get_by_role("region", name="Messages").get_by_text("client is as new.")
    expect(told).to_be_visible()
    page.reload()
    expect(told).to_be_visible()  # nobody has closed it
    page.get_by_role("button", name="Close this message").click()
    page.reload()
    show_terminal(page, "server")
    expect(told).to_have_count(0)
    type_in_terminal(page, "echo server-$marker")
    expect(prompt(page)).to_contain_text("server-kept")
    tab(page, "client")
    expect(prompt(page)).to_contain_text("client:/lab#")
    type_in_terminal(page, "echo client-$marker; cat /sys/class/net/eth0/mtu /lab/mine.txt; ping -c 1 10.0.0.2 | grep received")
    expect(prompt(page)).to_contain_text(re.compile("client-1500mine.*1 received"))

    choose(page, "Reset the lab or one node", "All nodes files are kept")
    expect(page.locator(".chip", has_text="Running")).to_be_visible()
    tab(page, "server")
    expect(prompt(page)).not_to_contain_text("server-kept")
    expect(prompt(page)).to_contain_text("server:/lab#")
    type_in_terminal(page, "echo server-$marker; cat /lab/mine.txt")
    expect(prompt(page)).to_contain_text("server-mine")


def test_two_versions_of_a_file_are_shown_and_none_is_lost(stack: Stack, person: NewPerson) -> None:
    page = working(stack, person(), "Margaret")
    edit(page, "/* SPDX */\nint ours = XDP_PASS;\n")
    saved = "until grep -q XDP_PASS /lab/xdp.c; do sleep 0.2; done"  # in the database; the node has it a moment later
    type_in_terminal(page, f"{saved}; sed -i s/XDP_PASS/XDP_DROP/ /lab/xdp.c")
    expect(page.locator(".cm-content")).to_contain_text("XDP_DROP")  # a shell's change is in the editor

    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_role("tablist", name="Files").get_by_role("tab", name="xdp.c").click()
    expect(other.locator(".cm-content")).to_contain_text("XDP_DROP")
    other.route("**/files/xdp.c", lambda route: route.abort())
    other.locator(".cm-content").click()
    other.keyboard.press("Control+Home")
    other.keyboard.type("// from the second tab\n")
    expect(other.locator("[data-save=offline]")).to_be_visible()
    edit(page, "/* SPDX */\n// from the first tab\n")
    other.unroute("**/files/xdp.c")
    other.keyboard.type("// and more\n")  # the next try comes at once

    dialog = other.get_by_role("dialog", name="xdp.c was changed elsewhere")
    expect(dialog).to_contain_text("from the first tab")
    expect(dialog).to_contain_text("from the second tab")
    dialog.get_by_role("button", name="Decide later").click()
    expect(other.get_by_text("xdp.c has two versions.")).to_be_visible()
    other.reload()  # unsaved text outlives the page
    expect(dialog).to_contain_text("from the second tab")
    expect(dialog).to_contain_text("from the first tab")
    dialog.get_by_role("button", name="Keep your version").click()
    expect(other.locator("[data-save=saved]")).to_be_visible()
    expect(page.locator(".cm-content")).to_contain_text("from the second tab")
    type_in_terminal(page, "until grep -q 'second tab' /lab/xdp.c; do sleep 0.2; done; head -1 /lab/xdp.c")
    expect(prompt(page)).to_contain_text("// from the second tab")


def test_a_flood_is_interrupted_and_a_home_is_downloaded(stack: Stack, person: NewPerson) -> None:
    page = working(stack, person(), "Radia")
    type_in_terminal(page, "yes")
    expect(prompt(page)).to_contain_text(re.compile("^(y\\s*)+$"))
    page.wait_for_timeout(1000)
    page.keyboard.press("Control+c")
    pressed = time.monotonic()
    # looked for with each frame: an expectation looks once a second, and would add that
    shown = "[...document.querySelectorAll('.xterm-rows')].filter(rows => rows.checkVisibility())"
    page.wait_for_function(f"() => {shown}.some(rows => rows.textContent.includes('client:/lab#'))")
    assert time.monotonic() - pressed < 2, "Ctrl-C waited behind the flood"
    type_in_terminal(page, "clear; echo 'a letter' > ~/letter.txt; echo written-$((40+2))")
    expect(prompt(page)).to_contain_text("written-42")
    with page.expect_download() as waiting:
        choose(page, "The lab: more", "Download home of client")
    download = waiting.value
    assert download.suggested_filename.endswith(".tar.gz") and "client" in download.suggested_filename
    with tarfile.open(download.path()) as archive:
        member = next(m for m in archive.getmembers() if m.name.endswith("letter.txt"))
        letter = archive.extractfile(member)
        assert letter is not None and letter.read() == b"a letter\n"
    expect(page.locator("[data-connection=online]")).to_be_attached()  # the page did not go away for it


def test_pages_that_are_not_there_say_so(stack: Stack, person: NewPerson) -> None:
    page, stranger = person(), person()
    join(page, stack, "Sally")
    labs = page.url
    page.goto(f"{stack.url}/not/a/page/")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page.")
    page.get_by_role("link", name="To the first page").click()
    page.get_by_role("main").get_by_role("link", name="Demo workshop").click()
    expect(page).to_have_url(labs)
    page.goto(f"{labs}labs/no-such-lab/")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such lab in this workshop.")
    page.goto(f"{stack.url}/instructor/")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page.")

    stranger.goto(f"{labs}labs/{LAB}/")
    expect(stranger.get_by_role("heading", level=1)).to_have_text("You are not signed in.")
    stranger.goto(f"{stack.url}/resume/forged/")
    expect(stranger.get_by_role("heading", level=1)).to_have_text("This personal link no longer works.")
    stranger.goto(f"{stack.url}/w/wnowhere/")
    expect(stranger.get_by_role("link", name="Join with a code")).to_be_visible()


def tab_to(page: Page, name: str, role: str = "button", limit: int = 120) -> None:
    """Press Tab until the element of this name has the focus."""
    wanted = page.get_by_role(role, name=re.compile(name))  # type: ignore[arg-type]
    for _ in range(limit):
        if wanted.count() and wanted.first.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the Tab key does not reach {name}")


def test_from_joining_to_a_loaded_program_without_a_mouse(stack: Stack, person: NewPerson) -> None:
    page = person()
    page.goto(f"{stack.url}/")
    expect(page.get_by_role("textbox", name="Workshop code")).to_be_focused()  # by itself, a moment after the page is there
    page.keyboard.type(stack.code)
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Your name")).to_be_focused()
    page.keyboard.type("Annie")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Demo workshop")).to_be_visible()
    tab_to(page, "^Start Your first XDP program")
    page.keyboard.press("Enter")
    expect(prompt(page)).to_contain_text("client:/lab#")

    tab_to(page, "^Type it for me")
    page.keyboard.press("Enter")
    expect(prompt(page)).to_contain_text("ping -c 5 10.0.0.2")
    page.keyboard.press("Enter")
    expect(prompt(page)).to_contain_text("5 received")
    page.keyboard.press("Tab")  # the shell's own key
    page.keyboard.press("Control+Shift+ArrowUp")
    terminals = page.get_by_role("tablist", name="Terminals")
    expect(terminals.get_by_role("tab", name="client")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(terminals.get_by_role("tab", name="server")).to_be_focused()
    expect(prompt(page)).to_contain_text("server:/lab#")
    page.keyboard.press("Enter")
    expect(page.locator(".terminal-tab[data-node=server] textarea").first).to_be_focused()
    page.keyboard.type("echo at-$((40+2))\n")
    expect(prompt(page)).to_contain_text("at-42")
    page.keyboard.press("Control+Shift+ArrowUp")

    tab_to(page, "^Step 2:")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=re.compile("^Step 2:"))).to_have_attribute("aria-current", "step")
    tab_to(page, "^Put into the editor")
    page.keyboard.press("Enter")
    editor = page.get_by_role("textbox", name="Source code")
    expect(editor).to_be_focused()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".summary[data-outcome=attached]")).to_be_visible(timeout=20_000)
    page.keyboard.press("Tab")  # Tab leaves the editor
    expect(editor).not_to_be_focused()
    tab_to(page, "^Build & load")
    page.evaluate("""() => {
        const builds = () => [...document.querySelectorAll("button")].some(b => b.textContent == "Building …");
        const look = () => { window.built ||= builds(); };
        new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true});
    }""")  # it is there for as long as clang takes, which may be over when one comes to look
    page.keyboard.press("Enter")
    page.wait_for_function("window.built")
    expect(page.get_by_role("button", name="Build & load")).to_be_visible()
    open_step(page, 2)


def test_a_phone_shows_one_column_at_a_time(stack: Stack, person: NewPerson) -> None:
    page = at_the_lab(stack, person(width=390, height=844), "Joan")
    columns = page.get_by_role("navigation", name="Columns")
    for pane, inside in (("Do", "Start the lab"), ("Read", "Next →")):
        columns.get_by_role("button", name=pane).click()
        expect(page.get_by_role("button", name=inside)).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the phone"
