"""What clang's BTF says of maps, read by our parser; keys and values decoded; hostile bytes only give ObjectError."""

import contextlib
import platform
import struct
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netlab.config import load_config
from netlab.host.kernel.bpf import MapInfo
from netlab.host.kernel.bpf_maps import Entries, Entry
from netlab.host.programs import btf, btf_maps
from netlab.host.programs.btf import ObjectError
from netlab.host.programs.map_layouts import MapLayout, decode, in_hex, map_layouts
from netlab.host.programs.maps import _rows, _same_name

SOURCE = """\
#include <linux/bpf.h>
#include <linux/in6.h>
#include <bpf/bpf_helpers.h>

enum verdict { LET = 1, LOST = -2 };
struct flow { __be32 saddr; __be16 port; __u8 hw[6]; struct in6_addr six; };
struct stats {
	__u64 packets;
	const volatile __s32 signed_one;
	unsigned int low : 3, high : 5;
	enum verdict verdict;
	struct { __u16 inner; } nested;
	char comm[8];
	__u32 sizes[2];
	__u64 many[40];
	void *pointer;
	_Bool on;
};
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8); __type(key, struct flow); __type(value, struct stats); }
	flows SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8); __uint(key_size, 4); __uint(value_size, 4); }
	sized SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } ring SEC(".maps");
__u32 first_global = 0, second_global = 0;
__u64 preset = 7;
SEC("xdp") int prog(struct xdp_md *ctx)
{
	first_global++;
	second_global += preset++;
	return bpf_map_lookup_elem(&flows, ctx) || bpf_map_lookup_elem(&sized, ctx) || bpf_ringbuf_query(&ring, 0);
}
"""


@pytest.fixture(scope="module")
def object_bytes() -> bytes:
    """Built by the nodes' own clang: the host need not have one."""
    argv = ["chroot", str(load_config().rootfs_dir), "clang", "-target", "bpf", "-g", "-O2", "-x", "c",
            f"-I/usr/include/{platform.machine()}-linux-gnu", "-c", "-", "-o", "-"]
    return subprocess.run(argv, input=SOURCE.encode(), stdout=subprocess.PIPE, check=True).stdout


def info(kind: int, key_bytes: int, value_bytes: int, entries: int = 8) -> MapInfo:
    return MapInfo(id=1, type=kind, name="", key_bytes=key_bytes, value_bytes=value_bytes, max_entries=entries)


@pytest.fixture(scope="module")
def layouts(object_bytes: bytes) -> dict[str, MapLayout]:
    return map_layouts(btf_maps.read_maps(object_bytes))


def test_every_map_and_the_global_variables_are_found(layouts: dict[str, MapLayout]) -> None:
    assert set(layouts) == {"flows", "sized", "ring", ".bss", ".data"}
    assert not layouts["sized"].fits(info(1, 4, 4)), "a map without types is shown in hex"
    assert {f.name for f in layouts[".bss"].value} == {"first_global", "second_global"}
    assert {f.bit for f in layouts[".bss"].value} == {0, 32}
    assert [f.name for f in layouts[".data"].value] == ["preset"]


def test_a_key_of_addresses(layouts: dict[str, MapLayout]) -> None:
    flows = layouts["flows"]
    key = bytes([10, 0, 0, 1]) + struct.pack(">H", 443) + bytes(range(6)) + bytes(15) + b"\1"
    assert flows.key_bytes == len(key)
    assert [f.name for f in flows.key] == ["saddr", "port", "hw", "six"]
    assert decode(flows.key, [key]) == ["10.0.0.1", 443, "00:01:02:03:04:05", "::1"]


