"""What an attendee compares with: the lab's starter files, and the solution of a step where it may be seen.

Called by the API. Reads the catalogue as it is now; writes nothing.
"""

from dataclasses import dataclass

from netlab.accounts.models import User
from netlab.catalogue.labs import CatalogueLab, get_lab
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import SolutionAction, WriteAction
from netlab.runs.models import Run
from netlab.workshops.access import manages


@dataclass(frozen=True)
class Originals:
    """Path under /lab -> text."""

    starter: dict[str, str]
    may_see_solution: bool
    solution: dict[str, str]
    actions: list[SolutionAction]
    """What the step's solution does, in order; empty when it may not be seen."""


def access_originals_for(user: User, run: Run, step: str) -> Originals:
    """`run` is the user's own. Solutions: where the workshop shows them, and for who teaches it. Raises STEP_UNKNOWN."""
    lab = get_lab(run.lab)
    steps = [s.id for s in lab.spec.steps]
    if step not in steps:
        raise NetlabError(ErrorCode.STEP_UNKNOWN, step=step, steps=", ".join(steps))
    may_see = run.workshop.show_solutions or manages(user, run.workshop)
    if not may_see:
        return Originals(lab.files, False, {}, [])
    own = lab.solution(step)
    return Originals(lab.files, True, _files_after(lab, steps[: steps.index(step) + 1]), list(own.spec.actions) if own else [])


def _files_after(lab: CatalogueLab, steps: list[str]) -> dict[str, str]:
    """The texts that solutions have left when those of all these steps were carried out, in their order."""
    left: dict[str, str] = {}
    for solution in (found for step in steps if (found := lab.solution(step)) is not None):
        written = (action.file for action in solution.spec.actions if isinstance(action, WriteAction))
        left |= {path: solution.files[path] for path in written}
    return left
