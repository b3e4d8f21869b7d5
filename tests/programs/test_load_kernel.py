"""Programs in real nodes: loaded with the token, attached, replaced, refused, detached, and seen whoever attached them."""

import re
from pathlib import Path

import pytest

from netlab.host.kernel import bpf
from netlab.host.programs.service import Mode
from netlab.wire.events import Attachment
from tests.two_nodes import HEADER, LICENSE, TwoNodes

pytestmark = [pytest.mark.kernel, pytest.mark.asyncio(loop_scope="module")]
REFUSED = sorted((Path(__file__).parent / "refused").glob("*.c"))
FROM_THE_SANDBOX = {"subtract", "printk", "spin_lock", "callback", "probe_read", "map_type", "unbounded"}


def returning(action: str) -> dict[str, str]:
    return {"xdp.c": HEADER + f'SEC("xdp") int prog(struct xdp_md *ctx) {{ return {action}; }}\n' + LICENSE}


async def clean(lab: TwoNodes) -> None:
    await lab.programs.detach(lab.run_nodes, "server", "eth0", "xdp")
    await lab.sh("server", "tc qdisc del dev eth0 clsact 2>/dev/null; rm -rf /sys/fs/bpf/*/")
    assert await lab.programs.attachments(lab.run_nodes) == []


async def only(lab: TwoNodes) -> Attachment:
    found = await lab.programs.attachments(lab.run_nodes)
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("mode", ["native", "generic"])
async def test_attached_seen_and_taken_off(strangers: TwoNodes, mode: Mode) -> None:
    outcome = await strangers.programs.build(
        strangers.run_nodes, strangers.program(), returning("XDP_DROP"), load=True, mode=mode
    )
    assert outcome.outcome == "attached" and outcome.instructions == 2
    assert re.fullmatch(
        rf"prog runs on server:eth0 in {mode} mode: 2 instructions, verified and loaded in \d+ ms\.", outcome.summary
    )
    now = await only(strangers)
    assert (now.node, now.interface, now.hook, now.mode, now.name) == ("server", "eth0", "xdp", mode, "prog")
    assert (await strangers.sh("client", "ping -c1 -W0.3 10.0.0.2")).exit_code == 1
    await clean(strangers)
    # several: a request that waits for a neighbour is lost when the kernel gives that neighbour up, as it may after the drops
    again = "for i in $(seq 20); do ping -c1 -W1 10.0.0.2 && exit; done; exit 1"
    assert (await strangers.sh("client", again, timeout_s=60)).exit_code == 0


async def test_a_new_program_takes_the_place_of_the_old(strangers: TwoNodes) -> None:
    async def load(action: str, mode: Mode) -> int:
        outcome = await strangers.programs.build(
            strangers.run_nodes, strangers.program(), returning(action), load=True, mode=mode
        )
        assert outcome.outcome == "attached"
        return (await only(strangers)).program_id

    ids = [
        await load("XDP_PASS", "native"),
        await load("XDP_DROP", "native"),
        await load("XDP_DROP", "generic"),
        await load("XDP_PASS", "native"),
    ]
    assert len(set(ids)) == 4 and (await only(strangers)).mode == "native"
    with pytest.raises(FileNotFoundError):
        bpf.program_info(ids[0])  # nothing keeps the old ones
    await clean(strangers)


async def test_only_built_changes_nothing(strangers: TwoNodes) -> None:
    outcome = await strangers.programs.build(
        strangers.run_nodes, strangers.program(), returning("XDP_DROP"), load=False, mode=None
    )
    assert (outcome.outcome, outcome.summary) == ("built", "xdp.c compiles.")
    assert await strangers.programs.attachments(strangers.run_nodes) == []


@pytest.mark.parametrize("path", REFUSED, ids=lambda p: p.stem)
async def test_a_refusal_is_explained_on_its_line_and_replaces_nothing(strangers: TwoNodes, path: Path) -> None:
    before = await strangers.programs.build(strangers.run_nodes, strangers.program(), returning("XDP_PASS"), load=True, mode=None)
    assert before.outcome == "attached"
    old = await only(strangers)
    text = path.read_text()
    outcome = await strangers.programs.build(strangers.run_nodes, strangers.program(), {"xdp.c": text}, load=True, mode=None)
    assert outcome.outcome == "refused"
    said = next(d for d in outcome.diagnostics if d.severity == "error")
    assert text.splitlines()[said.line - 1].find("/* here */") >= 0, f"shown on line {said.line}: {said.message}"
    assert said.hint and said.source == ("sandbox" if path.stem in FROM_THE_SANDBOX else "verifier")
    assert await only(strangers) == old
    await clean(strangers)


