"""Finding a lab on the attendee's page: by words, by topic, and never without the one that runs."""

import pytest
from django.test import Client

from netlab.accounts.models import User
from netlab.catalogue.labs import all_labs
from netlab.domain.lab import Isolation
from netlab.pages.lab_cards import LabCard
from netlab.pages.lab_search import LabSearch, topics_of
from netlab.runs.actions import do_start_run
from netlab.workshops.actions import do_create_workshop, do_open_workshop
from netlab.workshops.models import Workshop
from tests.web.conftest import LAB, FakeHost, signed_in, sit_down


@pytest.fixture
def cards() -> list[LabCard]:
    return [LabCard(lab.id, lab) for lab in all_labs()]


@pytest.fixture
def fair(instructor: User) -> Workshop:
    """A workshop with every lab there is."""
    labs = [lab.id for lab in all_labs()]
    workshop = do_create_workshop(instructor, "Fair", labs=labs, isolation=Isolation.STRANGERS)
    do_open_workshop(workshop)
    return workshop


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def ids(cards: list[LabCard]) -> list[str]:
    return [card.id for card in cards]


@pytest.mark.parametrize(("words", "found"), [
    ("first xdp", "xdp-01-first-program"), ("XDP FIRST", "xdp-01-first-program"), ("wireguard", "wireguard-01-tunnel"),
    ("dsa-02", "dsa-02-bridge-vlan"),
])
def test_all_words_in_any_order(cards: list[LabCard], words: str, found: str) -> None:
    assert found in ids(LabSearch(words).found(cards))
    assert LabSearch(words + " nosuchword").found(cards) == []


def test_topics_are_those_of_the_labs(cards: list[LabCard]) -> None:
    for topic in topics_of(cards):
        found = LabSearch(topic=topic).found(cards)
        assert found and all(card.lab is not None and card.lab.spec.topic.value == topic for card in found)
    assert LabSearch(topic="no such topic").found(cards) == []
    assert ids(LabSearch().found(cards)) == ids(cards)


def test_the_page_shows_what_was_found_and_keeps_what_was_asked(fair: Workshop, host: FakeHost) -> None:
    client = signed_in(sit_down(fair, "Ada").user)
    assert "No lab has all of this" in text(client, f"/w/{fair.pk}/?q=%22tunnel+nosuchword")
    page = text(client, f"/w/{fair.pk}/?q=tunnel&topic=wireguard")
    assert f"/w/{fair.pk}/labs/wireguard-01-tunnel/" in page and LAB not in page
    assert 'value="tunnel"' in page


def test_the_lab_that_runs_is_there_whatever_one_looks_for(fair: Workshop, host: FakeHost) -> None:
    attendee = sit_down(fair, "Ada")
    do_start_run(attendee, LAB)
    assert f"/w/{fair.pk}/labs/{LAB}/" in text(signed_in(attendee.user), f"/w/{fair.pk}/?q=nosuchword")


def test_a_few_labs_need_no_search(workshop: Workshop, host: FakeHost) -> None:
    assert "Find a lab" not in text(signed_in(sit_down(workshop, "Ada").user), f"/w/{workshop.pk}/")
