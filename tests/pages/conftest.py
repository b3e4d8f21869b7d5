"""The same people and workshops as in the web's tests, with a reader of HTML."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

from django.http import HttpResponse
from django.http.response import HttpResponseBase

from tests.web.conftest import (  # noqa: F401
    FakeHost,
    _database,
    attendee,
    host,
    instructor,
    operator,
    other_attendee,
    other_instructor,
    other_workshop,
    workshop,
)


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]


@dataclass
class Html(HTMLParser):
    """What a page holds: its elements, and its text without scripts."""

    elements: list[Element] = field(default_factory=list)
    text: str = ""
    inline_scripts: list[str] = field(default_factory=list)
    _script: Element | None = None

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag == "script":
            self._script = element

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._script = None

    def handle_data(self, data: str) -> None:
        if self._script is None:
            self.text += data
        elif data.strip() and self._script.attributes.get("type") != "application/json":
            self.inline_scripts.append(data)

    def all(self, tag: str) -> list[Element]:
        return [e for e in self.elements if e.tag == tag]

    def field(self, name: str) -> Element:
        return next(e for e in self.elements if e.tag in ("input", "textarea", "select") and e.attributes.get("name") == name)

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


def read(response: HttpResponseBase) -> Html:
    assert isinstance(response, HttpResponse)
    html = Html()
    html.feed(response.content.decode())
    return html
