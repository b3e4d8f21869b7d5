"""The lab page in Chromium under load for a minute: two busy terminals, counters at 10 Hz, the editor open: `make bench-page`.

Needs a running netlab; joins its demo workshop through NETLAB_URL and NETLAB_CODE and stops its run. What a task of the page's
main thread takes comes from Chromium's own tracing, what it keeps from its heap after a collection.
"""

import os
import sys
import time
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from bench.start import NAME_MAX, percentile

LAB = "xdp-01-first-program"
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu"]
SETTLE_S, LOAD_S = 60, 60
"""What keeps a fixed amount is full by then: 5,000 lines of both terminals, a minute of charts."""
LONG_MS = 100
HEAP_LOOKS, HEAP_LOOK_EVERY_MS = 5, 300
CATEGORIES = ["disabled-by-default-devtools.timeline"]
TASK = "RunTask"
TALKATIVE = "while sleep 0.007; do echo $RANDOM $RANDOM $RANDOM $RANDOM; done"
BUSY = "ping -i 0.01 10.0.0.2 | head -20000 & while sleep 0.05; do head -c 600 /dev/urandom | base64; done"
PROMPT_MS = 60_000


def main() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_context(ignore_https_errors=True, viewport={"width": 1440, "height": 900}).new_page()
        _join(page)
        _start(page)
        try:
            _measure(browser, page)
        finally:  # an error here would hide the one before: nothing above may fail for want of a lab
            _stop(page)
        browser.close()


def _join(page: Page) -> None:
    page.goto(f"{os.environ['NETLAB_URL'].rstrip('/')}/join/{os.environ['NETLAB_CODE']}/")
    page.get_by_role("textbox").first.fill(f"bench {time.time_ns() % NAME_MAX}")
    page.keyboard.press("Enter")
    page.wait_for_url("**/w/**")
    page.goto(f"{page.url.split('?')[0].rstrip('/')}/labs/{LAB}/")


def _start(page: Page) -> None:
    page.get_by_role("button", name="Start the lab").click()
    for node, work in (("server", TALKATIVE), ("client", BUSY)):
        tab = page.get_by_role("tablist", name="Terminals").get_by_role("tab", name=node, exact=True)
        tab.click(timeout=PROMPT_MS)
        page.locator(".xterm-rows:visible").get_by_text(f"{node}:/lab#").first.wait_for(timeout=PROMPT_MS)
        page.locator(".xterm-screen:visible").click()
        page.keyboard.type(work)
        page.keyboard.press("Enter")


def _measure(browser: Browser, page: Page) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.wait_for_timeout(SETTLE_S * 1000)
    before, tasks = _heap_mb(page, session), _tasks_ms(page, browser.new_browser_cdp_session())
    after = _heap_mb(page, session)
    for name, value in (
        ("page_task_p99_ms", f"{percentile(tasks, 99):.1f} ms"),
        ("page_task_max_ms", f"{max(tasks):.0f} ms"),
        (f"page_tasks_over_{LONG_MS}_ms", f"{sum(ms > LONG_MS for ms in tasks)} tasks"),
        ("page_main_thread_percent", f"{sum(tasks) / LOAD_S / 10:.1f} %"),
        ("page_heap_mb", f"{after:.1f} MiB"),
        ("page_heap_growth_mb", f"{after - before:.1f} MiB"),
    ):
        sys.stdout.write(f"figure {name} {value}\n")


def _heap_mb(page: Page, session: CDPSession) -> float:
    """Of JavaScript, in MiB: the least of some collections, since lines and samples are always under way."""
    sizes = []
    for _ in range(HEAP_LOOKS):
        session.send("HeapProfiler.collectGarbage")
        metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
        sizes.append(float(metrics["JSHeapUsedSize"]))
        page.wait_for_timeout(HEAP_LOOK_EVERY_MS)
    return min(sizes) / (1 << 20)


def _tasks_ms(page: Page, session: CDPSession) -> list[float]:
    """How long each task of the page's main thread took, in ms."""
    events: list[dict[str, Any]] = []
    complete: list[object] = []
    session.on("Tracing.dataCollected", lambda data: events.extend(data["value"]))
    session.on("Tracing.tracingComplete", lambda data: complete.append(data))
    session.send("Tracing.start", {"transferMode": "ReportEvents", "traceConfig": {"includedCategories": CATEGORIES}})
    page.wait_for_timeout(LOAD_S * 1000)
    session.send("Tracing.end")
    while not complete:
        page.wait_for_timeout(100)
    tasks: dict[tuple[int, int], list[float]] = {}
    for event in events:
        if event.get("name") == TASK and event.get("ph") == "X":
            tasks.setdefault((event["pid"], event["tid"]), []).append(event.get("dur", 0) / 1000)
    mains = {
        (e["pid"], e["tid"]) for e in events if e.get("name") == "thread_name" and e["args"].get("name") == "CrRendererMain"
    }
    return max((tasks.get(main, []) for main in mains), key=sum)


def _stop(page: Page) -> None:
    """As a person: the button, then the question."""
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Stop the lab").click()
    page.get_by_role("button", name="Start again").first.wait_for()


if __name__ == "__main__":
    main()
