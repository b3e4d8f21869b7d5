"""bpf(2) by hand: what is known of a loaded program or map, by its id. Called by `programs` and `checks`, as the host's root.

It asks, and takes off what is attached by tcx: nothing is loaded, written or pinned here, no attendee's object is parsed.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

_SYSCALL = {"x86_64": 321, "aarch64": 280}[platform.machine()]
MAP_LOOKUP_ELEM, MAP_GET_NEXT_KEY, OBJ_GET = 1, 4, 7
PROG_GET_NEXT_ID, MAP_GET_NEXT_ID, PROG_GET_FD_BY_ID, MAP_GET_FD_BY_ID, OBJ_GET_INFO_BY_FD = 11, 12, 13, 14, 15
PROG_DETACH, PROG_QUERY, LINK_GET_FD_BY_ID, LINK_GET_NEXT_ID, LINK_DETACH = 9, 16, 30, 31, 34
ENABLE_STATS, STATS_RUN_TIME = 32, 0
BTF_GET_FD_BY_ID = 19
MAP_TYPES_AT = 64
"""struct bpf_map_info: btf_id, btf_key_type_id, btf_value_type_id."""
BTF_BYTES_MAX = 1 << 18
RUN_TIME_AT = 192
"""struct bpf_prog_info: run_time_ns, then run_cnt."""
TCX = {"tc-ingress": 46, "tc-egress": 47}
"""BPF_TCX_INGRESS, BPF_TCX_EGRESS"""
TCX_MAX = 64
ATTR_BYTES = 128
INFO_BYTES = 256
MAP_IDS_MAX = 64
PINS_MAX = 256
NAME_CHARS_MAX = 15
"""BPF_OBJ_NAME_LEN - 1: longer names of programs and maps are cut."""
PER_CPU_TYPES = frozenset({5, 6, 10, 21})
"""percpu_hash, percpu_array, lru_percpu_hash, percpu_cgroup_storage (include/uapi/linux/bpf.h)."""
ARRAY_TYPES = frozenset({2, 6})
RING_BUFFER_TYPES = frozenset({26, 27, 31})
BPF_F_RDONLY_PROG = 1 << 7
INSTRUCTION_BYTES = 8

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class ProgramInfo:
    id: int
    type: int
    name: str
    instructions: int
    """After the kernel's own rewriting."""
    map_ids: tuple[int, ...]


@dataclass(frozen=True)
class MapInfo:
    id: int
    type: int
    name: str
    key_bytes: int
    value_bytes: int
    max_entries: int
    flags: int = 0

    @property
    def per_cpu(self) -> bool:
        return self.type in PER_CPU_TYPES


def call(command: int, attr: "ctypes.Array[ctypes.c_char]") -> int:
    result: int = _libc.syscall(_SYSCALL, command, attr, len(attr))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), f"bpf({command})")
    return result


def _attr(packed: bytes) -> "ctypes.Array[ctypes.c_char]":
    return ctypes.create_string_buffer(packed, ATTR_BYTES)


@contextmanager
def _by_id(command: int, number: int) -> Iterator[int]:
    """A descriptor for an id. Raises FileNotFoundError when the object has gone."""
    fd = call(command, _attr(struct.pack("=I", number)))
    try:
        yield fd
    finally:
        os.close(fd)


def _info(fd: int, begin: bytes = b"") -> bytes:
    buffer = ctypes.create_string_buffer(begin, INFO_BYTES)
    call(OBJ_GET_INFO_BY_FD, _attr(struct.pack("=IIQ", fd, INFO_BYTES, ctypes.addressof(buffer))))
    return buffer.raw


