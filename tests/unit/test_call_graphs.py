"""ftrace's ring buffer read, and calls put together from it: whole graphs, or none; which functions may be traced."""

import struct
from pathlib import Path
from typing import Any

import pytest

from netlab.host.tracing import tracefs
from netlab.host.tracing.call_graphs import Graph, Graphs
from netlab.host.tracing.ring_pages import GAP, Layout, Record, records

ENTRY = """name: funcgraph_entry
ID: 11
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned long func;	offset:8;	size:8;	signed:0;
	field:int depth;	offset:16;	size:4;	signed:1;
"""
EXIT = """name: funcgraph_exit
ID: 10
format:
	field:unsigned long func;	offset:8;	size:8;	signed:0;
	field:unsigned long long calltime;	offset:24;	size:8;	signed:0;
	field:unsigned long long rettime;	offset:32;	size:8;	signed:0;
"""
LAYOUT = Layout.parse(ENTRY, EXIT)
SOFT_IRQ, MISSED = 0x10, 1 << 31
START, CHILD, DEEPER, OTHER = 0x1000, 0x2000, 0x3000, 0x4000
ADDRESSES = """ffffffff81000000 do_sys_open
ffffffff82000000 devm_register_netdev
ffffffff82000100 ip_rcv
ffffffff82000180 __probestub_kfree_skb
ffffffff82000200 tcp_v4_rcv.isra.0
ffffffff83000000 pcibios_align_resource
ffffffff81500000 veth_poll
ffffffffa0000000 dsa_switch_rcv [dsa_core]
"""


