"""What browsers are shown of an attendee's BPF maps: fields with their names, rows of cells. Used in the event `maps`.

A cell is a number, or text where a number would not do: names of enums, addresses, bytes in hex, and numbers that JavaScript
cannot hold exactly, in digits.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

EXACT_MAX = 1 << 53
"""JavaScript counts up to here."""
MAPS_MAX = 16
ROWS_MAX = 64
FIELDS_MAX = 48

FieldKind = Literal["unsigned", "signed", "bool", "big", "ipv4", "ipv6", "mac", "text", "hex"]
"""`big` is a big-endian number. `hex` is what nobody knows more of."""
Cell = int | Annotated[str, Field(max_length=160)]


class MapField(BaseModel):
    """A column. `name` is empty when the key or value is no struct. `counts`: a whole number that may be a counter."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(max_length=160)
    kind: FieldKind
    counts: bool = False


class SeenMap(BaseModel):
    """A map as it was when it was read. Each row has the cells of `key`, then those of `value`; per-CPU values are sums."""

    id: int
    node: str
    name: str = Field(max_length=160)
    """Empty when nobody has given it one."""
    type: str = Field(max_length=40)
    program: str = Field(default="", max_length=64)
    """The lab's program whose object says what it holds; empty: nobody does, so it is shown in hex."""
    per_cpu: bool = False
    max_entries: int
    key: list[MapField] = Field(max_length=FIELDS_MAX)
    value: list[MapField] = Field(max_length=FIELDS_MAX)
    rows: list[list[Cell]] = Field(max_length=ROWS_MAX)
    zeros: int = 0
    """Elements of an array that are all zero and left out."""
    more: int = 0
    """Entries that were read and are not among the rows."""
    unread: bool = False
    """There may be more than were read."""
    note: str = Field(default="", max_length=200)
    """Why there are no rows, as a sentence."""

    @model_validator(mode="after")
    def _rows_fit(self) -> "SeenMap":
        if any(len(row) != len(self.key) + len(self.value) for row in self.rows):
            raise ValueError("a row has a cell for each field")
        return self
