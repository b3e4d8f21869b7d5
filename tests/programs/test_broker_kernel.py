"""Programs in nodes without BPF tokens, as before Linux 6.9: the broker loads them, and what it is shut in by."""

import os
import re
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from netlab.domain.probes import MapProbe
from netlab.host.checks import bpf as checks
from netlab.host.checks.context import CheckContext
from netlab.host.kernel import bpf
from netlab.host.kernel.process import run
from netlab.host.programs import broker_worker as worker
from netlab.host.programs.broker import Broker
from netlab.host.programs.build import build
from netlab.host.programs.build_sandbox import BuildSandbox
from netlab.host.programs.load import Loaded
from netlab.host.programs.service import Mode, ProgramOutcome
from netlab.host.sandbox import delegation
from netlab.wire.events import Attachment
from tests.two_nodes import HEADER, LICENSE, TwoNodes, two_nodes

pytestmark = [pytest.mark.kernel, pytest.mark.asyncio(loop_scope="module")]
REFUSED = sorted((Path(__file__).parent / "refused").glob("*.c"))
FROM_THE_SANDBOX = {"subtract", "printk", "spin_lock", "callback", "probe_read", "map_type", "unbounded"}
COUNTING = HEADER + """
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); }
seen SEC(".maps");
SEC("xdp") int prog(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 *count = bpf_map_lookup_elem(&seen, &key);

	if (count)
		*count += 1;
	return XDP_PASS;
}
""" + LICENSE
ORDINARY = """#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
struct net_device { int ifindex; } __attribute__((preserve_access_index));
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } told SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __type(key, __u32); __type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME); } pinned SEC(".maps");
volatile const int verdict = XDP_PASS;
int packets, kernel_size;
static __noinline int count(int by)
{
	packets += by;
	return packets;
}
SEC("xdp") int other(struct xdp_md *ctx) { return XDP_DROP; }
SEC("xdp") int prog(struct xdp_md *ctx)
{
	__u32 key = count(1);

	kernel_size = bpf_core_type_size(struct net_device);
	bpf_ringbuf_output(&told, &key, sizeof(key), 0);
	bpf_map_update_elem(&pinned, &key, &key, 0);
	return verdict;
}
""" + LICENSE
FAULTS = {
    "helper": ("bpf_perf_event_read_value(0, 0, 0, 0);", ""),
    "tail call": (
        "bpf_tail_call(ctx, &jumps, 0);",
        "struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u32); }"
        ' jumps SEC(".maps"); /* here */',
    ),
    "huge map": (
        "__u32 k = 0; bpf_map_lookup_elem(&huge, &k);",
        "struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 100000000); __type(key, __u32); __type(value, __u64); }"
        ' huge SEC(".maps"); /* here */',
    ),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TwoNodes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delegation, "options", lambda isolation: {"delegate_cmds": "no_such_command"})
        async with two_nodes("hk", tmp_path_factory.mktemp("broker")) as made:
            assert {place.bpffs for place in made.run_nodes.places.values()} == {None}
            yield made
    assert not any("broker_worker" in line for line in _command_lines())


def returning(action: str) -> str:
    return HEADER + f'SEC("xdp") int prog(struct xdp_md *ctx) {{ return {action}; }}\n' + LICENSE


async def load(lab: TwoNodes, text: str, mode: Mode = "native") -> ProgramOutcome:
    return await lab.programs.build(lab.run_nodes, lab.program(), {"xdp.c": text}, load=True, mode=mode)


async def only(lab: TwoNodes) -> Attachment:
    found = await lab.programs.attachments(lab.run_nodes)
    assert len(found) == 1
    return found[0]


async def clean(lab: TwoNodes) -> None:
    await lab.programs.detach(lab.run_nodes, "server", "eth0", "xdp")
    assert await lab.programs.attachments(lab.run_nodes) == []


@pytest.mark.parametrize("mode", ["native", "generic"])
async def test_attached_seen_and_taken_off(lab: TwoNodes, mode: Mode) -> None:
    outcome = await load(lab, returning("XDP_DROP"), mode)
    assert outcome.outcome == "attached" and outcome.instructions == 2, outcome
    assert re.match(rf"prog runs on server:eth0 in {mode} mode: 2 instructions, verified", outcome.summary)
    now = await only(lab)
    assert (now.node, now.interface, now.hook, now.mode, now.name) == ("server", "eth0", "xdp", mode, "prog")
    assert (await lab.sh("client", "ping -c1 -W0.3 10.0.0.2")).exit_code == 1
    await clean(lab)
    # several: a request that waits for a neighbour is lost when the kernel gives that neighbour up, as it may after the drops
    again = "for i in $(seq 20); do ping -c1 -W1 10.0.0.2 && exit; done; exit 1"
    assert (await lab.sh("client", again, timeout_s=60)).exit_code == 0
    with pytest.raises(FileNotFoundError):
        bpf.program_info(now.program_id)


