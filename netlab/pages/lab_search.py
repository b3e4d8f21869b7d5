"""Finding labs among those of a workshop: by words and by topic. Used by the attendee's page; it reads cards, nothing else."""

from dataclasses import dataclass
from urllib.parse import urlencode

from netlab.pages.lab_cards import LabCard

WORDS_CHARS_MAX = 100
WORTHWHILE_FROM = 4
"""Fewer labs than this are seen at a glance."""


@dataclass(frozen=True)
class LabSearch:
    words: str = ""
    topic: str = ""

    @classmethod
    def of(cls, query: dict[str, str]) -> "LabSearch":
        """From an address's query; what is none of ours is ignored."""
        return cls(query.get("q", "").strip()[:WORDS_CHARS_MAX], query.get("topic", "")[:WORDS_CHARS_MAX])

    def found(self, cards: list[LabCard]) -> list[LabCard]:
        """All words, in any order, anywhere in what the card says. A lab that is running is always there."""
        wanted = self.words.lower().split()
        return [
            card for card in cards
            if card.unfinished or (self._fits_topic(card) and all(word in text_of(card) for word in wanted))
        ]

    def _fits_topic(self, card: LabCard) -> bool:
        return not self.topic or (card.lab is not None and card.lab.spec.topic.value == self.topic)

    @property
    def query(self) -> str:
        """As an address has it; '' for everything."""
        return urlencode({name: value for name, value in (("q", self.words), ("topic", self.topic)) if value})


def topics_of(cards: list[LabCard]) -> list[str]:
    """In the order in which they first appear."""
    return list(dict.fromkeys(card.lab.spec.topic.value for card in cards if card.lab is not None))


def text_of(card: LabCard) -> str:
    if card.lab is None:
        return card.id.lower()
    spec = card.lab.spec
    steps = " ".join(step.title for step in spec.steps)
    return f"{spec.id} {spec.title} {spec.summary} {spec.topic.value} {spec.level} {steps}".lower()
