"""Entries of a BPF map as plain bytes, by its id, a bounded number of them. Called by `programs.maps`, as the host's root.

It only reads, and makes nothing of what it reads. Arrays and hashes are read in one call where the kernel can.
"""

import ctypes
import errno
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from netlab.host.kernel import bpf
from netlab.host.kernel.bpf import MapInfo

MAP_LOOKUP_BATCH = 24
ENOTSUPP = 524
"""The kernel's own 'not supported', of maps without batches."""
BATCH_BYTES_MAX = 256 * 1024
ENTRY_BYTES_MAX = 64 * 1024
WITHOUT_BATCHES = frozenset({ENOTSUPP, errno.EINVAL, errno.ENOSPC, errno.EOPNOTSUPP, errno.EPERM})
"""ENOSPC: a hash bucket with more entries than were asked for."""


@dataclass(frozen=True)
class Entry:
    key: bytes
    copies: tuple[bytes, ...]
    """The value; of a per-CPU map one a CPU."""


@dataclass(frozen=True)
class Entries:
    found: list[Entry]
    all: bool


def read(map_id: int, limit: int) -> tuple[MapInfo, Entries]:
    """At most `limit` entries. Raises FileNotFoundError when the map has gone, OSError when it has none to read."""
    with bpf.map_descriptor(map_id) as fd:
        info = bpf.map_info_of(fd)
        if info.type in bpf.RING_BUFFER_TYPES or not info.key_bytes:
            raise OSError(errno.EOPNOTSUPP, "a map of this type has no entries to read")
        if info.key_bytes + _slot_bytes(info) * _copies(info) > ENTRY_BYTES_MAX:
            raise OSError(errno.EFBIG, "its entries are too large to read")
        limit = min(limit, info.max_entries)
        try:
            return info, _batch(fd, info, limit)
        except OSError as error:
            if error.errno not in WITHOUT_BATCHES:
                raise
        return info, _one_by_one(fd, info, limit)


def _batch(fd: int, info: MapInfo, limit: int) -> Entries:
    value_bytes = _slot_bytes(info) * _copies(info)
    limit = max(1, min(limit, BATCH_BYTES_MAX // (info.key_bytes + value_bytes)))
    keys, values = ctypes.create_string_buffer(info.key_bytes * limit), ctypes.create_string_buffer(value_bytes * limit)
    position = ctypes.create_string_buffer(max(info.key_bytes, 8))
    packed = struct.pack(
        "=QQQQIIQQ", 0, ctypes.addressof(position), ctypes.addressof(keys), ctypes.addressof(values), limit, fd, 0, 0,
    )
    attr = ctypes.create_string_buffer(packed, bpf.ATTR_BYTES)
    reached_end = False
    try:
        bpf.call(MAP_LOOKUP_BATCH, attr)
    except FileNotFoundError:
        reached_end = True
    count = min(struct.unpack_from("=I", attr, 32)[0], limit)
    all_keys, all_values = keys.raw, values.raw
    found = [
        Entry(all_keys[at * info.key_bytes : (at + 1) * info.key_bytes], _split(info, all_values, at * value_bytes))
        for at in range(count)
    ]
    return Entries(found, reached_end or count >= info.max_entries)


def _one_by_one(fd: int, info: MapInfo, limit: int) -> Entries:
    """`limit` keys; some may hold nothing (of a devmap), or nothing any more."""
    found, asked = [], 0
    for key in _keys(fd, info, limit):
        asked += 1
        value = ctypes.create_string_buffer(max(8, _slot_bytes(info) * _copies(info)))
        key_buffer = ctypes.create_string_buffer(key, info.key_bytes)
        packed = struct.pack("=I4xQQ", fd, ctypes.addressof(key_buffer), ctypes.addressof(value))
        try:
            bpf.call(bpf.MAP_LOOKUP_ELEM, ctypes.create_string_buffer(packed, bpf.ATTR_BYTES))
        except FileNotFoundError:
            continue
        found.append(Entry(key, _split(info, value.raw, 0)))
    return Entries(found, asked < limit or asked >= info.max_entries)


def _keys(fd: int, info: MapInfo, limit: int) -> Iterator[bytes]:
    here = ctypes.create_string_buffer(info.key_bytes)
    at = 0
    for _ in range(limit):
        following = ctypes.create_string_buffer(info.key_bytes)
        packed = struct.pack("=I4xQQ", fd, at, ctypes.addressof(following))
        try:
            bpf.call(bpf.MAP_GET_NEXT_KEY, ctypes.create_string_buffer(packed, bpf.ATTR_BYTES))
        except FileNotFoundError:  # that was the last one
            return
        yield following.raw
        here = following
        at = ctypes.addressof(here)


def _slot_bytes(info: MapInfo) -> int:
    return (info.value_bytes + 7) // 8 * 8 if info.per_cpu else info.value_bytes


def _copies(info: MapInfo) -> int:
    return bpf.possible_cpus() if info.per_cpu else 1


def _split(info: MapInfo, raw: bytes, start: int) -> tuple[bytes, ...]:
    slot = _slot_bytes(info)
    return tuple(raw[at : at + info.value_bytes] for at in range(start, start + slot * _copies(info), slot))
