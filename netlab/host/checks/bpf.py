"""Probes of attached programs, their maps, and how the last build ended. Called by `evaluate`; it changes nothing."""

import asyncio
from collections.abc import Iterable

from netlab.domain.probes import MapProbe, ProgramProbe, TcProbe, XdpProbe
from netlab.host.checks.context import CheckContext, Verdict
from netlab.host.kernel import bpf
from netlab.host.programs.attachments import attachments_of
from netlab.wire.events import Attachment

ENTRIES_MAX = 20_000
"""Of a map that are read for one check."""
OUTCOME_WORDS = {
    "": "no Build & load of {program} yet",
    "built": "{program} compiled, not loaded",
    "build_failed": "{program} refused by the compiler",
    "refused": "{program} refused by the verifier",
    "attach_failed": "{program} loaded, but not attached",
    "attached": "{program} loaded and attached",
}


async def xdp(probe: XdpProbe, context: CheckContext) -> Verdict:
    found = await attachments_of(context.nodes, context.run_nodes, probe.node)
    here = [a for a in found if a.hook == "xdp" and a.interface == probe.interface]
    mode = f" in {probe.mode} mode" if probe.mode else ""
    expected = _expected(probe.attached, "XDP program", probe.program, mode, probe.interface)
    fits = [a for a in here if probe.mode in (None, a.mode) and _named(a, probe.program)]
    observed = " and ".join(f"an XDP program{_name(a)} in {a.mode} mode" for a in here) or "no XDP program"
    return Verdict(bool(fits) == probe.attached, f"{observed} on {probe.interface}", expected)


async def tc(probe: TcProbe, context: CheckContext) -> Verdict:
    found = await attachments_of(context.nodes, context.run_nodes, probe.node)
    here = [a for a in found if a.hook == f"tc-{probe.direction}" and a.interface == probe.interface]
    where = f"{probe.interface} {probe.direction}"
    expected = _expected(probe.attached, "BPF classifier", probe.program, "", where)
    fits = [a for a in here if _named(a, probe.program)]
    observed = " and ".join(f"a BPF classifier{_name(a)}" for a in here) or "no BPF classifier"
    return Verdict(bool(fits) == probe.attached, f"{observed} on {where}", expected)


async def program(probe: ProgramProbe, context: CheckContext) -> Verdict:
    outcome = context.outcomes.get(probe.program, "")
    fits = outcome == probe.outcome or (probe.outcome == "built" and outcome in ("refused", "attach_failed", "attached"))
    return Verdict(fits, _outcome(outcome, probe.program), _outcome(probe.outcome, probe.program))


async def bpf_map(probe: MapProbe, context: CheckContext) -> Verdict:
    expected = _map_expected(probe)
    found = await attachments_of(context.nodes, context.run_nodes, probe.node)
    programs = sorted({a.program_id for a in found})
    bpffs = context.run_nodes.places[probe.node].bpffs

    def look() -> list[list[int]] | None:
        pinned = bpf.read_pins(bpffs).maps if bpffs else {}
        map_id = _find(probe.map, programs, pinned)
        return None if map_id is None else bpf.map_values(map_id, probe.key, ENTRIES_MAX)

    values = await asyncio.to_thread(look)
    if values is None:
        return Verdict(False, f"no map {probe.map} of a program in {probe.node}", expected)
    total = sum(sum(copies) for copies in values)
    entries = f"{len(values)} {'entry' if len(values) == 1 else 'entries'}"
    where = f"in {probe.map}" + (f" at key {probe.key}" if probe.key is not None else "")
    if probe.key is not None and not values:
        return Verdict(False, f"nothing {where}", expected)
    what = "a value of" if probe.key is not None else "a sum of"
    observed = [entries if probe.entries else "", f"{what} {total}" if probe.value else ""]
    fits = (probe.value is None or probe.value.accepts(total)) and (probe.entries is None or probe.entries.accepts(len(values)))
    return Verdict(fits, " and ".join(o for o in observed if o) + f" {where}", expected)


def _find(name: str, programs: Iterable[int], pinned: dict[int, str]) -> int | None:
    """A map of an attached program first (newest), then one that is only pinned. Long names are cut by the kernel."""
    ids: list[int] = []
    for program_id in programs:
        try:
            ids += bpf.program_info(program_id).map_ids
        except FileNotFoundError:  # detached in the meantime
            continue
    for map_id in sorted(ids, reverse=True) + sorted(pinned, reverse=True):
        try:
            known = pinned.get(map_id) or bpf.map_info(map_id).name
        except FileNotFoundError:
            continue
        if known and known[: bpf.NAME_CHARS_MAX] == name[: bpf.NAME_CHARS_MAX]:
            return map_id
    return None


def _map_expected(probe: MapProbe) -> str:
    where = f"in {probe.map}" + (f" at key {probe.key}" if probe.key is not None else "")
    value = f"{'a value of' if probe.key is not None else 'a sum of'} {probe.value.words()}" if probe.value else ""
    entries = f"{probe.entries.words()} entries" if probe.entries else ""
    return " and ".join(word for word in (entries, value) if word) + f" {where}"


def _expected(attached: bool, what: str, name: str | None, mode: str, where: str) -> str:
    article = ("an" if what[0] == "X" else "a") if attached else "no"
    return f"{article} {what}{f' {name}' if name else ''}{mode} on {where}"


def _named(attachment: Attachment, name: str | None) -> bool:
    return name is None or attachment.name[: bpf.NAME_CHARS_MAX] == name[: bpf.NAME_CHARS_MAX]


def _name(attachment: Attachment) -> str:
    return f" {attachment.name}" if attachment.name else ""


def _outcome(outcome: str, program: str) -> str:
    return OUTCOME_WORDS.get(outcome, "{program}: " + outcome).format(program=program)