async def test_a_new_program_takes_the_place_of_the_old(lab: TwoNodes) -> None:
    ids = []
    for action, mode in (("PASS", "native"), ("DROP", "native"), ("DROP", "generic"), ("PASS", "native")):
        chosen: Mode = "native" if mode == "native" else "generic"
        assert (await load(lab, returning(f"XDP_{action}"), chosen)).outcome == "attached"
        assert (await only(lab)).mode == mode
        ids.append((await only(lab)).program_id)
    assert len(set(ids)) == 4
    with pytest.raises(FileNotFoundError):
        bpf.program_info(ids[0])  # nothing keeps the old ones
    await clean(lab)


async def test_its_maps_are_found_by_checks_and_the_shell_takes_it_off(lab: TwoNodes) -> None:
    assert (await load(lab, COUNTING)).outcome == "attached"
    assert (await lab.sh("client", "ping -c5 -i0.01 -W1 10.0.0.2")).exit_code == 0
    context = CheckContext(lab.nodes, lab.run_nodes, {}, lambda *_: None, lambda _: None)
    probe = MapProbe.model_validate({"kind": "map", "node": "server", "map": "seen", "key": 0, "value": {"at_least": 5}})
    verdict = await checks.bpf_map(probe, context)
    assert verdict.passed, verdict
    denied = await lab.sh("server", "bpftool map create /sys/fs/bpf/m type array key 4 value 4 entries 1 name m")
    assert denied.exit_code != 0
    assert (await lab.sh("server", "ip link set dev eth0 xdp off")).exit_code == 0
    assert await lab.programs.attachments(lab.run_nodes) == []


async def test_globals_functions_relocations_and_pinned_maps(lab: TwoNodes) -> None:
    outcome = await load(lab, ORDINARY)
    assert outcome.outcome == "attached", outcome
    assert (await lab.sh("client", "ping -c2 -i0.01 -W1 10.0.0.2")).exit_code == 0
    maps = [bpf.map_info(number) for number in bpf.program_info((await only(lab)).program_id).map_ids]
    bss = next(info for info in maps if info.name.endswith(".bss"))
    first = bpf.map_values(bss.id, None, 1)[0][0]
    assert len(maps) == 4 and bss.name == "prog.bss"
    assert first & 0xFFFFFFFF > 1000 and first >> 32 >= 2  # the kernel's size of the struct; packets
    assert not Path("/sys/fs/bpf/pinned").exists()
    await clean(lab)


@pytest.mark.parametrize("path", REFUSED, ids=lambda p: p.stem)
async def test_a_refusal_is_explained_on_its_line_and_replaces_nothing(lab: TwoNodes, path: Path) -> None:
    assert (await load(lab, returning("XDP_PASS"))).outcome == "attached"
    old = await only(lab)
    text = path.read_text()
    outcome = await load(lab, text)
    assert outcome.outcome == "refused"
    said = next(d for d in outcome.diagnostics if d.severity == "error")
    assert "/* here */" in text.splitlines()[said.line - 1], f"shown on line {said.line}: {said.message}"
    assert said.hint and said.source == ("sandbox" if path.stem in FROM_THE_SANDBOX else "verifier")
    assert await only(lab) == old
    await clean(lab)


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_this_way_does_not_give_is_refused_on_its_line(lab: TwoNodes, fault: str) -> None:
    statement, declared = FAULTS[fault]
    marked = "" if declared else " /* here */"
    text = f'{HEADER}{declared}\nSEC("xdp") int prog(struct xdp_md *ctx)\n{{\n{statement}{marked}\nreturn 2;\n}}\n{LICENSE}'
    outcome = await load(lab, text)
    assert outcome.outcome == "refused", outcome
    said = next(d for d in outcome.diagnostics if d.severity == "error")
    assert "/* here */" in text.splitlines()[said.line - 1] and said.hint, said
    assert await lab.programs.attachments(lab.run_nodes) == []


