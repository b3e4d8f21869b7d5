"""What one look at an object gives: its counters' names and their values, in one order. Used by all readers of a node; pure."""

from typing import NamedTuple

from netlab.wire.counters import Counter


class Slow(NamedTuple):
    """One object's counters and their values. (object, kind) names it within its node."""

    object: str
    kind: str
    names: tuple[tuple[str, str], ...]
    """(name, unit) each."""
    values: tuple[int, ...]

    def counters(self, node: str) -> list[Counter]:
        return [Counter(node=node, object=self.object, kind=self.kind, name=name, unit=unit) for name, unit in self.names]
