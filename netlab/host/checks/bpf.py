"""Probes of attached programs, their maps, and how the last build ended. Called by `evaluate`; it changes nothing."""

import asyncio
from collections.abc import Iterable

from netlab.domain.probes import MapProbe, ProgramProbe, TcProbe, XdpProbe
from netlab.host.checks.context import CheckContext, Verdict
from netlab.host.kernel import bpf
from netlab.host.programs.attachments import attachments_of
from netlab.host.programs.maps import TYPES as MAP_TYPES
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
    by, later = f" by {probe.by}" if probe.by else "", f" before {probe.before}" if probe.before else ""
    where = f"{probe.interface} {probe.direction}"
    expected = _expected(probe.attached, "BPF classifier", probe.program, by, where + later)
    fits = [
        at for at, a in enumerate(here)
        if _named(a, probe.program) and probe.by in (None, "tcx" if a.mode == "tcx" else "clsact")
        and (probe.before is None or any(_named(other, probe.before) for other in here[at + 1 :]))
    ]
    observed = ", then ".join(f"a BPF classifier{_name(a)}{' by tcx' if a.mode == 'tcx' else ''}" for a in here)
    return Verdict(bool(fits) == probe.attached, f"{observed or 'no BPF classifier'} on {where}", expected)


async def program(probe: ProgramProbe, context: CheckContext) -> Verdict:
    outcome = context.outcomes.get(probe.program, "")
    fits = outcome == probe.outcome or (probe.outcome == "built" and outcome in ("refused", "attach_failed", "attached"))
    return Verdict(fits, _outcome(outcome, probe.program), _outcome(probe.outcome, probe.program))


async def bpf_map(probe: MapProbe, context: CheckContext) -> Verdict:
    expected = _map_expected(probe)
    found = await attachments_of(context.nodes, context.run_nodes, probe.node)
    programs = sorted({a.program_id for a in found})
    bpffs = context.run_nodes.places[probe.node].bpffs

    def look() -> tuple[str, list[list[int]]] | None:
        pinned = bpf.read_pins(bpffs).maps if bpffs else {}
        map_id = _find(probe.map, programs, pinned)
        if map_id is None:
            return None
        kind = MAP_TYPES.get(bpf.map_info(map_id).type, "of another type")
        asks_entries = probe.value is not None or probe.entries is not None
        return kind, bpf.map_values(map_id, probe.key, ENTRIES_MAX) if asks_entries else []

    seen = await asyncio.to_thread(look)
    if seen is None:
        return Verdict(False, f"no map {probe.map} of a program in {probe.node}", expected)
    kind, values = seen
    if probe.type not in (None, kind):
        return Verdict(False, f"{probe.map} of type {kind}", expected)
    return _values(probe, values, expected)


def _values(probe: MapProbe, values: list[list[int]], expected: str) -> Verdict:
    total = sum(sum(copies) for copies in values)
    entries = f"{len(values)} {'entry' if len(values) == 1 else 'entries'}"
    where = f"in {probe.map}" + (f" at key {probe.key}" if probe.key is not None else "")
    if probe.key is not None and not values and probe.value is not None:
        return Verdict(False, f"nothing {where}", expected)
    what = "a value of" if probe.key is not None else "a sum of"
    observed = [entries if probe.entries else "", f"{what} {total}" if probe.value else ""]
    fits = (probe.value is None or probe.value.accepts(total)) and (probe.entries is None or probe.entries.accepts(len(values)))
    if not any(observed):
        return Verdict(fits, expected, expected)
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
    of = f"{probe.map} of type {probe.type}" if probe.type else ""
    asked = " and ".join(word for word in (entries, value) if word)
    return ", with ".join(word for word in (of, f"{asked} {where}" if asked else "") if word)


def _expected(attached: bool, what: str, name: str | None, mode: str, where: str) -> str:
    article = ("an" if what[0] == "X" else "a") if attached else "no"
    return f"{article} {what}{f' {name}' if name else ''}{mode} on {where}"


def _named(attachment: Attachment, name: str | None) -> bool:
    return name is None or attachment.name[: bpf.NAME_CHARS_MAX] == name[: bpf.NAME_CHARS_MAX]


def _name(attachment: Attachment) -> str:
    return f" {attachment.name}" if attachment.name else ""


def _outcome(outcome: str, program: str) -> str:
    return OUTCOME_WORDS.get(outcome, "{program}: " + outcome).format(program=program)
