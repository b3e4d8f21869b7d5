"""What each command does: the one place where a command's kind meets the function that carries it out.

Called by the run's actor, one command at a time. `check` is asked before a command is accepted, `carry_out` after.
"""

from collections.abc import Collection

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import LabSpec
from netlab.domain.resolve import problems
from netlab.host.engine import attention, captures, checks, impair, lifecycle, programs, shells, solution, traces
from netlab.host.engine.live_run import LiveRun
from netlab.host.programs import layout
from netlab.wire.commands import (
    BLOB_BYTES_MAX,
    FILES_MAX,
    ApplySolution,
    BuildProgram,
    CloseTerminal,
    Command,
    DeleteFile,
    DetachProgram,
    ExportCapture,
    ExportHome,
    FindFunctions,
    FormatFile,
    ImpairLink,
    OpenStep,
    OpenTerminal,
    PauseRun,
    ResetNode,
    ResetRun,
    ResumeRun,
    RunCheck,
    StartCapture,
    StartRun,
    StartTrace,
    StopCapture,
    StopRun,
    StopTrace,
    WriteFile,
)
from netlab.wire.events import CommandDone

PACK_LIMIT_S = 30


def check_start(command: StartRun, runtime: str) -> None:
    """Raise what is wrong with a lab before anything of it is built."""
    if command.runtime.value != runtime:
        raise NetlabError(
            ErrorCode.LAB_CANNOT_RUN_HERE, why=f"it wants the runtime {command.runtime.value}", fix=f"This host has {runtime}.",
        )
    wrong = problems(command.lab)
    if wrong:
        where = ".".join(str(part) for part in wrong[0].loc)
        raise NetlabError(ErrorCode.LAB_INVALID, where=where, what=wrong[0].what, fix=wrong[0].fix)


def check(lab: LabSpec, files: Collection[str], command: Command) -> None:
    """Raise NODE_UNKNOWN, STEP_UNKNOWN, ... for what the lab does not have."""
    node = getattr(command, "node", None)
    if node is not None and lab.node(node) is None:
        raise NetlabError(ErrorCode.NODE_UNKNOWN, node=node, nodes=", ".join(n.name for n in lab.nodes))
    step = getattr(command, "step", None)
    if step is not None and lab.step(step) is None:
        raise NetlabError(ErrorCode.STEP_UNKNOWN, step=step, steps=", ".join(s.id for s in lab.steps))
    program = getattr(command, "program", None)
    if program is not None and lab.program(program) is None:
        raise NetlabError(ErrorCode.PROGRAM_UNKNOWN, program=program, programs=", ".join(p.name for p in lab.programs))
    if isinstance(command, WriteFile) and command.file.path not in files and len(files) >= FILES_MAX:
        raise NetlabError(ErrorCode.FILES_FULL, limit_mib=FILES_MAX)


async def carry_out(live: LiveRun, command: Command) -> None:
    """Do it and tell. Raises NetlabError for what the attendee can put right, anything else for a bug."""
    if isinstance(command, StartRun):
        await lifecycle.start(live, command.id)
    elif isinstance(command, StopRun):
        await lifecycle.stop(live, command.id)
    elif isinstance(command, ResetRun):
        await lifecycle.reset(live, command)
    elif isinstance(command, ResetNode):
        await lifecycle.reset_node(live, command.node, command.id)
    elif isinstance(command, OpenTerminal):
        await shells.open_new(live, command.terminal, command.node, command.rows, command.cols, command.id)
    elif isinstance(command, BuildProgram):
        await programs.build(live, command.program, load=command.load, mode=command.mode, command=command.id)
    elif isinstance(command, RunCheck):
        await checks.run_now(live, command.step, command.id)
    elif isinstance(command, ImpairLink):
        await impair.apply(live, command)
    elif isinstance(command, ApplySolution):
        await solution.apply(live, command)
    else:
        assert not isinstance(command, PauseRun | ResumeRun)  # the actor answers them
        what = await _carry_out_quiet(live, command)
        live.tell(CommandDone, command.id, what=what)


async def _carry_out_quiet(
    live: LiveRun,
    command: OpenStep | WriteFile | DeleteFile | CloseTerminal | DetachProgram | ExportHome | FormatFile | StartCapture
    | StopCapture | ExportCapture | StartTrace | StopTrace | FindFunctions,
) -> str:
    """Commands without a more telling event: returns what was done, in words."""
    if isinstance(command, OpenStep):
        checks.open_step(live, command.step)
        attention.refresh(live)
        return f"step {command.step} is open"
    if isinstance(command, WriteFile):
        live.mirror.write(command.file)
        return f"{command.file.path} was written"
    if isinstance(command, DeleteFile):
        live.mirror.delete(command.path)
        return f"{command.path} was deleted"
    if isinstance(command, CloseTerminal):
        await shells.close(live, command.terminal, "it was closed", command.id)
        return "the terminal was closed"
    if isinstance(command, DetachProgram):
        await programs.detach(live, command.node, command.interface, command.hook)
        return f"nothing is attached to {command.node}:{command.interface} any more"
    if isinstance(command, FormatFile):
        live.parts.outlet.blob(command.id, await layout.answer(live.parts.programs, command.path, command.content))
        return f"{command.path} was looked at for its layout"
    if isinstance(command, StartCapture):
        await captures.start(live, command)
        return f"{command.node}:{command.interface} is captured"
    if isinstance(command, StopCapture):
        await captures.stop(live, command.capture)
        return "the capture is over"
    if isinstance(command, ExportCapture):
        live.parts.outlet.blob(command.id, live.captures[command.capture].content())
        return "the capture was handed up"
    if isinstance(command, StartTrace):
        await traces.start(live, command)
        return "the trace has begun"
    if isinstance(command, StopTrace):
        await traces.stop(live, command.trace)
        return "the trace is over"
    if isinstance(command, FindFunctions):
        await traces.find(live, command)
        return "functions were looked for"
    return await _export_home(live, command)


async def _export_home(live: LiveRun, command: ExportHome) -> str:
    packed = await live.parts.nodes.execute(
        live.nodes_there, command.node, ["tar", "-C", "/root", "-czf", "-", "."],
        timeout_s=PACK_LIMIT_S, output_limit=BLOB_BYTES_MAX, cwd="/",
    )
    if packed.truncated or packed.timed_out:
        raise NetlabError(ErrorCode.FILE_TOO_LARGE, path=f"The home of {command.node}", limit_kib=BLOB_BYTES_MAX // 1024)
    live.parts.outlet.blob(command.id, packed.stdout)
    return f"the home of {command.node} was packed"