def test_a_value_of_everything(layouts: dict[str, MapLayout]) -> None:
    flows = layouts["flows"]
    names = [f.name for f in flows.value]
    assert names == ["packets", "signed_one", "low", "high", "verdict", "nested.inner", "comm", "sizes[0]", "sizes[1]", "many",
                     "pointer", "on"]
    value = struct.pack("<QiB3xiH8s2xII", 1 << 60, -5, 0b10110_101, -2, 9, b"ping\n\0xx", 1, 2)
    value = value.ljust(40, b"\0") + struct.pack("<40Q", *range(40)) + struct.pack("<Q?7x", 0xABC, True)
    assert flows.value_bytes == len(value)
    cells = dict(zip(names, decode(flows.value, [value]), strict=True))
    many = cells.pop("many")
    assert isinstance(many, str) and many.endswith("...")
    assert cells == {
        "packets": str(1 << 60), "signed_one": -5, "low": 5, "high": 22, "verdict": "LOST", "nested.inner": 9,
        "comm": "ping\N{REPLACEMENT CHARACTER}", "sizes[0]": 1, "sizes[1]": 2, "pointer": "bc 0a 00 00 00 00 00 00", "on": 1,
    }
    assert [f.name for f in flows.value if f.shown.counts] == ["packets", "sizes[0]", "sizes[1]"]


def test_copies_of_cpus_are_added_up(layouts: dict[str, MapLayout]) -> None:
    copies = [struct.pack("<Qi", count, -1).ljust(layouts["flows"].value_bytes, b"\0") for count in (3, 4)]
    assert decode(layouts["flows"].value, copies)[:2] == [7, -2]


def test_a_map_of_other_sizes_is_another_map(layouts: dict[str, MapLayout]) -> None:
    flows = layouts["flows"]
    sizes = (flows.key_bytes, flows.value_bytes)
    assert flows.fits(info(1, *sizes)) and flows.is_all_of(info(1, *sizes, entries=8))
    assert not flows.is_all_of(info(1, *sizes, entries=9)), "without a name it must be just so"
    others = (info(1, sizes[0], sizes[1] - 8), info(1, 4, sizes[1]), info(2, *sizes))
    assert not any(map(flows.fits, others))


def test_names_that_the_kernel_cuts_and_pins_change() -> None:
    assert _same_name("a_very_long_name_of_a_map", "a_very_long_nam")
    assert _same_name(".bss", "parse.bss") and _same_name(".bss", "parse_bss") and not _same_name(".bss", "parse.data")
    assert not _same_name("seen", "") and not _same_name("seen", "seen2")


def test_of_long_arrays_zeros_are_left_out_and_rows_are_in_order() -> None:
    key, value = in_hex("", 4), in_hex("", 1)
    found = [Entry(struct.pack("<I", n), (bytes([n in (300, 2, 5)]),)) for n in range(400)]
    rows = _rows(Entries(found, True), True, key, value, 2)
    assert rows == {"rows": [["02 00 00 00", "01"], ["05 00 00 00", "01"]], "zeros": 397, "more": 1, "unread": False}
    assert len(_rows(Entries(found[:9], True), True, key, value, 64)["rows"]) == 9  # type: ignore[arg-type]


def test_types_in_a_circle_end() -> None:
    names = b"\0.maps\0m\0"
    types = struct.pack("<III", 0, 8 << 24, 1)  # a typedef of itself
    types += struct.pack("<IIII", 7, 14 << 24, 1, 1) + struct.pack("<IIIIII", 1, 15 << 24 | 1, 0, 2, 0, 0)
    header = struct.pack("<HBBIIIII", btf.BTF_MAGIC, 1, 0, 24, 0, len(types), len(types), len(names))
    with pytest.raises(ObjectError):
        btf_maps._map(btf_maps._Types(memoryview(header + types + names)), 1)


@settings(max_examples=300, deadline=None, report_multiple_bugs=False)
@given(st.data())
def test_damaged_objects_only_give_object_errors(object_bytes: bytes, data: st.DataObject) -> None:
    damaged = bytearray(object_bytes)
    at = damaged.find(b"\x9f\xeb\x01\x00")
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(damaged) - 1) | st.integers(at, min(at + 1500, len(damaged) - 1)))
        damaged[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ObjectError):
        map_layouts(btf_maps.read_maps(bytes(damaged)))
