"""A lab with a kernel of its own, told from Start to the last check: the switch, its tags, a panic, a pause. With screenshots."""

import re
import time

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import IMAGES, NewPerson
from tests.browser.workspace import check, join, open_step, prompt, type_in_terminal
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.kernel, pytest.mark.timeout(900)]

LAB = "dsa-01-switch"
STEPS = 7
READY_MS = 300_000
"""A guest image that was never booted on this machine is tried first; the page waits for that by itself."""
BAKED_MS = 240_000
"""The first Start of a lab prepares it for everybody."""
GUEST_MS = 90_000
"""Software emulation on a machine that others use, too."""
TOLD_WITHIN_S = 10
PORTS = ("lan1", "lan2", "lan3")
DOWN = "; ".join(f"ip link set {name} down" for name in (*PORTS, "eth0"))
UP = "; ".join(f"ip link set {name} up" for name in PORTS)
TAGGING = "/sys/class/net/eth0/dsa/tagging"


def test_a_person_takes_a_switch_apart(stack: Stack, person: NewPerson) -> None:
    page = person(width=1440, height=900)
    start(page, stack, "Radia")
    page.get_by_title("Which kernel is this, and why?").click()
    kernel = page.get_by_role("dialog", name="A kernel of your own")
    expect(kernel).to_contain_text(re.compile(r"Runs in its own kernel \d+\.\d+.*, in a VM"))
    page.keyboard.press("Escape")
    expect(page.get_by_text("Nothing on the wire yet")).to_be_visible()
    assert violations(page) == [], "before the first frame"

    # step 1: one card, four interfaces
    run(page, "router", "ip link set lan1 up")
    expect_green_in_guest(page, "port", "conduit")

    # step 2: every port is a network card
    open_step(page, 2)
    addresses = "; ".join(f"ip addr add 10.0.{n}.1/24 dev lan{n}" for n in (1, 2, 3))
    run(page, "router", f"{addresses}; {UP}")
    run(page, "router", f"{answer('10.0.1.2')}; ping -c 3 -i 0.3 10.0.1.2", "3 received")
    expect_green_in_guest(page, "h1", "h2", "routed")

    # step 3: the tags, in the Switch pane as they pass
    open_step(page, 3)
    run(page, "router", "ping -i 0.2 -c 25 10.0.2.2", "25 received")
    expect_green_in_guest(page, "from-cpu", "to-cpu")
    expect(frames(page, "lan2").first).to_be_visible()
    expect(tagger(page)).to_have_text("dsa")
    take_apart(page, "to CPU", "lan2", mode="FORWARD", tag_bytes=4)
    page.screenshot(path=IMAGES / "dsa-tags.png")
    expect_readable_in_each_theme(page)
    leave_frames(page)

    # step 4: each packet passes the wire twice
    open_step(page, 4)
    run(page, "host 1", "ping -q -i 0.02 10.0.3.2", wait=False)
    expect_green_in_guest(page, "in", "out")
    expect(share(page)).to_have_text(re.compile(r"^All \d+ frames of \d+ s went to the CPU"))
    interrupt(page)

    # step 5: another tagger, refused while frames are on their way; then the pane shows its frames
    open_step(page, 5)
    run(page, "router", f"echo edsa > {TAGGING}", "Device or resource busy")
    expect(check(page, "tagger")).to_have_attribute("data-look", "failed", timeout=GUEST_MS)
    change_tagger(page, "edsa")
    run(page, "host 1", f"{answer('10.0.3.2')}; ping -i 0.3 -c 3 10.0.3.2", "3 received")
    expect_green_in_guest(page, "tagger", "works")
    expect(tagger(page)).to_have_text("edsa")
    take_apart(page, "from CPU", "lan3", mode="FROM_CPU", tag_bytes=8)
    expect(page.get_by_role("region", name="The chosen frame")).to_contain_text("0xdada")
    page.screenshot(path=IMAGES / "dsa-edsa.png")
    leave_frames(page)

    # step 6: a tag at the end
    open_step(page, 6)
    change_tagger(page, "trailer")
    run(page, "host 1", f"{answer('10.0.3.2')}; ping -i 0.3 -c 3 10.0.3.2", "3 received")
    expect_green_in_guest(page, "tagger", "works")
    expect(tagger(page)).to_have_text("trailer")

    # step 7: a bridge, and the wire falls silent
    open_step(page, 7)
    members = "; ".join(f"ip link set {name} master br0" for name in ("lan1", "lan3"))
    bridge = f"ip link add br0 type bridge; {members}; ip link set br0 up"
    change_tagger(page, "dsa", between=f"{bridge}; ")
    run(page, "host 1", "ip addr add 10.0.9.1/24 dev eth0")
    run(page, "host 3", "ip addr add 10.0.9.3/24 dev eth0")
    run(page, "host 1", "until ping -c 1 -w 5 10.0.9.3; do sleep 0.2; done", "1 received")
    run(page, "host 1", "ping -q -i 0.02 10.0.9.3", wait=False)
    expect_green_in_guest(page, "tagger", "neighbours", "switched")
    most = re.compile(r"^(5[1-9]|[6-9]\d|100)(\.\d)? % of .* never reached the CPU")
    expect(share(page)).to_have_text(most, timeout=GUEST_MS)  # it speaks of ten seconds, most of them before the bridge
    page.screenshot(path=IMAGES / "dsa-switched.png")
    interrupt(page)
    expect(page.get_by_role("navigation", name=f"{STEPS} of {STEPS} done")).to_be_visible()


