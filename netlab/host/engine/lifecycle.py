"""Brings a run into being, back to its first state, and away: whole, or not at all.

Called by the run's actor, one call at a time; a start or reset that is cancelled or fails is undone before it returns.
Building itself is done by `Nodes`; this module knows the order, the run's state and what is told.
"""

import asyncio
import logging
import time

from netlab.domain.errors import ErrorBody, ErrorCode, NetlabError
from netlab.domain.ids import new_bug_id
from netlab.domain.lifecycle import RunState
from netlab.domain.resolve import resolve
from netlab.host.engine import attention, captures, impair, shells, traces
from netlab.host.engine.live_run import LiveRun
from netlab.host.engine.parts import HeldMaster
from netlab.host.engine.state import FileState, TerminalState
from netlab.host.engine.step_teller import StepTeller, turn
from netlab.host.nodes.api import RunNodes
from netlab.host.steps import Steps
from netlab.wire.commands import ResetRun
from netlab.wire.events import NodeReset

log = logging.getLogger(__name__)

BUILD_LIMIT_S = 60
REMOVE_TRIES = 3
REMOVE_AGAIN_AFTER_S = 1.0
BUSY = "Wait for other labs that are being built"


async def start(live: LiveRun, command: str) -> None:
    """From STARTING to RUNNING or FAILED. Cancelled: undone, the state is the canceller's business."""
    live.record.tries += 1
    await live.save()
    sink = StepTeller(live, command)
    try:
        async with turn(live.parts.start_slots, sink, BUSY):
            if live.record.tries > 1:
                await live.parts.nodes.remove(live.run)
            await _build(live, sink, live.record.terminals, {}, command)
    except Exception as error:
        await fail(live, _explain(live, error, sink), command)
        return
    await _running(live, command)


async def reset(live: LiveRun, command: ResetRun) -> None:
    """From RESETTING to RUNNING or FAILED: new nodes in place of the old ones, the same terminals for the declared."""
    sink = StepTeller(live, command.id)
    live.record.tries += 1
    await live.save()
    try:
        await attention.pause(live)
        if command.files is None:
            live.mirror.sync()
        else:
            live.record.files = {f.path: FileState(version=f.version, content=f.content) for f in command.files}
        kept, offsets = await shells.take_down(live, "the lab was reset", keep_declared=True)
        live.record.outcomes, live.record.map_layouts = {}, {}
        async with turn(live.parts.start_slots, sink, BUSY):
            await _remove(live)
            await _build(live, sink, kept, offsets, command.id)
    except Exception as error:
        await fail(live, _explain(live, error, sink), command.id)
        return
    await _running(live, command.id)


async def reset_node(live: LiveRun, node: str, command: str) -> None:
    """One node as new. A failure leaves the run running; pressing again tries again."""
    sink = StepTeller(live, command)
    await attention.pause(live)
    try:
        live.mirror.sync()
        kept, offsets = await shells.take_down(live, "the node was reset", node, keep_declared=True)
        await live.parts.sampler.remove_run(live.run)
        live.node_watch.end(node)
        try:
            async with asyncio.timeout(BUILD_LIMIT_S), Steps(sink) as steps:
                await live.parts.nodes.reset_node(live.nodes_there, node, steps)
                steps.keep()
            await impair.again(live)
        finally:
            await live.parts.sampler.add_run(live.run, live.nodes_there.lab, live.nodes_there.places)
        live.node_watch.begin([live.nodes_there.places[node]])
        await shells.open_all(live, kept, offsets, command)
        live.tell(NodeReset, command, node=node)
    finally:
        live.nodes_steady = True
        live.told_attachments, live.told_verdicts = None, {}
        attention.refresh(live)


async def stop(live: LiveRun, command: str | None) -> None:
    """From STOPPING to STOPPED; to FAILED only when something of the run cannot be removed."""
    await attention.pause(live)
    sink = StepTeller(live, command)
    steps = Steps(sink)
    try:
        async with steps.step("remove", "Take the lab down"):
            live.mirror.sync()  # the last edits made in a shell are told before /lab goes away
            await shells.take_down(live, "the lab was stopped", keep_declared=False)
            await _remove(live)
    except Exception as error:
        await fail(live, _explain(live, error, sink), command)
        return
    await _end(live, RunState.STOPPED, None, command)


async def fail(live: LiveRun, error: ErrorBody, command: str | None) -> None:
    """To FAILED: nothing is held any more."""
    await attention.pause(live)
    await shells.take_down(live, error.message, keep_declared=False)
    try:
        await _remove(live)
    except Exception:  # what is left carries our mark and is removed at the next start of the agent
        log.exception("removing run %s after a failure", live.run)
    await _end(live, RunState.FAILED, error, command)


