"""Maps of programs in real nodes, found and read as a page shows them: types, sums over CPUs, pins, hex, sizes, gone ones."""

import asyncio

import pytest

from netlab.host.programs.map_layouts import MapLayouts
from netlab.host.programs.maps import read_maps
from netlab.wire.maps import ROWS_MAX, SeenMap
from tests.programs.test_load_kernel import clean
from tests.two_nodes import HEADER, LICENSE, SPEC, TwoNodes

pytestmark = [pytest.mark.kernel, pytest.mark.asyncio(loop_scope="module")]

MAPS = HEADER + """
enum what { ALL, ODD };
struct seen { __u64 packets; __u32 last; };
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 2); __type(key, enum what); __type(value, __u64); }
	counts SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4096); __type(key, __u32); __type(value, struct seen); }
	by_length SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 10000); __type(key, __u32); __type(value, __u32); }
	large SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } ring SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, 4); __uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(key_size, 8); __uint(value_size, 4); } blocked SEC(".maps");
__u32 total;
SEC("xdp") int prog(struct xdp_md *ctx)
{
	__u32 all = ALL, length = ctx->ingress_ifindex, third = 3;
	__u64 *count = bpf_map_lookup_elem(&counts, &all);
	__u32 *element = bpf_map_lookup_elem(&large, &third);
	struct seen one = { .packets = 1, .last = 2 };

	if (count)
		(*count)++;
	if (element)
		*element = 9;
	total++;
	bpf_map_update_elem(&by_length, &length, &one, BPF_ANY);
	return bpf_map_lookup_elem(&blocked, &one) || bpf_ringbuf_query(&ring, 9) == 1 ? XDP_DROP : XDP_PASS;
}
""" + LICENSE


async def look(lab: TwoNodes, layouts: dict[str, MapLayouts] | None = None, *, own_kernel: bool = False) -> dict[str, SeenMap]:
    attachments = await lab.programs.attachments(lab.run_nodes)
    bpffs = {node: place.bpffs for node, place in lab.run_nodes.places.items()}
    maps, more = await asyncio.to_thread(read_maps, bpffs, attachments, SPEC.programs, layouts or {}, own_kernel=own_kernel)
    assert more == 0
    return {seen.name: seen for seen in maps}


async def test_maps_of_a_program_as_its_object_says(strangers: TwoNodes) -> None:
    await shown_as_the_object_says(strangers)


async def test_they_are_shown_alike_where_the_kernel_knows_types(trusted: TwoNodes) -> None:
    await shown_as_the_object_says(trusted)


async def shown_as_the_object_says(lab: TwoNodes) -> None:
    outcome = await lab.programs.build(lab.run_nodes, lab.program(), {"xdp.c": MAPS}, load=True, mode=None)
    assert outcome.outcome == "attached", outcome
    layouts = {"xdp": outcome.map_layouts}
    assert (await lab.sh("client", "ping -c4 -i0.1 10.0.0.2")).exit_code == 0
    seen = await look(lab, layouts)
    globals_ = next(name for name in seen if name.endswith("bss"))
    assert set(seen) == {"counts", "by_length", "large", "ring", "blocked", globals_}
    counts = seen["counts"]
    assert (counts.type, counts.per_cpu, counts.program, counts.node) == ("percpu_array", True, "xdp", "server")
    (all_name, packets), odd = counts.rows
    assert all_name == "ALL" and isinstance(packets, int) and packets >= 4 and odd == ["ODD", 0]
    assert [f.name for f in seen["by_length"].value] == ["packets", "last"] and seen["by_length"].rows[0][1:] == [1, 2]
    assert not seen["by_length"].unread
    assert seen["large"].rows == [[3, 9]] and seen["large"].zeros == 4095 and seen["large"].unread
    assert seen["ring"].rows == [] and "ringbuf" in seen["ring"].note
    assert seen["blocked"].program == "" and [f.kind for f in seen["blocked"].key] == ["hex"]
    assert [f.name for f in seen[globals_].value] == ["total"] and seen[globals_].rows[0][1] >= 4  # type: ignore[operator]
    await clean(lab)
    assert await look(lab, layouts) == {}