def test_a_panic_is_told_and_a_reset_brings_a_new_kernel(stack: Stack, person: NewPerson) -> None:
    page = person(width=1440, height=900)
    start(page, stack, "Margaret")
    run(page, "router", "marker=kept; echo before-$marker", "before-kept")
    tell(page, "router", "echo c > /proc/sysrq-trigger")
    pressed = time.monotonic()
    alert = page.get_by_role("alert").filter(has_text="panicked")
    expect(alert).to_be_visible(timeout=TOLD_WITHIN_S * 1000)
    assert time.monotonic() - pressed < TOLD_WITHIN_S
    expect(page.locator(".chip", has_text="Broken")).to_be_visible()
    expect(prompt(page)).to_contain_text("before-kept")  # what was printed can be read still
    page.screenshot(path=IMAGES / "dsa-panic.png")
    alert.get_by_role("button", name="Reset").click()
    expect(page.locator(".chip", has_text="Running")).to_be_visible(timeout=BAKED_MS)
    expect(prompt(page)).not_to_contain_text("before-kept", timeout=GUEST_MS)
    run(page, "router", "echo after-$marker$((40+2))", "after-42")


def test_a_pause_puts_the_kernel_on_the_disk_and_back(stack: Stack, person: NewPerson) -> None:
    page = person(width=1440, height=900)
    start(page, stack, "Sophie")
    run(page, "router", "marker=kept; echo before-$marker", "before-kept")
    page.get_by_role("button", name="The lab: more").click()
    page.get_by_role("menuitem", name=re.compile("^Pause")).click()
    banner = page.get_by_role("status").filter(has_text="Your lab is paused")
    expect(banner).to_be_visible(timeout=BAKED_MS)
    banner.get_by_role("button", name="Resume").click()
    expect(page.locator(".chip", has_text="Running")).to_be_visible(timeout=GUEST_MS)
    run(page, "router", "echo after-$marker", "after-kept")