async def test_the_log_is_folded_onto_lines(strangers: TwoNodes) -> None:
    text = next(p for p in REFUSED if p.stem == "bounds").read_text()
    outcome = await strangers.programs.build(strangers.run_nodes, strangers.program(), {"xdp.c": text}, load=True, mode=None)
    said = outcome.diagnostics[0]
    assert any(part.line == said.line and "invalid access to packet" in part.text for part in outcome.log)
    assert "processed" in outcome.log[-1].text and outcome.log[-1].line == 0


@pytest.mark.parametrize("name", ["subtract", "printk", "spin_lock", "callback"])
async def test_trusted_nodes_may_do_more(trusted: TwoNodes, name: str) -> None:
    text = next(p for p in REFUSED if p.stem == name).read_text()
    outcome = await trusted.programs.build(trusted.run_nodes, trusted.program(), {"xdp.c": text}, load=True, mode=None)
    assert outcome.outcome == "attached", outcome.summary


async def test_in_trusted_nodes_nothing_is_blamed_on_the_sandbox(trusted: TwoNodes) -> None:
    text = next(p for p in REFUSED if p.stem == "bounds").read_text()
    outcome = await trusted.programs.build(trusted.run_nodes, trusted.program(), {"xdp.c": text}, load=True, mode=None)
    assert outcome.diagnostics[0].source == "verifier" and outcome.diagnostics[0].line == 13


async def test_a_classifier(strangers: TwoNodes) -> None:
    source = HEADER + '#include <linux/pkt_cls.h>\nSEC("tc") int cls(struct __sk_buff *skb) { return TC_ACT_SHOT; }\n' + LICENSE
    for _ in range(2):  # the second takes the place of the first
        outcome = await strangers.programs.build(
            strangers.run_nodes, strangers.program("tc"), {"tc.c": source}, load=True, mode=None
        )
        assert outcome.outcome == "attached", outcome
        now = await only(strangers)
        assert (now.hook, now.mode, now.name) == ("tc-egress", "", "cls")
    await strangers.programs.detach(strangers.run_nodes, "server", "eth0", "tc-egress")
    await clean(strangers)


async def test_the_function_must_keep_its_name(strangers: TwoNodes) -> None:
    source = returning("XDP_PASS")["xdp.c"].replace("prog(", "other(")
    outcome = await strangers.programs.build(strangers.run_nodes, strangers.program(), {"xdp.c": source}, load=True, mode=None)
    assert outcome.outcome == "attach_failed"
    assert outcome.summary == "There is no program named prog: the file has other."


async def test_the_kernels_reason_when_attaching_fails(strangers: TwoNodes) -> None:
    await strangers.sh("client", "ip link set dev eth0 mtu 9000")
    try:
        outcome = await strangers.programs.build(
            strangers.run_nodes, strangers.program(), returning("XDP_PASS"), load=True, mode="native"
        )
        assert outcome.outcome == "attach_failed"
        assert outcome.summary.startswith("Loaded, but it could not be attached to server:eth0: ") and "MTU" in outcome.summary
    finally:
        await strangers.sh("client", "ip link set dev eth0 mtu 1500")


@pytest.mark.parametrize(
    ("attach", "mode", "name"),
    [
        ("ip link set dev eth0 xdp obj /tmp/x.o sec xdp", "native", ""),
        ("ip link set dev eth0 xdpgeneric obj /tmp/x.o sec xdp", "generic", ""),
        (
            "bpftool prog load /tmp/x.o /sys/fs/bpf/mine && bpftool net attach xdpgeneric pinned /sys/fs/bpf/mine dev eth0",
            "generic",
            "mine",
        ),
    ],
)
async def test_what_a_shell_attaches_is_seen(strangers: TwoNodes, attach: str, mode: str, name: str) -> None:
    (strangers.run_nodes.lab_dir / "x.c").write_text(returning("XDP_PASS")["xdp.c"])
    build = "clang -target bpf -g -O2 -I/usr/include/$(uname -m)-linux-gnu -c /lab/x.c -o /tmp/x.o"
    done = await strangers.sh("server", f"{build} && {attach}", timeout_s=30)
    assert done.exit_code == 0, done.stderr
    now = await only(strangers)
    assert (now.hook, now.mode, now.name) == ("xdp", mode, name)
    await strangers.sh("server", "rm -f /sys/fs/bpf/mine")
    await clean(strangers)


async def test_a_link_in_the_bpf_file_system_leads_nowhere(strangers: TwoNodes) -> None:
    bpffs = strangers.run_nodes.places["server"].bpffs
    assert bpffs
    await strangers.sh("server", "ln -s /sys/fs/bpf /sys/fs/bpf/loop; ln -s /proc/1/ns/net /sys/fs/bpf/ns")
    assert bpf.read_pins(bpffs).programs == {}
    await strangers.sh("server", "rm /sys/fs/bpf/loop /sys/fs/bpf/ns")
