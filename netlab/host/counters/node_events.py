"""One node's drops, events and page pools, named: from a slot of numbers to counters. Used by the node's sampler.

A counter appears when it has happened for the first time; there are never more than the slot has rows and events. What it
cannot name (a device that has gone, a reason of a newer kernel) it shows as it is.
"""

import fcntl
import socket
import struct
from typing import NamedTuple

from netlab.domain.drop_reasons import GENERIC_XDP_PLACES, NOT_SPECIFIED, OTHER, drop_name, is_hidden, label
from netlab.domain.event_words import EVENT_WORDS, PAGE_POOL_WORDS
from netlab.host.counters.slots import EVENTS, PAGE_POOL_HOLD, PAGE_POOL_RELEASE, ROWS, Row, Slot
from netlab.wire.counters import Counter

SIOCGIFNAME = 0x8910
_IFREQ = struct.Struct("=16si20x")
CROWDED_ROWS = ROWS * 3 // 4
"""Beyond it, what is known of devices that have gone is forgotten."""
HOLD, RELEASE, IN_FLIGHT = PAGE_POOL_WORDS
SIDES = {PAGE_POOL_HOLD: HOLD, PAGE_POOL_RELEASE: RELEASE}


class Key(NamedTuple):
    """A counter of the node."""

    object: str
    kind: str
    name: str


class NodeEvents:
    """`sock` is any socket of the node's namespace."""

    def __init__(self, slot: Slot, sock: socket.socket) -> None:
        self._slot, self._sock = slot, sock
        self._changes = -1
        self._names: dict[int, str] = {}
        self._known: dict[tuple[int, int, int], Key | None] = {}
        """What a row (its device, reason, place) is called."""
        self._now: dict[Key, int] = {}
        self.keys: tuple[Key, ...] = ()
        """Every counter there is, in the order in which they have first been seen."""
        self.values: list[int] = []
        """In the same order."""

    def close(self) -> None:
        self._slot.release()

    def look(self) -> None:
        """Bring `keys` and `values` up to now; costs next to nothing while nothing happens."""
        changes = self._slot.changes()
        if changes == self._changes:
            return
        self._changes = changes
        for name, count in zip(EVENTS, self._slot.events(), strict=True):
            if count:
                self._now[Key("", "event", name)] = count
        rows = self._slot.rows()
        found = self._named(rows, self._slot.without_row())
        for key in [key for key in self._now if key.kind != "event" and key not in found]:
            del self._now[key]
        self._now |= found
        if self.keys != (keys := tuple(self._now)):
            self.keys = keys
        self.values = list(self._now.values())
        if len(rows) > CROWDED_ROWS:
            self._forget_gone(rows)

    def devices_changed(self) -> None:
        """Names may mean other devices now."""
        self._names = {index: now for index, name in self._names.items() if (now := self._ask(index) or name)}
        self._known.clear()
        self._changes = -1

    def counters(self, node: str) -> tuple[Counter, ...]:
        """What `keys` are."""
        return tuple(_counter(node, key) for key in self.keys)

    def generic_drops(self, ifindex: int) -> int:
        """What XDP in generic mode has dropped of what this device received."""
        return sum(
            row.times for row in self._slot.rows()
            if row.ifindex == ifindex and row.what not in SIDES and self._slot.place(row.place) in GENERIC_XDP_PLACES
            and self._slot.reason(row.what) == NOT_SPECIFIED
        )  # fmt: skip

    def _named(self, rows: list[Row], without_row: int) -> dict[Key, int]:
        found: dict[Key, int] = {}
        for row in rows:
            what = row[:3]
            if what not in self._known:
                self._known[what] = self._key(row)
            key = self._known[what]
            if key is not None:
                found[key] = found.get(key, 0) + row.times
        for key in [key for key in found if key.name == HOLD]:
            released = found.setdefault(key._replace(name=RELEASE), 0)
            found[key._replace(name=IN_FLIGHT)] = max(0, found[key] - released)
        if without_row:
            found[Key("", "drop", OTHER)] = without_row
        return found

    def _key(self, row: Row) -> Key | None:
        """None for what happens all the time and means nothing."""
        if row.what in SIDES:
            return Key(self._name(row.ifindex), "page_pool", SIDES[row.what])
        reason, place = self._slot.reason(row.what), self._slot.place(row.place)
        return None if is_hidden(reason, place) else Key(self._name(row.ifindex), "drop", drop_name(reason, place))

    def _name(self, ifindex: int) -> str:
        if ifindex and ifindex not in self._names:
            self._names[ifindex] = self._ask(ifindex)
        return self._names.get(ifindex, "")

    def _ask(self, ifindex: int) -> str:
        """'' for a device that has gone. Takes no lock that others hold for long."""
        try:
            answer = fcntl.ioctl(self._sock, SIOCGIFNAME, _IFREQ.pack(b"", ifindex))
        except OSError:
            return ""
        return answer[:16].split(b"\0")[0].decode("utf-8", errors="backslashreplace")

    def _forget_gone(self, rows: list[Row]) -> None:
        gone = {index for index in {row.ifindex for row in rows} if index and not self._ask(index)}
        if gone:
            self._slot.forget(gone)
            self._names = {index: name for index, name in self._names.items() if index not in gone}
            self._known.clear()


def _counter(node: str, key: Key) -> Counter:
    if key.kind == "drop":
        unit, words = "packets", label(key.name)
    else:
        unit, words = (EVENT_WORDS if key.kind == "event" else PAGE_POOL_WORDS)[key.name]
    reckoned = key.name == IN_FLIGHT
    return Counter(node=node, object=key.object, kind=key.kind, name=key.name, unit=unit, derived=reckoned, words=words)
