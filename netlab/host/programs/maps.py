"""The maps of a run's programs as its attendee is shown them: found by attached programs and pins, read, decoded. By the engine.

It reads bytes by id and decodes them with layouts that a process without rights has made; on a host it parses nothing of an
attendee's, and opens no file of theirs but pins (`bpf.read_pins`).
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from netlab.domain.lab import ProgramSpec
from netlab.host.kernel import bpf, bpf_maps
from netlab.host.kernel.bpf import MapInfo
from netlab.host.kernel.bpf_maps import Entries, Entry
from netlab.host.programs import btf_maps
from netlab.host.programs.btf import ObjectError
from netlab.host.programs.map_layouts import LayoutField, MapLayout, MapLayouts, decode, in_hex, map_layouts
from netlab.wire.events import Attachment
from netlab.wire.maps import FIELDS_MAX, MAPS_MAX, ROWS_MAX, SeenMap

ARRAY_READ_MAX = 4096
HASH_READ_MAX = 512
SHORT_ARRAY = 16
"""Of a longer one only what is not zero is shown."""
CELLS_MAX = 2048
"""Of all maps of a run together: a page is told of them every second."""

TYPES = {
    1: "hash", 2: "array", 3: "prog_array", 5: "percpu_hash", 6: "percpu_array", 9: "lru_hash", 10: "lru_percpu_hash",
    11: "lpm_trie", 12: "array_of_maps", 13: "hash_of_maps", 14: "devmap", 15: "sockmap", 16: "cpumap", 17: "xskmap",
    22: "queue", 23: "stack", 25: "devmap_hash", 27: "ringbuf", 30: "bloom_filter",
}
"""enum bpf_map_type of include/uapi/linux/bpf.h, as bpftool calls them."""
NO_ENTRIES = "A map of type {type} hands out what is in it; there are no entries to look at."
UNREADABLE = "Its entries cannot be read: {reason}."


def read_maps(
    bpffs: Mapping[str, Path | None], attachments: Sequence[Attachment], programs: Sequence[ProgramSpec],
    layouts: Mapping[str, MapLayouts], *, own_kernel: bool = False,
) -> tuple[list[SeenMap], int]:
    """Blocking: run it in a thread. `bpffs` names the run's nodes. Also how many maps are left out.

    `own_kernel`: this is the attendee's own machine, so types that they gave a map (bcc does) may be read, too.
    """
    seen: list[SeenMap] = []
    more, cells = 0, CELLS_MAX
    for node, place in bpffs.items():
        pins = bpf.read_pins(place).maps if place else {}
        here = [a for a in attachments if a.node == node]
        ids = sorted({*pins, *(number for a in here for number in _maps_of(a.program_id))})
        attached = {a.name for a in here}
        owners = sorted((p for p in programs if p.attach.node == node), key=lambda p: p.function not in attached)
        for number in ids:
            if len(seen) >= MAPS_MAX:
                more += 1
                continue
            try:
                found = _read(number, pins.get(number, ""), node, owners, layouts, cells, own_kernel)
            except FileNotFoundError:  # nobody holds it any more
                continue
            if found is not None:
                cells -= sum(map(len, found.rows))
                seen.append(found)
    return seen, more


def _maps_of(program_id: int) -> tuple[int, ...]:
    try:
        return bpf.program_info(program_id).map_ids
    except FileNotFoundError:  # detached in the meantime
        return ()


def _read(
    number: int, pin: str, node: str, owners: Sequence[ProgramSpec], layouts: Mapping[str, MapLayouts], cells: int,
    own_kernel: bool,
) -> SeenMap | None:
    """None: the compiler's own constants."""
    info = bpf.map_info(number)
    name, program, layout = _layout(pin or info.name, info, owners, layouts)
    if layout is None and info.flags & bpf.BPF_F_RDONLY_PROG:
        return None
    if layout is None and own_kernel and (told := _told_layout(number)) is not None and told.fits(info):
        layout = told
    key, value = (layout.key, layout.value) if layout else _hex(info)
    key, value = key[:FIELDS_MAX], value[:FIELDS_MAX]
    seen = SeenMap(
        id=info.id, node=node, name=name[:160], type=TYPES.get(info.type, f"type {info.type}"), program=program,
        per_cpu=info.per_cpu, max_entries=info.max_entries, key=[f.shown for f in key], value=[f.shown for f in value], rows=[],
    )
    is_array = info.type in bpf.ARRAY_TYPES
    try:
        _, entries = bpf_maps.read(number, ARRAY_READ_MAX if is_array else HASH_READ_MAX)
    except FileNotFoundError:
        raise
    except OSError as error:
        has_none = info.type in bpf.RING_BUFFER_TYPES or not info.key_bytes
        note = NO_ENTRIES.format(type=seen.type) if has_none else UNREADABLE.format(reason=error.strerror)
        return seen.model_copy(update={"note": note})
    return seen.model_copy(update=_rows(entries, is_array, key, value, min(ROWS_MAX, cells // max(1, len(key) + len(value)))))


def _rows(
    entries: Entries, is_array: bool, key: Sequence[LayoutField], value: Sequence[LayoutField], limit: int
) -> dict[str, object]:
    found = list({entry.key: entry for entry in entries.found}.values())
    zeros = 0
    if is_array and len(found) > SHORT_ARRAY:
        shown = [entry for entry in found if any(map(any, entry.copies))]
        zeros, found = len(found) - len(shown), shown
    found.sort(key=_order)
    rows = [[*decode(key, [entry.key]), *decode(value, entry.copies)] for entry in found[:limit]]
    return {"rows": rows, "zeros": zeros, "more": len(found) - len(rows), "unread": not entries.all}


def _order(entry: Entry) -> tuple[int, bytes]:
    """Numbers by their value, all else byte by byte."""
    return (int.from_bytes(entry.key, "little"), b"") if len(entry.key) <= 8 else (0, entry.key)


def _layout(
    name: str, info: MapInfo, owners: Sequence[ProgramSpec], layouts: Mapping[str, MapLayouts]
) -> tuple[str, str, MapLayout | None]:
    """Its name, and the program that was built with such a map; one that is attached goes first.

    With a token libbpf 1.5 gives maps no names: one without pin is known by its type and sizes, if there is only one such.
    """
    for program in owners:
        built = layouts.get(program.name, {}).items()
        if name:
            found = [(called, layout) for called, layout in built if _same_name(called, name) and layout.fits(info)]
        else:
            found = [(called, layout) for called, layout in built if layout.is_all_of(info)]
        if len(found) == 1 or (found and name):
            return name or found[0][0], program.name, found[0][1]
    return name, "", None


@lru_cache(maxsize=64)
def _told_layout(number: int) -> MapLayout | None:
    """By the types that the map itself was made with. Raises FileNotFoundError when it has gone."""
    types = bpf.map_types(number)
    if types is None:
        return None
    try:
        return map_layouts({"": btf_maps.read_sides(*types)}).get("")
    except ObjectError:  # of a kind that is not known here
        return None


def _same_name(called: str, name: str) -> bool:
    """The kernel cuts names; the maps of global variables are called after their object: 'parse.bss', pinned 'parse_bss'."""
    if called.startswith("."):
        return name.endswith((called, called.replace(".", "_")))
    return bool(name) and called[: bpf.NAME_CHARS_MAX] == name[: bpf.NAME_CHARS_MAX]


def _hex(info: MapInfo) -> tuple[list[LayoutField], list[LayoutField]]:
    return in_hex("", info.key_bytes), in_hex("on CPU 0" if info.per_cpu else "", info.value_bytes)