async def test_without_an_object_they_are_shown_in_hex_and_no_more_than_fit(strangers: TwoNodes) -> None:
    source = MAPS.replace("length = ctx->ingress_ifindex", "length = bpf_get_prandom_u32()")
    await strangers.programs.build(strangers.run_nodes, strangers.program(), {"xdp.c": source}, load=True, mode=None)
    await strangers.sh("client", "ping -q -c200 -i0.002 10.0.0.2")
    by_length = (await look(strangers))["by_length"]
    assert by_length.program == "" and len(by_length.rows) == ROWS_MAX and by_length.more >= 200 - ROWS_MAX
    assert by_length.rows[0][1] == "01 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00"
    await clean(strangers)


async def test_in_a_kernel_of_ones_own_the_types_that_a_map_brings_are_read(trusted: TwoNodes) -> None:
    """As bcc's maps do, of which there is no object."""
    await trusted.programs.build(trusted.run_nodes, trusted.program(), {"xdp.c": MAPS}, load=True, mode=None)
    assert (await trusted.sh("client", "ping -c4 -i0.1 10.0.0.2")).exit_code == 0
    assert {field.kind for seen in (await look(trusted)).values() for field in seen.value} == {"hex"}
    seen = await look(trusted, own_kernel=True)
    assert [f.name for f in seen["by_length"].value] == ["packets", "last"] and seen["by_length"].rows[0][1:] == [1, 2]
    assert seen["large"].rows == [[3, 9]] and seen["large"].program == ""
    assert [f.kind for f in seen["blocked"].key] == ["hex"], "it was made without types"
    await clean(trusted)


async def test_maps_that_pin_themselves_keep_what_is_in_them_and_others_are_known_by_their_sizes(strangers: TwoNodes) -> None:
    source = MAPS.replace("__type(value, struct seen); }", "__type(value, struct seen); __uint(pinning, LIBBPF_PIN_BY_NAME); }")
    layouts = {}
    for _ in range(2):
        files = {"xdp.c": source}
        outcome = await strangers.programs.build(strangers.run_nodes, strangers.program(), files, load=True, mode=None)
        assert outcome.outcome == "attached", outcome
        layouts = {"xdp": outcome.map_layouts}
        assert (await strangers.sh("server", "ls /sys/fs/bpf/by_length")).exit_code == 0
        assert (await strangers.sh("client", "ping -c1 10.0.0.2")).exit_code == 0
        added = "bpftool map update pinned /sys/fs/bpf/by_length key 9 0 0 0 value 2 0 0 0 0 0 0 0 3 0 0 0 0 0 0 0"
        assert (await strangers.sh("server", added)).exit_code == 0
    seen = await look(strangers, layouts)
    assert [9, 2, 3] in seen["by_length"].rows and seen["counts"].rows[0][0] == "ALL"
    await strangers.sh("server", "rm /sys/fs/bpf/by_length")
    await clean(strangers)


async def test_maps_that_are_only_pinned(strangers: TwoNodes) -> None:
    await strangers.programs.build(strangers.run_nodes, strangers.program(), {"xdp.c": MAPS}, load=True, mode=None)
    await strangers.programs.detach(strangers.run_nodes, "server", "eth0", "xdp")
    filled = "bpftool map update pinned /sys/fs/bpf/xdp/maps/by_length key 1 0 0 0 value 2 0 0 0 0 0 0 0 3 0 0 0 0 0 0 0"
    assert (await strangers.sh("server", filled)).exit_code == 0
    by_length = (await look(strangers))["by_length"]
    assert ["01 00 00 00", "02 00 00 00 00 00 00 00 03 00 00 00 00 00 00 00"] in by_length.rows
    await clean(strangers)
