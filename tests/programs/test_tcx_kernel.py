"""Classifiers by tcx, and several at one hook: seen in the order in which the kernel asks them, taken off by the button."""

import socket

import pytest

from netlab.domain.lab import ProgramSpec
from netlab.host.counters.attached import ProgramReader
from netlab.host.kernel.syscalls import inside_netns
from tests.programs.test_load_kernel import clean
from tests.two_nodes import HEADER, LICENSE, TwoNodes

pytestmark = [pytest.mark.kernel, pytest.mark.asyncio(loop_scope="module")]
FIRST, SECOND = (
    HEADER + f'SEC("tc") int {name}(struct __sk_buff *skb) {{ return {returned}; }}\n' + LICENSE
    for name, returned in (("first", -1), ("second", 2))
)
LINK = r"""
#include <bpf/bpf.h>
#include <net/if.h>
int main(int c, char **v)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = BPF_F_BEFORE);
	opts.tcx.relative_fd = bpf_obj_get("/sys/fs/bpf/second/second");
	int link = bpf_link_create(bpf_obj_get("/sys/fs/bpf/first/first"), if_nametoindex("eth0"), BPF_TCX_INGRESS, &opts);
	return link < 0 || bpf_obj_pin(link, "/sys/fs/bpf/link");
}
"""


def program(name: str, priority: int) -> ProgramSpec:
    attach = {"node": "server", "interface": "eth0", "hook": "tc-ingress", "priority": priority}
    return ProgramSpec.model_validate({"name": name, "source": f"{name}.c", "function": name, "attach": attach})


async def load_both(lab: TwoNodes, priorities: tuple[int, int]) -> None:
    for name, text, priority in zip(("first", "second"), (FIRST, SECOND), priorities, strict=True):
        outcome = await lab.programs.build(lab.run_nodes, program(name, priority), {f"{name}.c": text}, load=True, mode=None)
        assert outcome.outcome == "attached" and outcome.summary.startswith(f"{name} runs on server:eth0: "), outcome
        assert outcome.instructions == {"first": 3, "second": 2}[name], "told of the program that was just put there"


async def seen(lab: TwoNodes) -> list[tuple[str, str, str]]:
    return [(a.name, a.hook, a.mode) for a in await lab.programs.attachments(lab.run_nodes)]


def sampler_sees_tcx(lab: TwoNodes, interface: str = "eth0", beyond: int = 0) -> bool:
    """What the sampler asks every ten seconds where it knows of no program."""
    netns = lab.run_nodes.places["server"].netns
    with inside_netns(netns):
        index = socket.if_nametoindex(interface)
    return ProgramReader(str(netns)).has_tcx([index + beyond])


async def answers(lab: TwoNodes) -> bool:
    """One answer will do: a neighbour that was asked for in vain is asked for once more only after a second."""
    return (await lab.sh("client", "ping -c4 -i0.4 -W0.3 10.0.0.2")).exit_code == 0


async def test_priorities_stand_side_by_side_in_their_order(strangers: TwoNodes) -> None:
    await load_both(strangers, (7, 3))
    assert await seen(strangers) == [("second", "tc-ingress", ""), ("first", "tc-ingress", "")]
    assert not await answers(strangers)
    await load_both(strangers, (7, 3))
    assert len(await seen(strangers)) == 2, "each takes the place of what it was"
    await strangers.programs.detach(strangers.run_nodes, "server", "eth0", "tc-ingress")
    assert await seen(strangers) == [] and await answers(strangers)
    await clean(strangers)


async def test_tcx_is_seen_in_order_before_clsact_and_taken_off(strangers: TwoNodes) -> None:
    await load_both(strangers, (1, 2))
    await strangers.sh("server", "tc filter del dev eth0 ingress pref 2")
    assert not sampler_sees_tcx(strangers)
    attach = "bpftool net attach tcx_ingress pinned /sys/fs/bpf/second/second dev eth0"
    assert (await strangers.sh("server", attach)).exit_code == 0
    assert sampler_sees_tcx(strangers), "nobody was told: no link, and it was loaded before"
    build = f"cat > /tmp/l.c <<'END'\n{LINK}\nEND\nclang -o /tmp/l /tmp/l.c -lbpf && /tmp/l"
    assert (await strangers.sh("server", build)).exit_code == 0
    both = [("first", "tc-ingress", "tcx"), ("second", "tc-ingress", "tcx")]
    assert await seen(strangers) == [*both, ("first", "tc-ingress", "")] and not await answers(strangers)
    await strangers.programs.detach(strangers.run_nodes, "server", "eth0", "tc-ingress")
    assert await seen(strangers) == [] and await answers(strangers) and not sampler_sees_tcx(strangers)
    assert sampler_sees_tcx(strangers, "lo", beyond=1000), "an interface that has gone: time to look at all"
    await strangers.sh("server", "rm /sys/fs/bpf/link")
    await clean(strangers)
