"""*Bring me to the start of step N*: a lab as new, in which the solutions of all steps before N have been carried out.

Called by the API (the wish) and by the projection (the lab is as new; a solution was carried out, or was not). What the
attendee has written is kept beside what the solutions write. Nothing of a solution runs outside the nodes.
"""

from django.db import transaction

from netlab.catalogue.labs import CatalogueLab, get_lab
from netlab.domain.errors import ErrorBody, ErrorCode, NetlabError
from netlab.domain.lab import WriteAction
from netlab.domain.lab_file import Solution
from netlab.domain.lifecycle import RunState, check_move
from netlab.runs.access import locked
from netlab.runs.files import do_begin_files, do_write_solution
from netlab.runs.going_on import begin_anew
from netlab.runs.models import Run
from netlab.runs.pace import check_pace
from netlab.runs.telling import about, nudge, tell_browsers, wish
from netlab.wire.commands import ApplySolution, LabFile
from netlab.wire.events import Announcement
from netlab.workshops.telling import tell_roster


def do_bring_to_step(run: Run, step: str) -> Run:
    """Raises STEP_UNKNOWN, RUN_NOT_RUNNING, LAB_CHANGED (its solutions are for another text of the lab), TOO_OFTEN."""
    spec = run.spec()
    if spec.step(step) is None:
        raise NetlabError(ErrorCode.STEP_UNKNOWN, step=step, steps=", ".join(s.id for s in spec.steps))
    lab = get_lab(run.lab)
    if lab.digest != run.lab_digest:
        raise NetlabError(ErrorCode.LAB_CHANGED)
    written = set(_final_files(lab.solutions))
    with transaction.atomic():
        run = locked(run)
        if run.run_state is RunState.PAUSED:
            raise NetlabError(ErrorCode.RUN_NOT_RUNNING)
        if run.run_state is not RunState.RESETTING:
            check_move(run.run_state, RunState.RESETTING)
        check_pace(run.attendee)
        begin_anew(run, do_begin_files(run, lab.files, written))
        run.open_step, run.bringing = step, {"step": step, "commands": {}}
        run.save(update_fields=["open_step", "bringing"])
        tell_roster(run.workshop_id)
    return run


def carry_on(run: Run) -> None:
    """The lab is as new: send what leads to the step that was wished. In the projection's transaction."""
    step = run.bringing.get("step")
    if not step or run.bringing["commands"]:
        return
    try:
        solutions = _before(get_lab(run.lab), step)
    except NetlabError as error:  # an author broke the folder a moment ago
        _end(run, f"The steps before were not done for you: {error.message}")
        return
    if not solutions:
        _end(run, _arrived(run, step))
        return
    versions = do_write_solution(run, _final_files(solutions))
    commands = [_apply(run, solution, versions) for solution in solutions]
    run.bringing = {"step": step, "commands": {command.id: command.step for command in commands}}
    run.save(update_fields=["bringing"])
    tell_browsers(Announcement(text=f"The lab is as new. {_those_before(run, step)} being done for you …", **about(run)))
    nudge(run.host, *commands)


def note_done(run: Run, command: str | None) -> bool:
    """A command was carried out. True: it was the last that was awaited."""
    if command is None or command != next(reversed(run.bringing.get("commands", {})), None):
        return False
    _end(run, _arrived(run, run.bringing["step"]))
    return True


def note_failed(run: Run, command: str | None, error: ErrorBody) -> bool:
    """True: it was one of those that were to lead to the step."""
    step = run.bringing.get("commands", {}).get(command)
    if step is None:
        return False
    _end(run, f"Not all steps before were done for you; it stopped in step {_number(run, step)}: {error.message}")
    return True


def _end(run: Run, text: str) -> None:
    run.bringing = {}
    run.save(update_fields=["bringing"])
    tell_browsers(Announcement(text=text, **about(run)))


def _number(run: Run, step: str) -> int:
    return [s.id for s in run.spec().steps].index(step) + 1


def _those_before(run: Run, step: str) -> str:
    last = _number(run, step) - 1
    return "Step 1 is" if last == 1 else f"Steps 1 to {last} are"


def _arrived(run: Run, step: str) -> str:
    number = _number(run, step)
    return f"You are at the start of step {number}: {run.spec().steps[number - 1].title}."


def _before(lab: CatalogueLab, step: str) -> list[Solution]:
    """In the order of their steps, up to the one before `step`."""
    steps = [s.id for s in lab.spec.steps]
    return [solution for s in steps[: steps.index(step)] if (solution := lab.solution(s)) is not None]


def _final_files(solutions: list[Solution]) -> dict[str, str]:
    """What is in the files that solutions write when all have been carried out."""
    return {
        action.file: solution.files[action.file]
        for solution in solutions for action in solution.spec.actions if isinstance(action, WriteAction)
    }


def _apply(run: Run, solution: Solution, versions: dict[str, int]) -> ApplySolution:
    """All files have the version of their last text: on the way they are nobody's."""
    written = {path: text for path, text in solution.files.items() if path in versions}
    files = [LabFile(path=path, content=text, version=versions[path]) for path, text in written.items()]
    return ApplySolution(step=solution.step, actions=list(solution.spec.actions), files=files, **wish(run))
