"""What an attendee or an instructor wishes of a run: the only writers of wishes. Rows first, the host hears after the commit.

Views call these with a run that `netlab.runs.access` gave them. What the host did about it comes back as events and is
written by `netlab.runs.projection`.
"""

from django.db import IntegrityError, transaction
from django.utils import timezone

from netlab.catalogue.labs import get_lab
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_run_id, new_terminal_id
from netlab.domain.lab import Isolation, LabSpec
from netlab.domain.lifecycle import ENDED, RunState, check_move
from netlab.domain.placement import cost_of
from netlab.runs.access import locked, newest_run, unfinished_run
from netlab.runs.admission import admit, has_place, lock_host, tell_positions
from netlab.runs.choices import MIRRORED, UNFINISHED_VALUES, Wish
from netlab.runs.files import do_forget_old_files, do_seed_files
from netlab.runs.going_on import reset_now
from netlab.runs.hosts import can_run_here, choose_host, kernel_of
from netlab.runs.models import CheckState, Run, Terminal
from netlab.runs.moves import move
from netlab.runs.pace import check_pace
from netlab.runs.pausing import do_wish_of_paused
from netlab.runs.telling import about, host_report, nudge, tell_browsers, wish
from netlab.runs.times import can_extend, extended_deadline
from netlab.wire.commands import OpenStep, StopRun
from netlab.wire.events import Announcement, RunStateChanged, TimeChanged
from netlab.workshops.models import Attendee, Workshop
from netlab.workshops.telling import tell_roster


def do_start_run(attendee: Attendee, lab_id: str) -> Run:
    """The run of this lab: the unfinished one if there is one, else a new one, starting or queued.

    Raises WORKSHOP_CLOSED, WORKSHOP_NOT_OPEN, NOT_FOUND (not a lab of this workshop), LAB_CANNOT_RUN_HERE, HOST_AWAY,
    RUN_ALREADY_ACTIVE, TOO_OFTEN.
    """
    workshop = attendee.workshop
    _check_open(workshop)
    if not workshop.labs.filter(lab=lab_id).exists():
        raise NetlabError(ErrorCode.NOT_FOUND, what="lab in this workshop")
    present = unfinished_run(attendee)
    if present is not None:
        return _same_lab(present, lab_id)
    lab = get_lab(lab_id)
    host = choose_host()
    report = host_report(host)
    if report is None:
        raise NetlabError(ErrorCode.HOST_AWAY)
    answer = can_run_here(lab.spec, Isolation(workshop.isolation), report).require()
    check_pace(attendee)
    last = newest_run(attendee, lab_id)
    cost = cost_of(lab.spec, answer.runtime)
    run = Run(
        id=new_run_id(), attendee=attendee, workshop=workshop, lab=lab_id, lab_digest=lab.digest,
        lab_spec=lab.spec.model_dump(mode="json"), state=RunState.QUEUED.value, host=host, runtime=answer.runtime.value,
        isolation=answer.isolation.value, kernel=kernel_of(answer.runtime, report), why_here=answer.why_here[:300],
        memory_mb=cost.memory_mb, cpu_percent=cost.cpu_percent, open_step=_step_to_open(lab.spec, last),
        queued_at=timezone.now(),
    )
    try:
        with transaction.atomic():
            lock_host(host)
            run.save(force_insert=True)
            do_seed_files(run, lab.files, last)
            do_forget_old_files(run)
            _seed_checks(run, lab.spec, last)
            _seed_terminals(run, lab.spec)
            if has_place(run, report):
                admit(run)
    except IntegrityError:  # pressed twice at the same moment: the other press made it
        present = unfinished_run(attendee)
        if present is None:
            raise
        return _same_lab(present, lab_id)
    return run


def _check_open(workshop: Workshop) -> None:
    if workshop.is_over():
        raise NetlabError(ErrorCode.WORKSHOP_CLOSED)
    if not workshop.is_open():
        opens = workshop.opens_at.strftime("on %d %B at %H:%M UTC") if workshop.opens_at else "when the instructor opens it"
        raise NetlabError(ErrorCode.WORKSHOP_NOT_OPEN, opens=opens)


def _same_lab(present: Run, lab_id: str) -> Run:
    if present.lab != lab_id:
        title = present.lab_spec.get("title", present.lab)
        raise NetlabError(ErrorCode.RUN_ALREADY_ACTIVE, lab=title, lab_id=present.lab, run=present.pk)
    return present


