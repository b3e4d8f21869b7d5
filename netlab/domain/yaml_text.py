"""YAML 1.2 text -> plain values with the line and column of every key and value. Called by `lab_file` alone.

It composes ruamel's node tree and converts it itself: so duplicated keys are all found, aliases cost what they expand
to (and that is bounded), and no tag can ever construct anything.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

VALUES_MAX = 20_000
"""Far above any lab; below what a handful of nested aliases expands to."""
DEPTH_MAX = 20
FLOW_OPENERS_MAX = 2_000
"""Brackets in a whole file; the scanner recurses on them before anything else can count."""
_PREFIX = "tag:yaml.org,2002:"

Loc = tuple[str | int, ...]


@dataclass(frozen=True)
class Place:
    """A position in a file as editors show it: both from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class TextProblem:
    place: Place
    what: str
    fix: str = ""


@dataclass
class Document:
    """A file's value and where each part of it stands."""

    value: object = None
    problems: list[TextProblem] = field(default_factory=list)
    values: dict[Loc, Place] = field(default_factory=dict)
    keys: dict[Loc, Place] = field(default_factory=dict)

    def place_of_value(self, loc: Iterable[str | int]) -> Place:
        """Where the value at `loc` begins; the nearest enclosing one when there is none."""
        path = tuple(loc)
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, Place(1, 1))

    def place_of_key(self, loc: Iterable[str | int]) -> Place:
        """Where the key (or list item) at `loc` begins."""
        path = tuple(loc)
        return self.keys[path] if path in self.keys else self.place_of_value(path)


def read_yaml(text: str) -> Document:
    """Never raises for bad text: what is wrong is in `problems`, and `value` is what could be read."""
    document = Document()
    if sum(map(text.count, "[{")) > FLOW_OPENERS_MAX:
        document.problems.append(TextProblem(Place(1, 1), f"more than {FLOW_OPENERS_MAX} brackets", "write lists as lines"))
        return document
    try:
        root = YAML(typ="rt", pure=True).compose(text)
        if root is not None:
            document.value = _Reader(document).read(root, (), frozenset())
    except _TooMuchError as error:
        document.problems.append(TextProblem(error.place, error.what, "write it out more plainly"))
    except MarkedYAMLError as error:
        document.problems.append(_syntax_problem(error))
    except ReaderError as error:
        before = text[: error.position]
        place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
        document.problems.append(TextProblem(place, "a character that YAML does not allow", "remove it"))
    except (YAMLError, RecursionError, ValueError) as error:
        document.problems.append(TextProblem(Place(1, 1), f"not YAML: {str(error)[:120] or 'nested too deep'}"))
    return document


class _TooMuchError(Exception):
    def __init__(self, place: Place, what: str) -> None:
        self.place, self.what = place, what
        super().__init__(what)


def _place(node: Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _syntax_problem(error: MarkedYAMLError) -> TextProblem:
    mark = error.problem_mark or error.context_mark
    place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
    what = " ".join(part for part in (error.context, error.problem) if part) or "not YAML"
    tab = "'\\t'" in what
    fix = "indent with spaces, never with tabs" if tab else "compare the indentation and the quotes with the lines above"
    return TextProblem(place, what, fix)


class _Reader:
    def __init__(self, document: Document) -> None:
        self._out = document
        self._count = 0

    def read(self, node: Node, loc: Loc, inside: frozenset[int]) -> object:
        self._count += 1
        if self._count > VALUES_MAX:
            raise _TooMuchError(_place(node), f"more than {VALUES_MAX} values (aliases count each time they are used)")
        if id(node) in inside:
            raise _TooMuchError(_place(node), "an alias that contains itself")
        if len(loc) > DEPTH_MAX:
            raise _TooMuchError(_place(node), f"nested deeper than {DEPTH_MAX}")
        self._out.values[loc] = _place(node)
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        self._check_tag(node, "map" if isinstance(node, MappingNode) else "seq")
        inside |= {id(node)}
        if isinstance(node, SequenceNode):
            return [self.read(item, (*loc, at), inside) for at, item in enumerate(node.value)]
        return self._mapping(node, loc, inside)

    def _mapping(self, node: Node, loc: Loc, inside: frozenset[int]) -> dict[str, object]:
        out: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value) if isinstance(key_node, ScalarNode) else ""
            if not isinstance(key_node, ScalarNode):
                self._problem(key_node, "a key that is not a word", "write key: value")
            elif key_node.tag == _PREFIX + "merge":
                self._problem(key_node, "merge keys (<<) are not read", "repeat the keys")
            elif key in out:
                first = self._out.keys[(*loc, key)].line
                self._problem(key_node, f"{key} is there twice", f"the first one is on line {first}; keep one")
            else:
                self._out.keys[(*loc, key)] = _place(key_node)
                out[key] = self.read(value_node, (*loc, key), inside)
        return out

    def _scalar(self, node: Node) -> object:
        tag, text = str(node.tag).removeprefix(_PREFIX), str(node.value)
        try:
            match tag:
                case "null":
                    return None
                case "bool":
                    return text.lower() == "true"
                case "int":
                    return int(text.replace("_", ""), 0 if re.match(r"[-+]?0[xob]", text) else 10)
                case "float":
                    return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
                case "str" | "timestamp":
                    return text
        except ValueError:
            return text
        self._check_tag(node, "str")
        return text

    def _check_tag(self, node: Node, usual: str) -> None:
        if node.tag not in (_PREFIX + usual, "!", None):
            self._problem(node, f"the tag {node.tag} means nothing here", "remove it")

    def _problem(self, node: Node, what: str, fix: str) -> None:
        self._out.problems.append(TextProblem(_place(node), what, fix))