async def adopt(live: LiveRun, held: dict[str, HeldMaster]) -> bool:
    """Go on with a run that is there (the agent was restarted). False: it is not whole; then it is failed and removed."""
    nodes = await live.parts.nodes.adopt(live.run, resolve(live.lab))
    if nodes is None:
        why = "the machine that runs it was restarted" if not await _anything_left(live) else "a part of it is gone"
        await fail(live, NetlabError(ErrorCode.RUN_LOST, why=why).body(), None)
        return False
    live.run_nodes = nodes
    live.node_watch.begin(nodes.places.values())
    live.mirror.open(nodes.lab_dir, _owner(nodes), write=False)
    await live.parts.sampler.add_run(live.run, nodes.lab, nodes.places)
    await shells.adopt(live, held)
    live.nodes_steady = True
    live.tell_state()
    attention.refresh(live)
    return True


async def _build(live: LiveRun, sink: StepTeller, terminals: list[TerminalState], offsets: dict[str, int], command: str) -> None:
    """Everything from namespaces to shells; on any failure all of it is taken back."""
    lab = resolve(live.lab)
    async with asyncio.timeout(BUILD_LIMIT_S), Steps(sink) as steps:
        live.run_nodes = await live.parts.nodes.create(live.run, lab, live.record.isolation, steps)
        steps.undo("the rest of the run", lambda: _let_go(live))
        async with steps.step("files", f"Put {len(live.record.files)} files into /lab"):
            live.mirror.open(live.run_nodes.lab_dir, _owner(live.run_nodes), write=True)
        sampled = asyncio.ensure_future(live.parts.sampler.add_run(live.run, lab, live.run_nodes.places))
        try:
            if terminals:
                title = "Open a terminal" if len(terminals) == 1 else f"Open {len(terminals)} terminals"
                async with steps.step("terminals", title):
                    await shells.open_all(live, terminals, offsets, command)
        finally:
            await asyncio.shield(sampled)  # the sampler's word first: whoever undoes this asks it to let go again
        steps.keep()


async def _running(live: LiveRun, command: str) -> None:
    live.record.state, live.record.tries, live.record.error = RunState.RUNNING, 0, None
    live.node_watch.begin(live.nodes_there.places.values())
    live.nodes_steady = True
    live.told_attachments, live.told_verdicts = None, {}
    impair.begin(live)
    await live.save()
    live.tell_state(command)
    attention.refresh(live)


async def _end(live: LiveRun, state: RunState, error: ErrorBody | None, command: str | None) -> None:
    record = live.record
    record.state, record.error, record.changed_at = state, error, time.time()
    record.forget_content()
    await captures.forget_all(live)
    await traces.forget(live)
    await live.settle()
    await live.save()
    live.tell_state(command)


async def _remove(live: LiveRun) -> None:
    await _let_go(live)
    for attempt in range(1, REMOVE_TRIES + 1):
        try:
            await live.parts.nodes.remove(live.run)
            return
        except Exception:  # a mount or cgroup may be busy for a moment; the last failure is raised
            if attempt == REMOVE_TRIES:
                raise
            log.exception("removing run %s, attempt %d", live.run, attempt)
            await asyncio.sleep(REMOVE_AGAIN_AFTER_S)


async def _let_go(live: LiveRun) -> None:
    """Nothing of the engine's own holds the nodes any more: watch, shells, mirror, sampler."""
    live.node_watch.end()
    for terminal in live.desk.of_run(live.run):
        await shells.hang_up(live, terminal.id)
    live.mirror.close()
    await live.parts.sampler.remove_run(live.run)
    live.run_nodes = None


def _explain(live: LiveRun, error: Exception, sink: StepTeller) -> ErrorBody:
    """What the attendee is told; a bug's traceback goes to the log under the id they are told."""
    if isinstance(error, NetlabError):
        return error.body()
    bug = new_bug_id()
    log.error("run %s could not be built (%s)", live.run, bug, exc_info=error)
    why = f"'{sink.failed_title}' did not work" if sink.failed_title else "something in netlab broke"
    if isinstance(error, TimeoutError):
        why = f"it took longer than {BUILD_LIMIT_S} seconds"
    return NetlabError(ErrorCode.START_FAILED, why=why, id=bug).body()


async def _anything_left(live: LiveRun) -> bool:
    return live.run in await live.parts.nodes.owned_runs()


def _owner(nodes: RunNodes) -> int:
    return next(iter(nodes.places.values())).uid_base
