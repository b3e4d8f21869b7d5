"""What a host tells becomes rows: the only writer of observed things. Called by the projector, once or more per event.

An event that comes twice, late or against the life cycle changes nothing. A host's word that a run has ended is always
taken, whatever we wished meanwhile: a run that holds nothing cannot be reset.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import LINKS_MAX
from netlab.domain.lifecycle import ENDED, RunState, can_move
from netlab.runs import bringing
from netlab.runs.actions import do_stop_run
from netlab.runs.admission import do_admit_queued
from netlab.runs.choices import TerminalState
from netlab.runs.files import changed_since_start, do_shell_change, write_command
from netlab.runs.models import ProgramOutcome, ProjectedEvent, Run, Terminal
from netlab.runs.moves import move
from netlab.runs.pausing import do_resume_run, resumes_once_paused
from netlab.runs.telling import nudge, wish
from netlab.runs.times import idle_sentence, is_idle
from netlab.wire.commands import Command, DeleteFile, OpenStep
from netlab.wire.events import (
    CheckResult,
    CommandDone,
    CommandFailed,
    Event,
    FileChanged,
    HostStepFinished,
    HostStepStarted,
    LinkImpaired,
    NodeReset,
    ProgramResult,
    ProgramsChanged,
    RunStateChanged,
    TerminalClosed,
    TerminalOpened,
)
from netlab.workshops.telling import tell_roster

log = structlog.get_logger("netlab.runs")

HOST_STEPS_MAX = 60
IMPAIRMENTS_MAX = 2 * LINKS_MAX
INTERFACE_CHARS_MAX = 15
FREES_ITS_PLACE = ENDED | {RunState.PAUSED}


def do_host_event(event: Event, entry: str = "") -> bool:
    """Project one event. `entry` names it in its stream; one that is known is skipped. True: something was written."""
    with transaction.atomic():
        if entry and not ProjectedEvent.objects.get_or_create(entry=entry)[1]:
            return False
        run = Run.objects.select_for_update(of=("self",)).select_related("workshop").filter(pk=event.run).first()
        if run is None:
            log.info("event_of_unknown_run", run=event.run, kind=event.kind)
            return False
        handler = HANDLERS.get(type(event))
        return handler(run, event) if handler else False


def _is_stale(run: Run, event: Event) -> bool:
    return event.generation < run.generation


# --- the run's state


def _run_state(run: Run, event: RunStateChanged) -> bool:
    if event.state not in ENDED and _is_stale(run, event):
        log.info("state_stale", run=run.pk, state=event.state.value, generation=event.generation, now=run.generation)
        return False
    if event.state is run.run_state:
        return False
    goes_on = event.state is RunState.PAUSED and resumes_once_paused(run)
    if not _reach(run, event):
        log.info("state_ignored", run=run.pk, state=event.state.value, now=run.state)
        return False
    if event.state is RunState.RUNNING:
        _catch_up(run)
    elif event.state in FREES_ITS_PLACE:
        transaction.on_commit(lambda: do_admit_queued(run.host))
    if goes_on:
        transaction.on_commit(lambda: _go_on(run))
    return True


def _go_on(run: Run) -> None:
    try:
        do_resume_run(run)
    except NetlabError as error:  # the host fell silent or the pace is spent: it stays paused, and its page offers Resume
        log.info("not_resumed", run=run.pk, code=error.code.value)


def _reach(run: Run, event: RunStateChanged) -> bool:
    """By the table; an end that nobody wished goes by way of `stopping`."""
    if can_move(run.run_state, event.state):
        move(run, event.state, event.error)
        return True
    if event.state is RunState.STOPPED and can_move(run.run_state, RunState.STOPPING):
        move(run, RunState.STOPPING)
        move(run, RunState.STOPPED, event.error)
        return True
    return False


def _catch_up(run: Run) -> None:
    """Send what was saved or opened while the host was building."""
    late: list[Command] = [
        DeleteFile(path=f.path, **wish(run)) if f.deleted else write_command(run, f) for f in changed_since_start(run)
    ]
    if run.open_step != run.start_sent.get("step"):
        late.append(OpenStep(step=run.open_step, **wish(run)))
    if late:
        nudge(run.host, *late)
    bringing.carry_on(run)


def _command_done(run: Run, event: CommandDone) -> bool:
    return bringing.note_done(run, event.command)


def _command_failed(run: Run, event: CommandFailed) -> bool:
    """Only a refused start ends a run, a refused pause or resume is wished no more; everything else is between the host
    and the browser that asked."""
    if event.command is None or event.error.code is ErrorCode.COMMAND_STALE:
        return False
    if bringing.note_failed(run, event.command, event.error):
        return True
    if run.wish and event.command == run.wish_command:
        _forget_wish(run, event)
        return True
    refused = Terminal.objects.filter(run=run, state=TerminalState.OPENING, opened_by=event.command)
    if refused.update(state=TerminalState.CLOSED, closed_reason=event.error.message[:200]):
        return True
    if event.command == run.start_sent.get("command") and run.run_state is RunState.STARTING:
        move(run, RunState.FAILED, event.error)
        transaction.on_commit(lambda: do_admit_queued(run.host))
        return True
    return False


def _forget_wish(run: Run, event: CommandFailed) -> None:
    """A run that nobody looks at and that cannot be put aside is stopped: its place is for others."""
    run.wish, run.wish_command = "", ""
    run.save(update_fields=["wish", "wish_command"])
    if event.error.code is ErrorCode.CANNOT_PAUSE and is_idle(run):
        do_stop_run(run, idle_sentence("stopped. Your files are kept"))


# --- what the host does, step by step


def _step_started(run: Run, event: HostStepStarted) -> bool:
    return _set_step(run, {"key": event.key, "title": event.title, "state": "running", "ms": None, "detail": ""})


def _step_finished(run: Run, event: HostStepFinished) -> bool:
    state = "done" if event.ok else "failed"
    return _set_step(run, {"key": event.key, "title": event.title, "state": state, "ms": event.ms, "detail": event.detail})


def _set_step(run: Run, step: dict[str, Any]) -> bool:
    steps = [s if s["key"] != step["key"] else step for s in run.host_steps]
    if not any(s["key"] == step["key"] for s in run.host_steps):
        steps.append(step)
    run.host_steps = steps[-HOST_STEPS_MAX:]
    run.save(update_fields=["host_steps"])
    return True


# --- checks, files, programs, terminals


def _check_result(run: Run, event: CheckResult) -> bool:
    """Verdicts are sticky one way: `ever_passed` never goes back."""
    if _is_stale(run, event):
        return False
    at = datetime.fromtimestamp(event.at, UTC)
    rows = {row.check_id: row for row in run.checks.filter(step=event.step)}
    progress = False
    for verdict in event.verdicts:
        row = rows.get(verdict.check)
        if row is None or (row.at is not None and row.at > at):
            continue
        progress |= verdict.passed and not row.ever_passed
        row.passed, row.ever_passed = verdict.passed, row.ever_passed or verdict.passed
        row.observed, row.expected, row.at = verdict.observed, verdict.expected, at
        row.save()
    if progress:
        tell_roster(run.workshop_id)
    return True


def _file_changed(run: Run, event: FileChanged) -> bool:
    do_shell_change(run, event)
    return True


def _program_result(run: Run, event: ProgramResult) -> bool:
    if _is_stale(run, event):
        return False
    ProgramOutcome.objects.update_or_create(run=run, program=event.program, defaults={"result": event.model_dump(mode="json")})
    return True


def _programs(run: Run, event: ProgramsChanged) -> bool:
    if _is_stale(run, event) or run.is_ended:
        return False
    run.attachments = [a.model_dump(mode="json") for a in event.attachments]
    run.save(update_fields=["attachments"])
    return True


def _terminal_opened(run: Run, event: TerminalOpened) -> bool:
    if run.is_ended:
        return False
    fields: dict[str, Any] = {"state": TerminalState.OPEN, "closed_reason": ""}
    return bool(run.terminals.filter(pk=event.terminal).update(**fields))


def _terminal_closed(run: Run, event: TerminalClosed) -> bool:
    """Not told for a declared terminal whose shell goes with a reset: it gets a new one under the same id."""
    return bool(run.terminals.filter(pk=event.terminal).update(state=TerminalState.CLOSED, closed_reason=event.reason[:200]))


def _link_impaired(run: Run, event: LinkImpaired) -> bool:
    """The newest word on each end; an end without any impairment needs no word."""
    told = event.impairment
    if run.spec().node(told.node) is None or len(told.interface) > INTERFACE_CHARS_MAX:
        return False
    others = [i for i in run.impairments if (i["node"], i["interface"]) != (told.node, told.interface)]
    here = [told.model_dump(mode="json")] if any((told.delay_ms, told.jitter_ms, told.loss_percent, told.rate_kbit)) else []
    run.impairments = (others + here)[-IMPAIRMENTS_MAX:]
    run.save(update_fields=["impairments"])
    return True


def _node_reset(run: Run, event: NodeReset) -> bool:
    run.seen_at = timezone.now()
    run.save(update_fields=["seen_at"])
    return True


HANDLERS: dict[type, Callable[[Run, Any], bool]] = {
    RunStateChanged: _run_state,
    CommandDone: _command_done,
    CommandFailed: _command_failed,
    HostStepStarted: _step_started,
    HostStepFinished: _step_finished,
    CheckResult: _check_result,
    FileChanged: _file_changed,
    ProgramResult: _program_result,
    ProgramsChanged: _programs,
    TerminalOpened: _terminal_opened,
    TerminalClosed: _terminal_closed,
    LinkImpaired: _link_impaired,
    NodeReset: _node_reset,
}