async def test_helpers_that_the_verifier_gives_are_held_back_on_their_line(lab: TwoNodes) -> None:
    """bpf_get_numa_node_id is not on the list, though harmless: the list is of what is given, not of what is bad."""
    body = "return bpf_get_numa_node_id() ? XDP_PASS : XDP_DROP; /* here */"
    text = f'{HEADER}SEC("xdp") int prog(struct xdp_md *ctx)\n{{\n{body}\n}}\n{LICENSE}'
    outcome = await load(lab, text)
    said = outcome.diagnostics[0]
    assert outcome.outcome == "refused" and "/* here */" in text.splitlines()[said.line - 1], outcome
    assert said.source == "sandbox" and "#42" in said.message and said.hint


async def test_classifiers_are_refused_with_a_sentence(lab: TwoNodes) -> None:
    source = HEADER + '#include <linux/pkt_cls.h>\nSEC("tc") int cls(struct __sk_buff *skb) { return TC_ACT_SHOT; }\n' + LICENSE
    outcome = await lab.programs.build(lab.run_nodes, lab.program("tc"), {"tc.c": source}, load=True, mode=None)
    assert outcome.outcome == "refused" and "Only XDP programs" in outcome.summary
    outcome = await load(lab, source.replace("cls(", "prog("))
    assert outcome.outcome == "refused" and "only XDP programs" in outcome.summary


async def test_the_function_must_keep_its_name(lab: TwoNodes) -> None:
    outcome = await load(lab, returning("XDP_PASS").replace("prog(", "other("))
    assert outcome.summary == "There is no program named prog: the file has other."


async def test_the_old_program_comes_back_when_the_other_mode_cannot_be_had(lab: TwoNodes) -> None:
    assert (await load(lab, returning("XDP_PASS"), "generic")).outcome == "attached"
    old = await only(lab)
    await lab.sh("client", "ip link set dev eth0 mtu 9000")
    try:
        outcome = await load(lab, returning("XDP_DROP"), "native")
        assert outcome.outcome == "attach_failed" and "MTU" in outcome.summary, outcome
        assert await only(lab) == old
    finally:
        await lab.sh("client", "ip link set dev eth0 mtu 1500")
        await clean(lab)


@pytest.mark.parametrize("junk", [b"", b"\x7fELF", os.urandom(4096), b"\x7fELF\x02\x01\x01" + b"\xff" * 5000], ids=range(4))
async def test_what_is_no_object_is_refused(lab: TwoNodes, junk: bytes) -> None:
    assert (await hand_over(lab, junk)).state == "refused"


