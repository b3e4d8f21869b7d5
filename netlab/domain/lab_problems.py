"""What is wrong with a lab's files, in an author's words: pydantic's errors -> file, line, column, sentence, way out.

Used by `lab_file`. It knows the models' shape (so that an unknown key names the nearest known one), never a file system.
"""

import difflib
import re
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from netlab.domain.yaml_text import Document, Loc


@dataclass(frozen=True, order=True)
class LabProblem:
    """One mistake. `file` is relative to the lab's folder; `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    what: str
    fix: str = ""

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}:{self.column}: {self.what}"
        return f"{text} ({self.fix})" if self.fix else text


class LabProblems(Exception):
    """A lab that cannot be used: everything that is wrong with it, in the order of its files."""

    def __init__(self, problems: Iterable[LabProblem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(map(str, self.problems)))


PATTERN_WORDS = {
    r"^[a-z0-9]+(-[a-z0-9]+)*$": "small letters and digits, in words joined by single dashes",
    r"^[a-z][a-z0-9-]*$": "a small letter, then small letters, digits and dashes",
    r"^[a-z][a-z0-9._-]*$": "a small letter, then small letters, digits, dots, dashes and underscores",
    r"^[a-z][a-z0-9_-]*$": "a small letter, then small letters, digits, dashes and underscores",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "the name of a C function",
    r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$": "a relative path whose parts do not begin with a dot",
    r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$": "a MAC address in small letters, like 02:00:00:00:00:01",
    r"^[a-z][a-z0-9_]*$": "a small letter, then small letters, digits and underscores",
    r"^net\.[a-zA-Z0-9_.-]+$": "a sysctl that begins with net., like net.ipv4.ip_forward",
}


def problems_of(error: ValidationError, model: type[BaseModel], document: Document, file: str) -> Iterator[LabProblem]:
    """Each mistake once: the members of a union that all refuse one value become one sentence."""
    merged: dict[tuple[Loc, bool], list[tuple[str, str]]] = {}
    for item in error.errors(include_url=False, include_input=True):
        loc, owner = _without_tags(model, item["loc"])
        sentence = _sentence(item, owner)
        if item["type"] == "union_tag_invalid":
            loc = (*loc, _discriminator(item["ctx"]))
        if item["type"] == "missing":
            place = document.place_of_value(loc[:-1])
            yield LabProblem(file, place.line, place.column, *sentence)
            continue
        said = merged.setdefault((loc, item["type"] == "extra_forbidden"), [])
        if sentence not in said:
            said.append(sentence)
    for (loc, on_key), sentences in merged.items():
        place = document.place_of_key(loc) if on_key else document.place_of_value(loc)
        what = ", or ".join(what for what, _ in sentences)
        yield LabProblem(file, place.line, place.column, what, next((fix for _, fix in sentences if fix), ""))


def nearest(word: str, known: Sequence[str]) -> str:
    """'did you mean X?' when something is near, else the list."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(sorted(known))}" if known else ""


def _sentence(item: Mapping[str, Any], owner: type[BaseModel] | None) -> tuple[str, str]:
    """(what, fix) of one of pydantic's errors."""
    context = item.get("ctx", {})
    last = str(item["loc"][-1]) if item["loc"] else ""
    match item["type"]:
        case "extra_forbidden":
            return f"unknown key {last}", nearest(last, list(owner.model_fields) if owner else [])
        case "missing":
            return f"{last} is missing", f"add {last}:"
        case "string_pattern_mismatch":
            words = PATTERN_WORDS.get(str(context.get("pattern")), "another form")
            return f"{_short(item['input'])} is not allowed here", f"write {words}"
        case "union_tag_invalid":
            expected = re.findall(r"'([^']+)'", str(context.get("expected_tags")))
            return f"{context.get('tag')} is not a {_discriminator(context)}", nearest(str(context.get("tag")), expected)
        case "union_tag_not_found":
            return f"{_discriminator(context)} is missing", "it says which kind this is"
        case "enum" | "literal_error":
            expected = re.findall(r"'([^']+)'", str(context.get("expected")))
            return f"{_short(item['input'])} is not known here", nearest(str(item["input"]), expected)
        case "value_error":
            return str(context.get("error", item["msg"])), ""
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{_short(item['input'])} where keys and values belong", "write key: value, one a line"
        case "list_type" | "tuple_type":
            return f"{_short(item['input'])} where a list belongs", "write - item, one a line"
    message = str(item["msg"]).replace("Input should be", "should be").replace("String should", "should")
    message = message.replace("List should", "should").replace(" after validation", "").replace(" ,", ",").strip()
    return f"{_short(item['input'])} {message}" if message.startswith("should") else message[:1].lower() + message[1:], ""


def _discriminator(context: Mapping[str, Any]) -> str:
    return str(context.get("discriminator", "kind")).strip("'")


def _short(value: object) -> str:
    if isinstance(value, dict | list | tuple):
        return "this"
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _without_tags(model: type[BaseModel], loc: Sequence[str | int]) -> tuple[Loc, type[BaseModel] | None]:
    """pydantic's path without the names of union members, and the model to which its last part belongs."""
    path: list[str | int] = []
    kind: Any = model
    owner: type[BaseModel] | None = None
    parts = list(loc)
    while parts:
        kind, parts = _through_unions(kind, parts)
        if not parts:
            break
        part = parts.pop(0)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            owner = kind
            path.append(part)
            info: FieldInfo | None = kind.model_fields.get(str(part))
            kind = _annotation(info) if info else None
        elif get_origin(kind) in (list, tuple):
            owner = None
            path.append(part)
            kind = _item_kind(kind, part)
        elif get_origin(kind) is dict:
            owner = None
            path.append(part)
            kind = get_args(kind)[1]
            parts = [p for p in parts if p != "[key]"]
        else:
            break  # names of the members of a plain union
    return tuple(path), owner


def _annotation(info: FieldInfo) -> Any:
    if info.discriminator:
        return Annotated[info.annotation, info]
    return info.annotation


def _item_kind(kind: Any, at: str | int) -> Any:
    members = get_args(kind)
    if get_origin(kind) is tuple and isinstance(at, int) and at < len(members):
        return members[at]
    return members[0]


def _through_unions(kind: Any, parts: list[str | int]) -> tuple[Any, list[str | int]]:
    """Past Annotated and Optional; a tag of a discriminated union is taken off the path."""
    discriminator: str | None = None
    while get_origin(kind) is Annotated:
        inner, *extras = get_args(kind)
        named = (e.discriminator for e in extras if isinstance(e, FieldInfo))
        discriminator = next((d for d in named if isinstance(d, str)), discriminator)
        kind = inner
    if get_origin(kind) not in (Union, types.UnionType):
        return kind, parts
    members = [m for m in get_args(kind) if m is not type(None)]
    if len(members) == 1:
        return _through_unions(members[0], parts)
    if discriminator is None or not parts:
        return None, parts
    for member in members:
        tag_field = member.model_fields[discriminator]
        if get_origin(tag_field.annotation) is Literal and get_args(tag_field.annotation)[0] == parts[0]:
            return member, parts[1:]
    return None, parts