def program_info(program_id: int) -> ProgramInfo:
    """Raises FileNotFoundError when no such program is loaded."""
    ids = (ctypes.c_uint32 * MAP_IDS_MAX)()
    begin = struct.pack("=52xIQ", MAP_IDS_MAX, ctypes.addressof(ids))
    with _by_id(PROG_GET_FD_BY_ID, program_id) as fd:
        raw = _info(fd, begin)
    kind, number = struct.unpack_from("=II", raw)
    translated_bytes, maps = struct.unpack_from("=I", raw, 20)[0], struct.unpack_from("=I", raw, 52)[0]
    return ProgramInfo(number, kind, _name(raw, 64), translated_bytes // INSTRUCTION_BYTES, tuple(ids[: min(maps, MAP_IDS_MAX)]))


def newer_programs(after: int, limit: int) -> list[int]:
    """Ids of programs loaded after that one, at most so many: the kernel counts upwards. Raises OSError."""
    return _newer(PROG_GET_NEXT_ID, after, limit)


def newer_maps(after: int, limit: int) -> list[int]:
    """As `newer_programs`."""
    return _newer(MAP_GET_NEXT_ID, after, limit)


def newer_links(after: int, limit: int) -> list[int]:
    """As `newer_programs`: attachments that hold a descriptor, as tcx and XDP may have them."""
    return _newer(LINK_GET_NEXT_ID, after, limit)


def _newer(command: int, after: int, limit: int) -> list[int]:
    found: list[int] = []
    attr = _attr(struct.pack("=I", after))
    with suppress(FileNotFoundError):  # that was the last
        while len(found) < limit:
            call(command, attr)
            (after,) = struct.unpack_from("=I", attr, 4)
            found.append(after)
            struct.pack_into("=I", attr, 0, after)
    return found


def program_runs(program_id: int) -> tuple[str, int, int]:
    """(name, runs, ns in all of them) of what was measured since `enable_stats` was first held. Raises FileNotFoundError."""
    with _by_id(PROG_GET_FD_BY_ID, program_id) as fd:
        raw = _info(fd)
    nanoseconds, runs = struct.unpack_from("=QQ", raw, RUN_TIME_AT)
    return _name(raw, 64), runs, nanoseconds


def enable_stats() -> int:
    """While this descriptor is open the kernel measures every program. Raises OSError."""
    return call(ENABLE_STATS, _attr(struct.pack("=I", STATS_RUN_TIME)))


def tcx_programs(ifindex: int, hook: str) -> list[tuple[int, int]]:
    """(program id, link id or 0) in their order. The interface is one of the calling thread's network namespace.

    Empty on kernels without tcx (before 6.6). Raises OSError, ENODEV when the interface has gone.
    """
    programs, links = (ctypes.c_uint32 * TCX_MAX)(), (ctypes.c_uint32 * TCX_MAX)()
    attr = _attr(struct.pack(
        "=IIIIQI4xQQ", ifindex, TCX[hook], 0, 0, ctypes.addressof(programs), TCX_MAX, 0, ctypes.addressof(links),
    ))
    try:
        call(PROG_QUERY, attr)
    except FileNotFoundError:
        return []
    except OSError as error:
        if error.errno == errno.EINVAL:
            return []
        raise
    count = min(struct.unpack_from("=I", attr, 24)[0], TCX_MAX)
    return list(zip(programs[:count], links[:count], strict=True))


def detach_tcx(ifindex: int, hook: str) -> None:
    """All of them, whoever attached them; as for `tcx_programs`."""
    for program, link in tcx_programs(ifindex, hook):
        with suppress(FileNotFoundError):
            if link:
                with _by_id(LINK_GET_FD_BY_ID, link) as fd:
                    call(LINK_DETACH, _attr(struct.pack("=I", fd)))
            else:
                with _by_id(PROG_GET_FD_BY_ID, program) as fd:
                    call(PROG_DETACH, _attr(struct.pack("=III", ifindex, fd, TCX[hook])))


@contextmanager
def map_descriptor(map_id: int) -> Iterator[int]:
    """Raises FileNotFoundError when there is no such map."""
    with _by_id(MAP_GET_FD_BY_ID, map_id) as fd:
        yield fd


def map_info(map_id: int) -> MapInfo:
    """Raises FileNotFoundError when there is no such map."""
    with _by_id(MAP_GET_FD_BY_ID, map_id) as fd:
        return map_info_of(fd)


def map_info_of(fd: int) -> MapInfo:
    raw = _info(fd)
    kind, number, key_bytes, value_bytes, max_entries, flags = struct.unpack_from("=IIIIII", raw)
    return MapInfo(number, kind, _name(raw, 24), key_bytes, value_bytes, max_entries, flags)


def map_types(map_id: int) -> tuple[bytes, int, int] | None:
    """The types (BTF) that a map was made with, and which of them are its key's and its value's. None: it was made without.

    Raises FileNotFoundError when there is no such map.
    """
    with _by_id(MAP_GET_FD_BY_ID, map_id) as fd:
        types, key, value = struct.unpack_from("=III", _info(fd), MAP_TYPES_AT)
    if not types or not value:
        return None
    buffer = ctypes.create_string_buffer(BTF_BYTES_MAX)
    with _by_id(BTF_GET_FD_BY_ID, types) as fd:
        (size,) = struct.unpack_from("=I", _info(fd, struct.pack("=QI", ctypes.addressof(buffer), BTF_BYTES_MAX)), 8)
    return (buffer.raw[:size], key, value) if size <= BTF_BYTES_MAX else None


def _name(raw: bytes, offset: int) -> str:
    return raw[offset : offset + 16].split(b"\0", 1)[0].decode(errors="replace")


@dataclass(frozen=True)
class Pins:
    """File names of what is pinned in a BPF file system, by id."""

    programs: dict[int, str]
    maps: dict[int, str]


def read_pins(bpffs: Path) -> Pins:
    """Names that pins give: libbpf 1.5 leaves objects nameless when it loads with a token. At most PINS_MAX are read.

    The files are an attendee's: no symbolic link is followed, also none that appears meanwhile.
    """
    pins = Pins({}, {})
    room = PINS_MAX
    waiting: list[int] = []
    with suppress(FileNotFoundError):  # the node is just being reset
        waiting.append(os.open(bpffs, os.O_RDONLY | os.O_DIRECTORY))
    while waiting:
        with _closing(waiting.pop(0)) as folder:
            with os.scandir(folder) as found:
                entries = list(islice(found, room))  # never a listing of all: a link costs an attendee a kilobyte
            room -= len(entries)
            for entry in entries:
                with suppress(OSError):  # removed in the meantime, or something else by now
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder))
                        continue
                    with _closing(os.open(entry.name, os.O_PATH | os.O_NOFOLLOW, dir_fd=folder)) as pinned:
                        _note_pin(pinned, entry.name, pins)
    return pins