def _event(data: bytes, delta: int = 5) -> bytes:
    data += b"\0" * (-len(data) % 4)
    return struct.pack("=I", len(data) // 4 | delta << 5) + data


def _enter(function: int, process: int = 7, flags: int = SOFT_IRQ) -> bytes:
    return _event(struct.pack("=HBBiQi", 11, flags, 0, process, function, 0))


def _leave(function: int, began: int, ended: int, process: int = 7) -> bytes:
    return _event(struct.pack("=HBBiQiIQQ", 10, SOFT_IRQ, 0, process, function, 0, 0, began, ended))


def _page(*events: bytes, at: int = 1000, flags: int = 0) -> bytes:
    data = b"".join(events)
    return (struct.pack("=QQ", at, len(data) | flags) + data).ljust(4096, b"\0")


def test_a_page_is_read() -> None:
    time_extend = struct.pack("=II", 30 | 3 << 5, 1)
    page = _page(_enter(START), time_extend, _leave(START, 100, 160), flags=MISSED)
    gap, call, back = records(page, LAYOUT)
    assert gap.function == GAP
    assert (call.at, call.process, call.context, call.function, call.took_ns) == (1005, 7, 1, START, -1)
    assert (back.at, back.began, back.took_ns) == (1005 + 3 + (1 << 27) + 5, 100, 60)


@pytest.mark.parametrize("cut", range(0, 120, 7))
def test_no_bytes_of_a_page_break_the_reader(cut: int) -> None:
    page = bytearray(_page(_enter(START), _enter(CHILD), _leave(CHILD, 1, 2), _leave(START, 1, 9)))
    page[16 + cut] ^= 0xFF
    assert len(list(records(bytes(page), LAYOUT))) <= 1100


def test_another_kernels_records_are_not_guessed() -> None:
    with pytest.raises(ValueError, match="rettime"):
        Layout.parse(ENTRY, EXIT.replace("rettime", "sleeptime"))


def test_a_graph_is_whole_when_its_start_returns() -> None:
    graph = _graphs(
        ("call", OTHER), ("call", START), ("call", CHILD), ("call", DEEPER), ("back", DEEPER, 5), ("back", CHILD, 20),
        ("call", CHILD), ("back", CHILD, 30), ("back", START, 90), ("back", OTHER, 99),
    )
    (only,) = graph
    assert only.took_ns == 90 and only.left_out == 0
    assert only.frames == [0, START, 90, 1, 1, CHILD, 20, 1, 2, DEEPER, 5, 1, 1, CHILD, 30, 1]


def test_a_start_within_a_start_is_a_part_of_it() -> None:
    (only,) = _graphs(("call", START), ("call", START), ("back", START, 5), ("back", START, 9))
    assert only.frames[0::4] == [0, 1]


def test_what_is_deeper_or_more_is_counted() -> None:
    steps: list[Any] = [("call", START), ("call", CHILD), ("call", DEEPER), ("back", DEEPER, 1), ("back", CHILD, 2)]
    (deep,) = _graphs(*steps, ("back", START, 3), depth=2)
    assert deep.frames[1::4] == [START, CHILD] and deep.left_out == 1
    (many,) = _graphs(*steps, ("call", CHILD), ("back", CHILD, 9), ("back", START, 3), frames_max=3)
    assert len(many.frames) == 12 and many.left_out == 1


def test_returns_that_are_missing_leave_calls_open() -> None:
    (only,) = _graphs(("call", START), ("call", CHILD), ("call", DEEPER), ("back", CHILD, 20), ("back", START, 90))
    assert only.frames[2::4] == [90, 20, 0]
    assert _graphs(("back", START, 1), ("call", CHILD), ("back", CHILD, 1)) == []


def test_nothing_is_put_together_over_a_gap() -> None:
    graphs = Graphs({START}, 8, 100)
    graphs.take(Record(0, 7, 1, START), 0)
    graphs.forget()
    assert graphs.take(Record(0, 7, 1, START, 0, 9), 0) is None


def test_processes_and_idle_processors_have_a_stack_each() -> None:
    graphs = Graphs({START}, 8, 100)
    for process, processor in ((7, 0), (8, 0), (0, 0), (0, 1)):
        graphs.take(Record(0, process, 1, START), processor)
    ends = [(0, 1), (7, 0), (0, 0), (8, 0)]
    whole = [graphs.take(Record(0, process, 1, START, 0, 9), processor) for process, processor in ends]
    assert [(graph.process, graph.processor) for graph in whole if graph] == ends


def test_the_network_stack_is_traceable(tmp_path: Path) -> None:
    (tmp_path / "available_filter_functions_addrs").write_text(ADDRESSES)
    functions = list(tracefs.traceable(tmp_path))
    assert [f.name for f in functions] == ["devm_register_netdev", "ip_rcv", "tcp_v4_rcv.isra.0", "veth_poll", "dsa_switch_rcv"]
    assert [f.number for f in functions] == [2, 3, 5, 7, 8]
    assert [f.name for f in tracefs.named(functions, "tcp_v4_rcv")] == ["tcp_v4_rcv.isra.0"]
    assert tracefs.named(functions, "tcp_v4") == []
    names = tracefs.Names(functions)
    assert (names.at(0xFFFFFFFF82000104), names.at(0x10)) == ("ip_rcv", "10")


@pytest.mark.parametrize(("name", "value", "says"), [
    ("set_graph_function", "arp_rcv\n", r"\(arp_rcv\)"), ("max_graph_depth", "3\n", "max_graph_depth is 3"),
    ("tracing_thresh", "10\n", "tracing_thresh is 10"), ("enabled", "0\n", "ftrace_enabled=1"),
])
def test_whoever_uses_function_graphs_goes_first(tmp_path: Path, name: str, value: str, says: str) -> None:
    free = {"set_graph_function": "#### all functions enabled ####", "max_graph_depth": "0", "tracing_thresh": "0"}
    free["enabled"] = "1"
    for file, content in free.items():
        (tmp_path / file).write_text(content)
    tracefs.check_free(tmp_path, tmp_path / "enabled")
    (tmp_path / name).write_text(value)
    with pytest.raises(tracefs.Taken, match=says):
        tracefs.check_free(tmp_path, tmp_path / "enabled")


def _graphs(*steps: Any, depth: int = 8, frames_max: int = 100) -> list[Graph]:
    graphs = Graphs({START}, depth, frames_max)
    whole = []
    for kind, function, *took in steps:
        graph = graphs.take(Record(0, 7, 1, function, 0, took[0] if kind == "back" else -1), 0)
        if graph is not None:
            whole.append(graph)
    return whole
