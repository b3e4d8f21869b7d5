"""What the pages' own script does, in a browser: parts that change by themselves are fetched anew, labs are put in order."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from netlab.accounts.models import User
from netlab.workshops.models import Attendee, Workshop
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.web.conftest import FakeHost, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]


@pytest.fixture
def page(live_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """What the page's script complains of fails the test."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright keeps a loop in this thread, which is not Django's
    complaints: list[str] = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = chromium.new_context(base_url=live_server.url).new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        chromium.close()
    assert not complaints


def sign_in(page: Page, user: User) -> None:
    name = settings.SESSION_COOKIE_NAME
    page.goto("/")
    page.context.add_cookies([{"name": name, "value": signed_in(user).cookies[name].value, "url": page.url}])


def test_a_card_that_waits_becomes_a_start_button(
    page: Page, attendee: Attendee, workshop: Workshop, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netlab.pages.lab_cards.REFRESH_S", 1)
    Workshop.objects.update(isolation="private")
    host.report(guest=host.guest("building", minutes_left=2))
    sign_in(page, attendee.user)
    page.goto(f"/w/{workshop.pk}/")
    expect(page.get_by_text("building the guest kernel, about 2 min left")).to_be_visible()
    host.report(guest=host.guest("building", minutes_left=1))
    expect(page.get_by_text("about 1 min left")).to_be_visible()
    host.report(guest=host.guest())
    expect(page.get_by_role("button", name="Start")).to_be_visible()
    expect(page.get_by_text("This workshop gives everybody a kernel of their own.")).to_be_visible()
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/labs/**")


def test_labs_are_put_in_order_by_buttons(page: Page, instructor: User, workshop: Workshop, host: FakeHost) -> None:
    workshop.labs.create(lab="gone-1", position=1)
    workshop.labs.create(lab="gone-2", position=2)
    sign_in(page, instructor)
    page.goto(f"/instructor/w/{workshop.pk}/settings/")
    boxes = page.locator("input[name=labs]")
    before = boxes.evaluate_all("all => all.map(box => box.value)")
    page.get_by_role("button", name="Move gone-2 (broken or gone) up").click()
    assert boxes.evaluate_all("all => all.map(box => box.value)") == [before[0], "gone-2", "gone-1", *before[3:]]
    expect(page.get_by_role("button", name="Move gone-2 (broken or gone) up")).to_be_focused()
    page.keyboard.press("Enter")
    assert boxes.evaluate_all("all => all.map(box => box.value)") == ["gone-2", before[0], "gone-1", *before[3:]]
    page.get_by_role("button", name="Move gone-2 (broken or gone) down").click()
    assert boxes.evaluate_all("all => all.map(box => box.value)") == [before[0], "gone-2", "gone-1", *before[3:]]
