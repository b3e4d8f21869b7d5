"""The only readers of runs for a user. Runs of others do not exist for them (NOT_FOUND), whatever the reason."""

from django.db.models import QuerySet

from netlab.accounts.models import User
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.runs.choices import UNFINISHED_VALUES
from netlab.runs.models import Run, RunFile, Terminal
from netlab.workshops.access import access_workshops_taught, manages
from netlab.workshops.models import Attendee, Workshop


def _no_run() -> NetlabError:
    return NetlabError(ErrorCode.NOT_FOUND, what="run")


def _run(run_id: str) -> Run | None:
    return Run.objects.select_related("attendee__user", "workshop").filter(pk=run_id).first()


def locked(run: Run) -> Run:
    """Inside a transaction: the row as it is now; nobody else changes it before that ends."""
    return Run.objects.select_for_update(of=("self",)).select_related("workshop", "attendee__user").get(pk=run.pk)


def access_run_for(user: User, run_id: str) -> Run:
    """The user's own run: files, terminals, programs, everything in it."""
    run = _run(run_id)
    if run is None:
        raise _no_run()
    if run.attendee.user_id != user.pk:
        raise _no_run()
    return run


def access_run_to_manage(user: User, run_id: str) -> Run:
    """The user's own run, or one in a workshop that they teach: its state, its end, its time. Nothing inside it."""
    run = _run(run_id)
    if run is None:
        raise _no_run()
    if run.attendee.user_id != user.pk and not manages(user, run.workshop):
        raise _no_run()
    return run


def access_terminal_for(user: User, run_id: str, terminal_id: str) -> Terminal:
    """A terminal of the user's own run. Raises TERMINAL_UNKNOWN for one that was never there."""
    run = access_run_for(user, run_id)
    terminal = run.terminals.filter(pk=terminal_id).first()
    if terminal is None:
        raise NetlabError(ErrorCode.TERMINAL_UNKNOWN)
    terminal.run = run
    return terminal


def access_file_for(user: User, run_id: str, path: str) -> RunFile:
    run = access_run_for(user, run_id)
    file = run.files.filter(path=path, deleted=False).first()
    if file is None:
        present = run.files.filter(deleted=False).values_list("path", flat=True)
        raise NetlabError(ErrorCode.FILE_UNKNOWN, path=path, paths=", ".join(present))
    return file


def access_runs_of_workshop(user: User, workshop: Workshop) -> QuerySet[Run]:
    """All runs, for who teaches the workshop; none for others."""
    if not access_workshops_taught(user).filter(pk=workshop.pk).exists():
        return Run.objects.none()
    return Run.objects.filter(workshop=workshop)


def newest_run(attendee: Attendee, lab: str) -> Run | None:
    """The attendee's newest run of a lab, ended or not."""
    runs = Run.objects.select_related("attendee__user", "workshop").filter(attendee=attendee, lab=lab)
    return runs.order_by("created_at", "id").last()


def unfinished_run(attendee: Attendee) -> Run | None:
    return Run.objects.select_related("attendee__user", "workshop").filter(attendee=attendee, state__in=UNFINISHED_VALUES).first()