def _step_to_open(spec: LabSpec, last: Run | None) -> str:
    if last is not None and spec.step(last.open_step):
        return last.open_step
    return spec.steps[0].id


def _seed_checks(run: Run, spec: LabSpec, last: Run | None) -> None:
    """One row a check, so that a page knows them all; what was ever passed stays so over a new start."""
    passed = set(last.checks.filter(ever_passed=True).values_list("step", "check_id")) if last else set()
    CheckState.objects.bulk_create([
        CheckState(run=run, step=step.id, check_id=check.id, ever_passed=(step.id, check.id) in passed)
        for step in spec.steps for check in step.checks
    ])


def _seed_terminals(run: Run, spec: LabSpec) -> None:
    Terminal.objects.bulk_create([
        Terminal(id=new_terminal_id(), run=run, node=t.node, title=t.title or t.node, declared=True, position=i)
        for i, t in enumerate(spec.terminals)
    ])


def do_stop_run(run: Run, why: str = "") -> Run:
    """Take it down; files and progress are kept. Nothing happens to a run that has ended or is on its way. `why`: told
    to the attendee when it was not they who stopped it."""
    with transaction.atomic():
        run = locked(run)
        if run.run_state in ENDED or run.run_state is RunState.STOPPING:
            return run
        if why:
            tell_browsers(Announcement(text=why, **about(run)))
        if run.run_state is RunState.QUEUED:
            move(run, RunState.STOPPED, ended_why=why)
            tell_browsers(RunStateChanged(state=RunState.STOPPED, runtime=run.runtime, **about(run)))
            tell_positions(run.host)
            return run
        move(run, RunState.STOPPING, generation=run.generation + 1, nudged_at=timezone.now(), ended_why=why)
        tell_browsers(RunStateChanged(state=RunState.STOPPING, runtime=run.runtime, **about(run)))
        nudge(run.host, StopRun(**wish(run)))
    return run


def do_stop_workshop_runs(workshop: Workshop, why: str = "The instructor has stopped all labs. Your files are kept.") -> int:
    """Stop all: every unfinished run of a workshop. Returns how many were stopped."""
    runs = list(Run.objects.filter(workshop=workshop, state__in=UNFINISHED_VALUES).exclude(state=RunState.STOPPING.value))
    for run in runs:
        do_stop_run(run, why)
    return len(runs)


def do_extend_workshop_runs(workshop: Workshop) -> int:
    """More time for every run that can have it. Returns how many got some."""
    count = 0
    for run in Run.objects.select_related("workshop").filter(workshop=workshop, state__in=UNFINISHED_VALUES):
        if can_extend(run):
            do_extend_run(run)
            count += 1
    return count


def do_reset_run(run: Run, keep_files: bool = True) -> Run:
    """All nodes as new. Raises RUN_STATE for a run that is not there. Progress that was made stays made.

    A broken run has kept its place; a paused one waits for one where the host is full.
    """
    starter = None if keep_files else get_lab(run.lab).files
    if run.run_state is RunState.PAUSED:
        return do_wish_of_paused(run, Wish.RESET if keep_files else Wish.RESET_FILES)
    with transaction.atomic():
        run = locked(run)
        if run.run_state is not RunState.RESETTING:
            check_move(run.run_state, RunState.RESETTING)
        check_pace(run.attendee)
        reset_now(run, starter)
    return run


def do_extend_run(run: Run) -> Run:
    """More time. Raises RUN_TIME_LIMIT when there is none to give."""
    with transaction.atomic():
        run = locked(run)
        if not can_extend(run):
            raise NetlabError(ErrorCode.RUN_TIME_LIMIT)
        run.deadline = extended_deadline(run)
        run.warned_at, run.seen_at = None, timezone.now()
        run.save(update_fields=["deadline", "warned_at", "seen_at"])
        tell_browsers(TimeChanged(deadline=run.deadline.timestamp(), **about(run)))
    return run


def do_open_step(run: Run, step: str) -> Run:
    """The attendee looks at this step. Raises STEP_UNKNOWN. Also for a run that has ended: the place is remembered."""
    spec = run.spec()
    if spec.step(step) is None:
        raise NetlabError(ErrorCode.STEP_UNKNOWN, step=step, steps=", ".join(s.id for s in spec.steps))
    with transaction.atomic():
        run = locked(run)
        run.open_step = step
        run.save(update_fields=["open_step"])
        tell_roster(run.workshop_id)
        if run.run_state in MIRRORED:
            nudge(run.host, OpenStep(step=step, **wish(run)))
    return run
