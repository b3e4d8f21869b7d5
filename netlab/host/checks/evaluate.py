"""A check of a step -> its verdict: whether it passed, what was observed, what was expected. Called by the engine.

Each family of probes has its module. A probe that cannot look (no such node any more, a socket that fails) is never
green and says so; only a bug goes on up.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError

from netlab.domain.errors import NetlabError
from netlab.domain.lab import CheckSpec
from netlab.host.checks import bpf, bridge, command, files, hardware, netdev, reach, tunnel
from netlab.host.checks.context import CheckContext, Verdict
from netlab.wire.events import CheckVerdict

__all__ = ["CheckContext", "evaluate"]

SENTENCE_CHARS_MAX = 400

PROBES: dict[str, Callable[[Any, CheckContext], Awaitable[Verdict]]] = {
    "interface": netdev.interface, "address": netdev.address, "route": netdev.route, "neighbour": netdev.neighbour,
    "qdisc": netdev.qdisc, "xdp": bpf.xdp, "tc": bpf.tc, "map": bpf.bpf_map, "program": bpf.program,
    "counter": files.counter, "file": files.file, "ping": reach.ping, "tcp": reach.tcp, "udp": reach.udp,
    "command": command.command, "bridge_vlan": bridge.bridge_vlan, "fdb": bridge.fdb, "filter": hardware.filter,
    "tagger": hardware.tagger, "stat": hardware.stat, "wireguard_peer": tunnel.wireguard_peer,
}
"""By `kind`; a test compares it with netlab.domain.probes."""


async def evaluate(check: CheckSpec, context: CheckContext) -> CheckVerdict:
    try:
        verdict = await PROBES[check.probe.kind](check.probe, context)
    except NetlabError as error:
        verdict = Verdict(False, f"a check that could not look: {error.message}", "a look at it")
    except (OSError, NetlinkError, ValueError) as error:
        verdict = Verdict(False, f"a check that could not look: {_reason(error)}", "a look at it")
    observed, expected = verdict.observed[:SENTENCE_CHARS_MAX], verdict.expected[:SENTENCE_CHARS_MAX]
    return CheckVerdict(check=check.id, passed=verdict.passed, observed=observed, expected=expected)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