@contextmanager
def _closing(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)


def _note_pin(pinned: int, name: str, pins: Pins) -> None:
    path = ctypes.create_string_buffer(f"/proc/self/fd/{pinned}".encode())
    try:
        fd = call(OBJ_GET, _attr(struct.pack("=Q", ctypes.addressof(path))))
    except OSError:  # not an object: a symbolic link, progs.debug, ...
        return
    try:
        kind = os.readlink(f"/proc/self/fd/{fd}")
        if "bpf-prog" in kind:
            pins.programs[struct.unpack_from("=II", _info(fd))[1]] = name
        elif "bpf-map" in kind:
            pins.maps[map_info_of(fd).id] = name
    finally:
        os.close(fd)


def map_values(map_id: int, key: int | None, limit: int) -> list[list[int]]:
    """Values as numbers, one list an entry (one number a CPU for per-CPU maps); all entries, or only that of `key`.

    A value of more than 8 bytes is its first 8. At most `limit` entries are read. Raises OSError for maps that hold no
    values (ring buffers, devmaps of some kinds) and ValueError for a key that does not fit.
    """
    with _by_id(MAP_GET_FD_BY_ID, map_id) as fd:
        info = map_info_of(fd)
        if info.type in RING_BUFFER_TYPES or not info.key_bytes:
            raise OSError(errno.EOPNOTSUPP, "a map of this type has no entries to read")
        keys = _keys(fd, info, limit) if key is None else iter([_packed_key(key, info)])
        found = (_lookup(fd, info, one) for one in keys)
        return [numbers for numbers in found if numbers is not None]


def _packed_key(key: int, info: MapInfo) -> bytes:
    if info.key_bytes not in (1, 2, 4, 8):
        raise ValueError(f"keys of this map have {info.key_bytes} bytes; only 1, 2, 4 or 8 can be given as a number")
    try:
        return key.to_bytes(info.key_bytes, "little", signed=key < 0)
    except OverflowError as error:
        raise ValueError(f"{key} does not fit into a key of {info.key_bytes} bytes") from error


def _keys(fd: int, info: MapInfo, limit: int) -> Iterator[bytes]:
    here: ctypes.Array[ctypes.c_char] | None = None
    for _ in range(limit):
        following = ctypes.create_string_buffer(info.key_bytes)
        at = ctypes.addressof(here) if here is not None else 0
        try:
            call(MAP_GET_NEXT_KEY, _attr(struct.pack("=I4xQQ", fd, at, ctypes.addressof(following))))
        except FileNotFoundError:  # that was the last one
            return
        yield following.raw
        here = following


def _lookup(fd: int, info: MapInfo, key: bytes) -> list[int] | None:
    slot_bytes = (info.value_bytes + 7) // 8 * 8 if info.per_cpu else info.value_bytes
    copies = possible_cpus() if info.per_cpu else 1
    key_buffer = ctypes.create_string_buffer(key, info.key_bytes)
    value = ctypes.create_string_buffer(slot_bytes * copies)
    try:
        call(MAP_LOOKUP_ELEM, _attr(struct.pack("=I4xQQ", fd, ctypes.addressof(key_buffer), ctypes.addressof(value))))
    except FileNotFoundError:  # deleted in the meantime, or never there
        return None
    read_bytes = min(info.value_bytes, 8)
    return [int.from_bytes(value.raw[at : at + read_bytes], "little") for at in range(0, slot_bytes * copies, slot_bytes)]


@lru_cache
def possible_cpus() -> int:
    """How many copies a per-CPU value has."""
    last = Path("/sys/devices/system/cpu/possible").read_text().strip().replace(",", "-").split("-")[-1]
    return int(last) + 1
