"""The parsers of what tools print and of what clang writes: golden texts, and hostile bytes that only ever give ObjectError."""

import contextlib
import platform
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netlab.config import load_config
from netlab.host.programs import btf
from netlab.host.programs.btf import ObjectError, read_lines
from netlab.host.programs.diagnostics import parse_clang
from netlab.host.programs.line_table import LineTable, SourceLine
from netlab.host.programs.load import attach_reason
from netlab.host.programs.verifier import read_refusal

SOURCE = """\
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
static __attribute__((noinline)) int second(void *data)
{
	return *(int *)data;
}
static __attribute__((noinline)) int first(struct xdp_md *ctx, int x)
{
	void *data = (void *)(long)ctx->data;

	if (x > 3)
		return second(data);
	return second(data + 1) + 1;
}
SEC("xdp") int other(struct xdp_md *ctx) { return XDP_PASS; }
SEC("xdp") int prog(struct xdp_md *ctx)
{
	return first(ctx, ctx->rx_queue_index);
}
"""


@pytest.fixture(scope="module")
def object_bytes() -> bytes:
    """Built by the nodes' own clang: the host need not have one."""
    argv = ["chroot", str(load_config().rootfs_dir), "clang", "-target", "bpf", "-g", "-O2", "-x", "c",
            f"-I/usr/include/{platform.machine()}-linux-gnu", "-c", "-", "-o", "-"]
    return subprocess.run(argv, input=SOURCE.encode(), stdout=subprocess.PIPE, check=True).stdout


def test_subprograms_are_numbered_as_the_kernel_does(object_bytes: bytes) -> None:
    lines = read_lines(object_bytes)
    assert set(lines) == {"other", "prog"}
    order = [min(r.instruction for r in lines["prog"] if r.line in part) for part in (range(16, 20), range(7, 15), range(3, 7))]
    assert order == sorted(order) and order[0] == 0  # main program, then first, then second


@settings(max_examples=400, deadline=None, report_multiple_bugs=False)
@given(st.data())
def test_hostile_objects_are_refused_never_more(object_bytes: bytes, data: st.DataObject) -> None:
    changed = bytearray(object_bytes)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(changed) - 8))
        changed[at : at + 4] = data.draw(
            st.one_of(st.binary(min_size=4, max_size=4), st.just(b"\xff\xff\xff\xff"), st.just(bytes(4)))
        )
    size = data.draw(st.one_of(st.just(len(changed)), st.integers(0, len(changed))))
    with contextlib.suppress(ObjectError):
        read_lines(bytes(changed[:size]))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ObjectError):
        read_lines(b"\x7fELF" + data)


def test_many_line_records_are_refused(object_bytes: bytes) -> None:
    sections = btf.read_sections(memoryview(object_bytes))
    extension = next(s.data for s in sections if s.name == ".BTF.ext")
    at = object_bytes.index(bytes(extension))
    header, lines_at = struct.unpack_from("<I", extension, 4)[0], struct.unpack_from("<I", extension, 16)[0]
    changed = bytearray(object_bytes)
    struct.pack_into("<I", changed, at + header + lines_at + 8, 0x7FFFFFFF)
    with pytest.raises(ObjectError):
        read_lines(bytes(changed))


def test_clang_in_an_attendees_header_and_in_a_system_header() -> None:
    text = (
        "In file included from xdp.c:2:\n./own.h:7:3: error: expected ';' after expression\n"
        "In file included from xdp.c:3:\n/usr/include/linux/ip.h:22:10: fatal error: 'asm/byteorder.h' file not found\n"
        "xdp.c:9:2: warning: unused variable 'x' [-Wunused-variable]\nxdp.c:9:2: note: here\n3 errors generated.\n"
    )
    found = [(d.path, d.line, d.column, d.severity, d.message) for d in parse_clang(text, "xdp.c")]
    assert found == [
        ("own.h", 7, 3, "error", "expected ';' after expression"),
        ("xdp.c", 3, 0, "error", "in linux/ip.h:22: 'asm/byteorder.h' file not found"),
        ("xdp.c", 9, 2, "warning", "unused variable 'x' [-Wunused-variable]"),
        ("xdp.c", 9, 2, "note", "here"),
    ]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text_of_tools_is_taken(text: str) -> None:
    parse_clang(text, "xdp.c")
    read_refusal(text, LineTable(), "xdp.c", text, "prog")
    read_refusal(
        f"libbpf: prog 'prog': -- BEGIN PROG LOAD LOG --\n{text}\n-- END PROG LOAD LOG --\n", LineTable(), "xdp.c", text, "prog"
    )
    assert attach_reason(text)


LOG = """\
libbpf: prog 'prog': BPF program load failed: Permission denied
libbpf: prog 'prog': -- BEGIN PROG LOAD LOG --
0: R1=ctx() R10=fp0
0: (61) r1 = *(u32 *)(r1 +0)          ; R1=pkt(r=0)
1: (71) r1 = *(u8 *)(r1 +23)
invalid access to packet, off=23 size=1, R1(id=0,off=23,r=0)
R1 offset is outside of the packet
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
-- END PROG LOAD LOG --
libbpf: prog 'prog': failed to load: -13
"""


def test_a_read_that_came_from_a_header_is_shown_where_it_was_used() -> None:
    records = [(0, SourceLine("/lab/xdp.c", 5, 3, "")), (1, SourceLine("/usr/include/linux/swab.h", 40, 1, ""))]
    refusal = read_refusal(LOG, LineTable({"prog": records}), "xdp.c", "", "prog")
    assert (refusal.diagnostic.line, refusal.diagnostic.column) == (5, 3)
    assert "`if (data + sizeof(*header) > data_end)" in refusal.diagnostic.hint
    assert [part.line for part in refusal.log] == [5, 0]


def test_without_a_table_the_reason_is_told_nevertheless() -> None:
    refusal = read_refusal(LOG, LineTable(), "xdp.c", "", "prog")
    assert refusal.diagnostic.line == 1 and refusal.diagnostic.message.startswith("invalid access to packet")


def test_a_log_whose_beginning_was_cut_off() -> None:
    refusal = read_refusal(LOG.split("R10=fp0\n")[1], LineTable(), "xdp.c", "", "prog")
    assert refusal.diagnostic.message.startswith("invalid access to packet")


def test_the_log_is_bounded_and_keeps_its_end() -> None:
    many = "".join(f"{n % 90}: (b7) r1 = {n}                        ; R1={'x' * 60}\n" for n in range(6000))
    table = LineTable({"prog": [(n, SourceLine("/lab/xdp.c", n + 1, 0, "")) for n in range(90)]})
    refusal = read_refusal(LOG.replace("0: R1=ctx() R10=fp0\n", many), table, "xdp.c", "", "prog")
    assert 0 < sum(len(part.text) for part in refusal.log) <= 256 * 1024
    assert "processed" in refusal.log[-1].text


def test_the_kernels_sentence_is_found_in_what_ip_prints() -> None:
    assert (
        attach_reason("libbpf: x\nError: veth: Peer MTU is too large to set XDP.\n") == "veth: Peer MTU is too large to set XDP"
    )
    assert attach_reason("RTNETLINK answers: Device or resource busy\n") == "Device or resource busy"


def test_the_reader_stands_alone() -> None:
    """Its text is sent to a Python without our packages."""
    assert "netlab" not in "".join(line for line in Path(btf.__file__).read_text().splitlines(True) if "import" in line)
