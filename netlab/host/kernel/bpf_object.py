"""netlab's own BPF objects (bpf/*.bpf.c, built at installation) loaded by libbpf.

Called by the sampler and the probe, as root. libbpf fits an object to the running kernel (CO-RE); no compiler is in the process.
Nothing is pinned: programs and maps go with the object. It never sees an attendee's object.
"""

import ctypes
import errno
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

LIBRARY = "libbpf.so.1"
MAP_UPDATE_ELEM, MAP_DELETE_ELEM = 2, 3

_POINTER, _INT, _TEXT = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
_FUNCTIONS: dict[str, tuple[object, list[object]]] = {
    "bpf_object__open_file": (_POINTER, [_TEXT, _POINTER]),
    "bpf_object__load": (_INT, [_POINTER]),
    "bpf_object__close": (None, [_POINTER]),
    "bpf_object__find_map_by_name": (_POINTER, [_POINTER, _TEXT]),
    "bpf_object__find_program_by_name": (_POINTER, [_POINTER, _TEXT]),
    "bpf_map__fd": (_INT, [_POINTER]),
    "bpf_map__set_max_entries": (_INT, [_POINTER, ctypes.c_uint32]),
    "bpf_map_lookup_elem": (_INT, [_INT, _TEXT, _POINTER]),
    "bpf_map_update_elem": (_INT, [_INT, _TEXT, _TEXT, ctypes.c_uint64]),
    "bpf_map_delete_elem": (_INT, [_INT, _TEXT]),
    "bpf_program__attach": (_POINTER, [_POINTER]),
    "bpf_link__destroy": (_INT, [_POINTER]),
    "btf__load_vmlinux_btf": (_POINTER, []),
    "btf__find_by_name_kind": (_INT, [_POINTER, _TEXT, ctypes.c_uint32]),
    "btf__type_by_id": (_POINTER, [_POINTER, ctypes.c_uint32]),
    "btf__name_by_offset": (_TEXT, [_POINTER, ctypes.c_uint32]),
    "btf__free": (None, [_POINTER]),
    "libbpf_set_print": (_POINTER, [_POINTER]),
}


@lru_cache
def library() -> ctypes.CDLL:
    """Raises OSError when this machine has none."""
    try:
        loaded = ctypes.CDLL(LIBRARY, use_errno=True)
    except OSError:
        raise FileNotFoundError(errno.ENOENT, f"there is no {LIBRARY} (package libbpf1)") from None
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    loaded.libbpf_set_print(None)  # what fails comes as an error number; the rest is for libbpf's own authors
    return loaded


def failed(number: int, what: str) -> OSError:
    return OSError(abs(number), f"{what}: {os.strerror(abs(number))}")


class BpfMap:
    """One map of an object, by its descriptor, which is the object's."""

    def __init__(self, descriptor: int, value_bytes: int) -> None:
        self.descriptor = descriptor
        self._value = ctypes.create_string_buffer(value_bytes)
        self._address = ctypes.addressof(self._value)

    def lookup(self, key: bytes) -> bytes | None:
        return self._value.raw if library().bpf_map_lookup_elem(self.descriptor, key, self._address) == 0 else None

    def put(self, key: bytes, value: bytes) -> None:
        result = library().bpf_map_update_elem(self.descriptor, key, value, 0)
        if result < 0:
            raise failed(result, "updating a map")

    def remove(self, key: bytes) -> None:
        """There or not."""
        result = library().bpf_map_delete_elem(self.descriptor, key)
        if result < 0 and -result != errno.ENOENT:
            raise failed(result, "deleting from a map")


class BpfObject:
    """Loaded when it is made, with other sizes for the maps that are named. Raises OSError when this kernel refuses it."""

    def __init__(self, path: Path, entries: Mapping[str, int] | None = None) -> None:
        libbpf = library()
        self._links: list[int] = []
        self._object: int | None = libbpf.bpf_object__open_file(os.fsencode(path), None)
        if not self._object:
            raise failed(ctypes.get_errno(), f"opening {path.name}")
        try:
            for name, number in (entries or {}).items():
                libbpf.bpf_map__set_max_entries(self._find_map(name), number)
            result = libbpf.bpf_object__load(self._object)
            if result:
                raise failed(result, f"loading {path.name}")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Its programs are detached and everything is freed."""
        for link in self._links:
            library().bpf_link__destroy(link)
        self._links.clear()
        if self._object:
            library().bpf_object__close(self._object)
            self._object = None

    def map(self, name: str, value_bytes: int) -> BpfMap:
        descriptor: int = library().bpf_map__fd(self._find_map(name))
        return BpfMap(descriptor, value_bytes)

    def attach(self, program: str) -> None:
        """As its section says. Raises OSError: ENOENT when the kernel has no such tracepoint."""
        found = library().bpf_object__find_program_by_name(self._object, program.encode())
        link = library().bpf_program__attach(found) if found else None
        if not link:
            raise failed(ctypes.get_errno(), f"attaching {program}")
        self._links.append(link)

    def _find_map(self, name: str) -> int:
        found: int | None = library().bpf_object__find_map_by_name(self._object, name.encode())
        if not found:
            raise failed(errno.ENOENT, f"map {name}")
        return found
