"""Builds, loads and detaches a run's programs for its attendee, and tells what is attached where.

It prepares and tells; compiling, loading and explaining are `netlab.host.programs`.
"""

import asyncio
import dataclasses
import logging
import time
from typing import Any, Literal

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.host.engine.live_run import LiveRun
from netlab.wire.events import ProgramResult, ProgramsChanged

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
LOOK_ANYWAY_S = 60.0
"""The sampler looks at all interfaces that are shown more often than that, and for less; this is for the others."""
NEWS_S = 2.0
"""From its loading until a program is attached, with a margin."""


async def build(live: LiveRun, name: str, *, load: bool, mode: Literal["native", "generic"] | None, command: str) -> str:
    """For BuildProgram and solutions. Tells ProgramResult; returns its outcome."""
    program = live.lab.program(name)
    if program is None:
        raise NetlabError(ErrorCode.PROGRAM_UNKNOWN, program=name, programs=", ".join(p.name for p in live.lab.programs))
    live.mirror.sync()  # what a shell has just written is built, too
    files = {path: file.content for path, file in live.record.files.items()}
    outcome = await live.parts.programs.build(live.nodes_there, program, files, load=load, mode=mode)
    live.record.outcomes = {**live.record.outcomes, name: outcome.outcome}
    if outcome.outcome == "attached":
        live.record.map_layouts = {**live.record.map_layouts, name: outcome.map_layouts}
    live.tell(ProgramResult, command, **_fields(outcome, program=name))
    await look(live)
    return outcome.outcome


async def detach(live: LiveRun, node: str, interface: str, hook: str) -> None:
    await live.parts.programs.detach(live.nodes_there, node, interface, hook)
    await look(live)


async def look(live: LiveRun) -> None:
    """Tell what is attached if it is not what was told last."""
    attachments = await live.parts.programs.attachments(live.nodes_there)
    live.had_programs |= bool(attachments)
    if attachments != live.told_attachments:
        live.told_attachments = attachments
        live.tell(ProgramsChanged, attachments=attachments)


async def watch(live: LiveRun) -> None:
    """Look every second, without end: shells attach programs, too. Cancelled when nobody looks any more.

    Where none has ever been attached, only when the sampler has seen one, whom the kernel tells of interfaces that have changed,
    or somebody has loaded one a moment ago; and now and then in any case.
    """
    looked_at = float("-inf")
    while True:
        if may_be_there(live, time.monotonic() - looked_at):
            looked_at = time.monotonic()
            try:
                await look(live)
            except Exception:  # a namespace in the middle of a change must not end the watch
                log.exception("looking for programs of run %s", live.run)
            live.programs_looked.set()
        await asyncio.sleep(LOOK_EVERY_S)


def may_be_there(live: LiveRun, looked_ago_s: float) -> bool:
    """Whether it makes sense to look for programs, and for their maps."""
    if live.had_programs or live.parts.sampler.has_programs(live.run):
        return True
    return looked_ago_s >= LOOK_ANYWAY_S or live.parts.bpf_news.within(NEWS_S)


def _fields(outcome: Any, program: str) -> dict[str, Any]:
    known = {"program", *ProgramResult.model_fields} - {"v", "run", "generation", "at", "command", "kind"}
    found = {f.name: getattr(outcome, f.name) for f in dataclasses.fields(outcome) if f.name in known}
    return {"program": program} | found
