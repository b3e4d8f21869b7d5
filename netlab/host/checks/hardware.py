"""Probes of what hardware does: tc filters that are offloaded, a switch's tagger, statistics of a card. Called by `evaluate`."""

import asyncio
import errno
import socket
from collections.abc import Sequence

from netlab.domain.probes import FilterProbe, StatProbe, TaggerProbe
from netlab.host.checks.context import CheckContext, Verdict
from netlab.host.counters.ethtool import Ethtool
from netlab.host.kernel import netlink_dump
from netlab.host.kernel.tc_filters import Filter, filters_of
from netlab.host.programs.attachments import open_route_socket

RATE_WINDOW_S = 0.5
"""Between the two readings of a statistic's rate."""
NO_FILTERS = frozenset({errno.ENOENT, errno.EINVAL})
"""There is neither clsact nor ingress, or no egress side of it."""
NO_STATISTICS = frozenset({errno.ENODEV, errno.EOPNOTSUPP, errno.EINVAL})


async def filter(probe: FilterProbe, context: CheckContext) -> Verdict:
    sock = await open_route_socket(context.nodes, context.run_nodes, probe.node)
    found = await asyncio.to_thread(_filters, sock, probe)
    where = f"on {probe.interface} {probe.direction}"
    expected = f"{'a' if probe.present else 'no'} {_wanted(probe)} {where}"
    same = [f for f in found if probe.classifier in (None, f.classifier) and probe.action in (None, f.action)]
    fits = [f for f in same if _fits(probe, f)]
    observed = " and ".join(f"a {_seen(probe, f)}" for f in same or found) or "no filter"
    return Verdict(bool(fits) == probe.present, f"{observed} {where}", expected)


def _filters(sock: socket.socket, probe: FilterProbe) -> Sequence[Filter]:
    with sock:
        index = next((link.index for link in netlink_dump.links(sock) if link.name == probe.interface), None)
        if index is None:
            return ()
        try:
            return filters_of(sock, index, probe.direction)
        except OSError as error:
            if error.errno in NO_FILTERS:
                return ()
            raise


def _fits(probe: FilterProbe, found: Filter) -> bool:
    hits = probe.packets is None or probe.packets.accepts(found.packets)
    in_hardware = probe.hw_packets is None or probe.hw_packets.accepts(found.hw_packets)
    return probe.in_hw in (None, found.in_hw) and hits and in_hardware


def _wanted(probe: FilterProbe) -> str:
    words = [f"{probe.classifier or ''} filter".strip()]
    words += [f"with action {probe.action}"] if probe.action else []
    words += [] if probe.in_hw is None else ["in hardware" if probe.in_hw else "in software alone"]
    words += [f"with {probe.packets.words()} hits"] if probe.packets else []
    words += [f"with {probe.hw_packets.words()} hits in hardware"] if probe.hw_packets else []
    return " ".join(words)


def _seen(probe: FilterProbe, found: Filter) -> str:
    words = [f"{found.classifier} filter"]
    words += [f"with action {found.action or 'none'}"] if probe.action else []
    words += [] if probe.in_hw is None else ["in hardware" if found.in_hw else "in software alone"]
    words += [f"with {found.packets} hits"] if probe.packets else []
    words += [f"with {found.hw_packets} hits in hardware"] if probe.hw_packets else []
    return " ".join(words)


async def tagger(probe: TaggerProbe, context: CheckContext) -> Verdict:
    argv = ["cat", f"/sys/class/net/{probe.interface}/dsa/tagging"]
    done = await context.nodes.execute(context.run_nodes, probe.node, argv, cwd="/")
    expected = f"the tagger {probe.tagger} on {probe.interface}"
    if done.exit_code != 0:
        return Verdict(False, f"no conduit {probe.interface}", expected)
    now = done.stdout.decode(errors="replace").strip()
    return Verdict(now == probe.tagger, f"the tagger {now} on {probe.interface}", expected)


async def stat(probe: StatProbe, context: CheckContext) -> Verdict:
    bounds = probe.per_second or probe.total
    assert bounds is not None  # the model demands one
    what = f"{probe.name} of {probe.node}:{probe.interface}"
    unit = " per second" if probe.per_second else ""
    expected = f"{bounds.words()}{unit} in {what}"
    sock = await context.nodes.open_socket(context.run_nodes, probe.node, socket.AF_INET, socket.SOCK_DGRAM)
    with sock:
        ask = Ethtool(sock, own_buffer=True)
        value = await asyncio.to_thread(_statistic, ask, probe)
        if value is not None and probe.per_second:
            await asyncio.sleep(RATE_WINDOW_S)
            later = await asyncio.to_thread(_statistic, ask, probe)
            value = None if later is None else max(0.0, (later - value) / RATE_WINDOW_S)
    if value is None:
        return Verdict(False, f"no statistic {what}", expected)
    return Verdict(bounds.accepts(value), f"{value:g}{unit} in {what}", expected)


def _statistic(ask: Ethtool, probe: StatProbe) -> float | None:
    device = probe.interface.encode()
    try:
        names = ask.names(device)
        values = ask.values(device, len(names))
    except OSError as error:
        if error.errno in NO_STATISTICS:
            return None
        raise
    return float(values[names.index(probe.name)]) if values and probe.name in names else None