def start(page: Page, stack: Stack, name: str) -> None:
    """Join, open the lab, read why it has a kernel of its own, Start, see what the host does, be at the prompt."""
    join(page, stack, name)
    page.goto(f"{page.url.rstrip('/')}/labs/{LAB}/")
    button = page.get_by_role("button", name="Start the lab")
    expect(button).to_be_enabled(timeout=READY_MS)  # nobody reloads
    panel = page.locator(".start-panel")
    expect(panel).to_contain_text("in its own kernel")
    page.evaluate("""() => {
        window.hostSteps = new Set()
        const look = () => document.querySelectorAll(".host-steps li").forEach(li => window.hostSteps.add(li.textContent))
        new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true})
    }""")
    button.click()
    expect(prompt(page)).to_contain_text("router:/lab#", timeout=BAKED_MS)
    said = " ".join(page.evaluate("[...window.hostSteps]"))
    assert "Copy a machine that has the lab in it" in said and "Make it yours" in said, said


def answer(address: str) -> str:
    """Shell: wait until ports that were just set up have a carrier and the neighbours know each other."""
    return f"until ping -c 1 -W 1 {address} > /dev/null; do sleep 0.2; done"


def tell(page: Page, tab: str, command: str) -> None:
    page.get_by_role("tablist", name="Terminals").get_by_role("tab", name=tab, exact=True).click()
    type_in_terminal(page, command)


def run(page: Page, tab: str, command: str, expected: str = "", *, wait: bool = True) -> None:
    """Type a command; unless told otherwise, wait until it has printed what it should, and the shell asks for the next."""
    tell(page, tab, f"clear; {command}")
    if wait:
        expect(prompt(page)).to_contain_text(re.compile(f"{re.escape(expected)}.*:/lab#", re.DOTALL), timeout=GUEST_MS)


def interrupt(page: Page) -> None:
    page.keyboard.press("Control+c")
    expect(prompt(page)).to_contain_text(re.compile(r"received.*:/lab#", re.DOTALL), timeout=GUEST_MS)


def change_tagger(page: Page, name: str, between: str = "") -> None:
    """Everything down, the tagger, everything up, as the text has it."""
    run(page, "router", f"{DOWN}; echo {name} > {TAGGING}; {between}{UP}; cat {TAGGING}", name)


def expect_green_in_guest(page: Page, *names: str) -> None:
    for name in names:
        expect(check(page, name)).to_have_attribute("data-look", "passed", timeout=GUEST_MS)


def frames(page: Page, *words: str) -> Locator:
    rows = page.get_by_role("listbox", name="Frames, newest first").get_by_role("option")
    for word in words:
        rows = rows.filter(has_text=word)
    return rows


def tagger(page: Page) -> Locator:
    return page.locator(".tagger-name .mono")


def share(page: Page) -> Locator:
    return page.locator(".share")


def take_apart(page: Page, direction: str, port: str, *, mode: str, tag_bytes: int) -> None:
    """Choose the newest frame of a port and a direction: its tag's place, bytes and fields are shown."""
    page.get_by_role("combobox", name="Port").select_option(label=port)
    page.get_by_role("combobox", name="Direction").select_option(label=direction)
    frames(page, "ICMP").first.click()
    shown = page.get_by_role("region", name="The chosen frame")
    expect(shown.locator(".segments .tag")).to_have_text(f"tag{tag_bytes}")
    expect(shown).to_contain_text(mode)
    expect(shown).to_contain_text(port)


def expect_readable_in_each_theme(page: Page) -> None:
    """With a frame taken apart, and on a small screen with large type; it ends in the light theme, as it began."""
    for words, theme in (("Dark", "dark"), ("Projector, high contrast", "projector"), ("Light", "light")):
        page.get_by_title(re.compile("^Theme:")).click()
        page.get_by_role("menuitemradio", name=words).click()
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        assert violations(page) == [], theme
    page.set_viewport_size({"width": 1280, "height": 720})
    assert violations(page) == [], "on a small laptop"
    page.set_viewport_size({"width": 1440, "height": 900})


def leave_frames(page: Page) -> None:
    page.get_by_role("button", name="Close the frame").click()
    page.get_by_role("combobox", name="Port").select_option("")
    page.get_by_role("combobox", name="Direction").select_option("")
    page.get_by_role("button", name="Go on").click()
