"""Links that are impaired while a lab runs, and tunnels whose keys no two runs share."""

from typing import Any

import pytest

from netlab.domain.errors import ErrorCode
from netlab.wire.commands import ImpairLink, ResetNode
from netlab.wire.events import CommandFailed, Impairment, LinkImpaired, NodeReset
from tests.contract.kit import Kit, Run, lab

pytestmark = pytest.mark.kernel

HAS_NETEM = "tc qdisc add dev lo root netem 2> /dev/null && echo ye''s || echo n''o"


async def _netem(run: Run, there: bool) -> None:
    """As a shell in the client sees it."""
    await run.shell(run.terminals[0], "tc qdisc show dev eth0 | grep -c netem | sed s/^/coun''t=/", f"count={int(there)}")


async def test_an_impaired_link_says_so_stays_so_and_can_be_put_right(kit: Kit) -> None:
    run = await kit.start()
    command = await run.send(ImpairLink, node="client", interface="eth0", delay_ms=40, loss_percent=1.5)
    ended: Any = await kit.out.until(
        lambda: kit.out.of(LinkImpaired, command=command.id) or kit.out.of(CommandFailed, command=command.id), "its end",
    )
    if isinstance(ended[0], CommandFailed):
        assert not kit.is_vm, "a guest's kernel has netem"
        assert ended[0].error.code is ErrorCode.CANNOT_IMPAIR and "no netem" in ended[0].error.message
        await run.shell(run.terminals[0], HAS_NETEM, "no")
        return
    assert ended[0].impairment == Impairment(node="client", interface="eth0", delay_ms=40, loss_percent=1.5)
    await _netem(run, True)
    for node in ("server", "client"):
        command = await run.send(ResetNode, node=node)
        await kit.out.told(NodeReset, command=command.id)
        await _netem(run, True)
    command = await run.send(ImpairLink, node="client", interface="eth0")
    await kit.out.told(LinkImpaired, command=command.id)
    await _netem(run, False)


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ({"interface": "eth9", "delay_ms": 5}, "no end of a link"),
        ({"interface": "eth0", "delay_ms": 5, "jitter_ms": 9}, "varies"),
    ],
)
async def test_what_cannot_be_is_said_and_changes_nothing(kit: Kit, wish: dict[str, Any], why: str) -> None:
    run = await kit.start()
    command = await run.send(ImpairLink, node="client", **wish)
    failed = await kit.out.told(CommandFailed, command=command.id)
    assert failed.error.code is ErrorCode.CANNOT_IMPAIR and why in failed.error.message and failed.error.hint
    assert kit.out.of(LinkImpaired) == []


async def test_a_link_that_the_lab_impairs_is_told_from_the_start(vm: Kit) -> None:
    run = await vm.start(lab(links=[{"ends": ["client:eth0", "server:eth0"], "impairment": {"delay_ms": 20}}]))
    for node in ("client", "server"):
        told = await vm.out.told(LinkImpaired, run=run.id, impairment=Impairment(node=node, interface="eth0", delay_ms=20))
        assert told.generation == run.generation
    await _netem(run, True)


async def test_no_two_runs_share_a_tunnels_keys(vm: Kit) -> None:
    def end(name: str, peer: str, number: int) -> dict[str, Any]:
        tunnel = {"kind": "wireguard", "peers": [{
            "node": peer, "interface": "wg0", "allowed_ips": ["10.7.0.0/24"], "endpoint": f"10.0.0.{3 - number}",
        }]}
        return {"name": name, "interfaces": [
            {"name": "eth0", "addresses": [f"10.0.0.{number}/24"]},
            {"name": "wg0", "addresses": [f"10.7.0.{number}/24"], "device": tunnel},
        ]}

    spec = lab(nodes=[end("client", "server", 1), end("server", "client", 2)])
    keys = []
    for _ in range(2):
        run = await vm.start(spec)
        await run.shell(run.terminals[0], "until ping -c1 -W5 10.7.0.2 > /dev/null; do sleep .1; done; echo th''ere", "there")
        before = len(vm.out.output[run.terminals[0]])
        await run.shell(run.terminals[0], "echo key=$(wg show wg0 public-key)=ye''k", "=yek")
        said = bytes(vm.out.output[run.terminals[0]][before:])
        keys.append(said.rpartition(b"key=")[2].partition(b"=yek")[0])
    assert len(set(keys)) == 2 and all(len(key) == 44 for key in keys)
