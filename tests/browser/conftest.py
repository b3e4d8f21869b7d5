"""Chromium against the real stack: one netlab for all browser tests, one context (person) for each test."""

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests import stack as real
from tests.stack import Stack

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
DOCUMENTS = Path(__file__).resolve().parents[2] / "docs" / "images"
IMAGES = DOCUMENTS if os.environ.get("SCREENSHOTS") else Path(tempfile.mkdtemp(prefix="netlab-images-"))
"""Where pictures go: `make test ARGS='tests/browser' SCREENSHOTS=1` renews those of the documents."""
PATIENCE_MS = 30_000
"""Of every action and, since a context's own does not count for them, of every expectation: theirs would be 5 s."""
expect.set_options(timeout=PATIENCE_MS)
TWO_LABS_MB = 1024

NewPerson = Callable[..., Page]


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Started for these tests, with room for two labs, so that a third person meets the queue. With
    BROWSER_STACK=<instance> a running one is used and left alone; start it with the same NETLAB_MEMORY_BUDGET_MB."""
    if instance := os.environ.get("BROWSER_STACK"):
        yield real.running(instance)
        return
    started = real.start(f"b{secrets.token_hex(3)}", NETLAB_MEMORY_BUDGET_MB=str(TWO_LABS_MB))
    yield started
    started.down()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def person(browser: Browser) -> Iterator[NewPerson]:
    """`person()` is the page of somebody new. What their browser's console complains of fails the test at its end."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        # a status of 4xx is an answer that the page shows; anything else that the console calls an error is a bug
        if message.type == "error" and "Failed to load resource" not in message.text and "WebSocket" not in message.text:
            complaints.append(message.text)

    def new(width: int = 1280, height: int = 720, **options: object) -> Page:
        context = browser.new_context(
            ignore_https_errors=True, viewport={"width": width, "height": height}, **options,  # type: ignore[arg-type]
        )
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield new
    for context in contexts:
        give_back(context)
        context.close()
    assert not complaints, "the browser's console: " + "\n".join(complaints)


def give_back(context: BrowserContext) -> None:
    """Stop the lab that a test has left running, so that the next one finds room."""
    token = next((c["value"] for c in context.cookies() if c["name"].endswith("csrftoken")), "")
    for address in {page.url for page in context.pages if "/labs/" in page.url}:
        context.request.post(f"{address}stop/", headers={"X-CSRFToken": token, "Referer": address})
