"""The page of all reasons to drop a packet: every one with an anchor that a lab page's link leads to."""

from django.test import Client

from netlab.domain.drop_reasons import FAMILIES, NOT_SPECIFIED, drop_name, label
from tests.pages.conftest import read


def test_every_reason_has_its_place_and_its_words(client: Client) -> None:
    html = read(client.get("/help/drops/"))
    anchors = [element.attributes["id"] for element in html.elements if "id" in element.attributes]
    assert len(anchors) == len(set(anchors))
    for family in FAMILIES:
        for name, (short, meaning) in family.words.items():
            assert name in anchors
            assert 3 < len(short) <= 50 and not short.endswith(".")
            assert meaning.endswith((".", "?")) and meaning.count("`") % 2 == 0


def test_a_drop_without_a_reason_is_named_after_its_place() -> None:
    assert drop_name("NO_SOCKET", "__udp4_lib_rcv") == "NO_SOCKET"
    assert drop_name(NOT_SPECIFIED, "veth_xdp_rcv_skb") == "XDP_DROP"
    assert drop_name(NOT_SPECIFIED, "strange_function") == "NOT_SPECIFIED at strange_function"
    assert label("NOT_SPECIFIED at strange_function") == "no reason given, in strange_function()"
    assert label("A_REASON_OF_TOMORROW") == "a reason of tomorrow"