async def test_an_object_may_be_damaged_anywhere(lab: TwoNodes) -> None:
    good = await built(lab, COUNTING)
    assert (await hand_over(lab, good)).state == "attached"
    await clean(lab)
    for at in range(0, len(good), max(1, len(good) // 24)):
        await hand_over(lab, good[:at] + bytes(byte ^ 0xFF for byte in good[at : at + 8]) + good[at + 8 :])  # no exception
    await lab.programs.detach(lab.run_nodes, "server", "eth0", "xdp")


async def test_a_large_object_is_not_even_read(lab: TwoNodes) -> None:
    loaded = await hand_over(lab, (await built(lab, COUNTING)) + bytes(2 << 20))
    assert loaded.state == "refused" and "1024 KiB" in loaded.stderr


async def test_the_process_that_reads_the_object_has_two_capabilities(lab: TwoNodes) -> None:
    with waiting_worker(lab) as process:
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
        assert set(status["Uid"].split()) == set(status["Gid"].split()) == {str(BuildSandbox(lab.config).loader_uid)}
        for name in ("CapPrm", "CapEff", "CapBnd"):
            assert int(status[name], 16) == worker.CAPABILITIES == 1 << 12 | 1 << 39
        assert int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 0 and status["Groups"].strip() == ""
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        netns = os.stat(lab.run_nodes.places["server"].netns)
        assert os.stat(f"/proc/{process.pid}/ns/net").st_ino == netns.st_ino
        assert set(os.listdir(f"/proc/{process.pid}/root/")) == {"sys"}
        assert f"/{lab.run_nodes.run}/server" in Path(f"/proc/{process.pid}/cgroup").read_text()
        assert "1048576" not in re.search(r"Max open files.*", Path(f"/proc/{process.pid}/limits").read_text()).group()  # type: ignore[union-attr]


async def test_a_node_that_is_taken_away_takes_the_process_along(lab: TwoNodes) -> None:
    with waiting_worker(lab) as process:
        assert process.pid in lab.nodes._hierarchies.pids(f"netlab/hk/{lab.run_nodes.run}/server")


async def test_its_maps_are_charged_to_the_node(lab: TwoNodes) -> None:
    group = its_broker(lab)._memory_group(lab.run_nodes.run, "server").parent
    used = next(path for name in ("memory.current", "memory.usage_in_bytes") if (path := group / name).exists())
    before = int(used.read_text())
    large = COUNTING.replace("PERCPU_ARRAY", "ARRAY").replace("max_entries, 1)", "max_entries, 200000)")
    assert (await load(lab, large)).outcome == "attached"
    assert int(used.read_text()) - before > 1_500_000
    await clean(lab)


async def test_it_can_load_nothing_that_looks_into_the_kernel() -> None:
    script = (
        "import ctypes, os, struct, sys; sys.path.insert(0, sys.argv[1]); import broker_worker as w; w.shut_in(54321)\n"
        "code = ctypes.create_string_buffer(struct.pack('=BBhiBBhi', 0xb7, 0, 0, 0, 0x95, 0, 0, 0))\n"
        "gpl = ctypes.create_string_buffer(b'GPL'); at = ctypes.addressof\n"
        "def load(kind):\n"
        "    attr = ctypes.create_string_buffer(struct.pack('=IIQQ', kind, 2, at(code), at(gpl)), 128)\n"
        "    return w.libc.syscall(321, 5, attr, 128) >= 0\n"
        "os.write(1, repr([load(kind) for kind in (6, 2, 5, 7, 17, 24, 26, 27, 29)]).encode()); os._exit(0)\n"
    )  # XDP; kprobe, tracepoint, perf_event, raw_tracepoint, writable raw_tracepoint, tracing, struct_ops, LSM
    done = await run(["/usr/bin/python3", "-I", "-S", "-c", script, str(Path(worker.__file__).parent)], timeout_s=10)
    assert done.stdout.decode() == str([True] + 8 * [False]), done


async def test_the_filter_refuses_btf_and_everything_else_that_it_does_not_name() -> None:
    script = (
        "import ctypes, os, sys; sys.path.insert(0, sys.argv[1]); import broker_worker as w; l = w.libc\n"
        "def n(*a): return 0 if l.syscall(*a) >= 0 else ctypes.get_errno()\n"
        "w.empty_root = lambda: None; w.shut_in(54321)\n"
        "b = ctypes.create_string_buffer(128)\n"
        "out = [n(321, c, b, 128) for c in (18, 6, 7, 11, 13, 14, 28, 36)]\n"  # BTF_LOAD, OBJ_*, *_ID, LINK_CREATE, TOKEN_CREATE
        "out += [n(41, f, 2, 0) for f in (1, 2, 10, 17, 40)]\n"
        "out += [n(s, 0, 0, 0) for s in (57, 59, 62, 101, 161, 165, 272, 308, 298, 425)]\n"
        "out += [n(257, -100, b'/tmp/x', 0o101, 0o600), n(9, 0, 4096, 7, 34, -1, 0), n(2, b'/etc/passwd', 0)]\n"
        "os.write(1, repr(set(out)).encode()); os._exit(0)\n"
    )
    folder = str(Path(worker.__file__).parent)
    done = await run(["/usr/bin/python3", "-I", "-S", "-c", script, folder], timeout_s=10)
    assert done.stdout == b"{1}", done


def its_broker(lab: TwoNodes) -> Broker:
    assert lab.programs._broker is not None, "there is one on every host"
    return lab.programs._broker


async def built(lab: TwoNodes, text: str) -> bytes:
    made = (await build(BuildSandbox(lab.config), lab.program(), {"xdp.c": text})).object
    assert made
    return made


async def hand_over(lab: TwoNodes, object_bytes: bytes) -> Loaded:
    return await its_broker(lab).load(lab.run_nodes, lab.program(), object_bytes, "native", None)


@contextmanager
def waiting_worker(lab: TwoNodes) -> Iterator["subprocess.Popen[bytes]"]:
    """One that has shut itself in and waits for its object."""
    broker = Broker(lab.config, BuildSandbox(lab.config).loader_uid)
    argv = broker.command(lab.run_nodes.run, lab.run_nodes.places["server"], lab.program(), "native", None)
    process = subprocess.Popen(argv, stdin=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 10
        while "Seccomp:\t2" not in Path(f"/proc/{process.pid}/status").read_text():
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
        yield process
    finally:
        process.kill()
        process.communicate()


def _command_lines() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
