"""Carries out a step's solution, as an attendee would: write files, load programs, run commands in nodes.

Called for ApplySolution (the lab tester, an instructor who shows the way). Nothing of it runs outside the nodes.
"""

import shlex
from collections.abc import Mapping

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import DetachAction, LoadAction, RunAction, SolutionAction, WriteAction
from netlab.host.engine import programs
from netlab.host.engine.live_run import LiveRun
from netlab.wire.commands import ApplySolution, LabFile
from netlab.wire.events import CommandDone


async def apply(live: LiveRun, command: ApplySolution) -> None:
    """All actions in their order. Raises at the first that did not do what the solution says it does."""
    files = {file.path: file for file in command.files}
    notes = [note for action in command.actions if (note := await _carry_out(live, action, files, command.id))]
    live.tell(CommandDone, command.id, what="; ".join([f"the solution of step {command.step} was applied", *notes]))


async def _carry_out(live: LiveRun, action: SolutionAction, files: Mapping[str, LabFile], command: str) -> str:
    """One action; a remark for the author, or ''."""
    if isinstance(action, WriteAction):
        if action.file not in files:
            raise NetlabError(ErrorCode.FILE_UNKNOWN, path=action.file, paths=", ".join(files))
        live.mirror.write(files[action.file], always=True)
    elif isinstance(action, LoadAction):
        outcome = await programs.build(live, action.program, load=True, mode=action.mode, command=command)
        if outcome != action.expect:
            what = f"The solution's {action.program} ended as {outcome}, not as {action.expect}."
            raise NetlabError(ErrorCode.BAD_INPUT, what=what, fix="Look at its program panel.")
    elif isinstance(action, DetachAction):
        await programs.detach(live, action.node, action.interface, action.hook)
    else:
        return await _run(live, action)
    return ""


async def _run(live: LiveRun, action: RunAction) -> str:
    """A command may well fail (a ping that is to be dropped): that is said, it does not end the solution."""
    result = await live.parts.nodes.execute(
        live.nodes_there, action.node, action.run, timeout_s=action.timeout_s, background=action.background,
    )
    if result.timed_out:
        return f"'{shlex.join(action.run)}' was stopped after {action.timeout_s:g} s"
    return f"'{shlex.join(action.run)}' ended with code {result.exit_code}" if result.exit_code else ""
