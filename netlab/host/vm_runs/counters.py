"""A guest's counters on their way up: checked by merging them as every reader will, and given schema versions of the host's.

Held by a run's `Conversation`. Web processes add a guest's numbers up and browsers draw them, so what does not add up ends
here. Versions are the host's, because each clone of a template counts its schemas from the same one.
"""

import math

import msgpack
from pydantic import ValidationError

from netlab.host.counters.schema import next_version
from netlab.wire.counters import DELTA, FULL, CounterSchema, full_body

COUNTERS_MAX = 5000
NAME_CHARS_MAX = 80
WORDS_CHARS_MAX = 200
SCHEMA_BYTES_MAX = 1 << 20
VALUE_MAX = 1 << 62
_UNPACK_LIMITS = {"max_array_len": 2 * COUNTERS_MAX, "max_map_len": 0, "max_ext_len": 0}
BODY_BYTES_MAX = 20 * COUNTERS_MAX
"""An index and a difference for each."""


class GuestCounters:
    """Every method raises ValueError for what is no counter."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._guests_version = -1
        self._version = 0
        self._count = 0
        self._values: list[int] = []

    def schema(self, data: object) -> CounterSchema:
        if not isinstance(data, str | bytes) or len(data) > SCHEMA_BYTES_MAX:
            raise ValueError("a schema is JSON of bounded length")
        try:
            schema = CounterSchema.model_validate_json(data)
        except ValidationError as error:
            raise ValueError("no schema") from error
        names = (name for c in schema.counters for name in (c.node, c.object, c.kind, c.name, c.unit))
        too_long = any(len(name) > NAME_CHARS_MAX for name in names)
        if len(schema.counters) > COUNTERS_MAX or too_long or any(len(c.words) > WORDS_CHARS_MAX for c in schema.counters):
            raise ValueError("a schema out of bounds")
        self._guests_version, self._version = schema.version, next_version(self._version)
        self._count, self._values = len(schema.counters), []
        return schema.model_copy(update={"run": self._run, "version": self._version})

    def body(self, data: object) -> bytes | None:
        """One tick, under the host's version; None for one of an older schema, or a delta to what nobody has."""
        kind, sampled_at, numbers = self._unpack(data)
        if kind < 0:
            return None
        if kind == FULL:
            self._values = numbers
        elif not self._values:
            return None
        else:
            self._add(numbers)
        packed: bytes = msgpack.packb([kind, self._version, sampled_at, numbers])
        return packed

    def history(self, data: object) -> bytes | None:
        kind, sampled_at, numbers = self._unpack(data)
        return full_body(self._version, sampled_at, numbers) if kind == FULL else None

    def _unpack(self, data: object) -> tuple[int, float, list[int]]:
        """(kind, time, numbers), the kind -1 when they are of another schema."""
        if not isinstance(data, bytes) or len(data) > BODY_BYTES_MAX:
            raise ValueError("a body is bytes, of bounded length")
        try:
            kind, version, sampled_at, numbers = msgpack.unpackb(data, **_UNPACK_LIMITS)
        except (msgpack.UnpackException, TypeError) as error:
            raise ValueError("no body") from error
        if type(kind) is not int or kind not in (FULL, DELTA) or type(sampled_at) is not float or not math.isfinite(sampled_at):
            raise ValueError("no body")
        if version != self._guests_version:
            return -1, 0.0, []
        if not isinstance(numbers, list) or not all(type(n) is int for n in numbers):
            raise ValueError("numbers")
        if kind == FULL and (len(numbers) != self._count or not all(0 <= n <= VALUE_MAX for n in numbers)):
            raise ValueError("values out of bounds")
        return kind, sampled_at, numbers

    def _add(self, pairs: list[int]) -> None:
        if len(pairs) % 2:
            raise ValueError("an index without a difference")
        for at in range(0, len(pairs), 2):
            index, difference = pairs[at], pairs[at + 1]
            if not 0 <= index < self._count or not 0 <= self._values[index] + difference <= VALUE_MAX:
                raise ValueError("a difference out of bounds")
            self._values[index] += difference
