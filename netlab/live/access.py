"""What sockets ask the database: may this person, and what is there. Synchronous; sockets call it in a thread.

Reads through `access_*` only, so a socket can never see more than a request could.
"""

from dataclasses import dataclass

from netlab.accounts.models import User
from netlab.runs.access import access_run_for, access_terminal_for
from netlab.runs.choices import TerminalState
from netlab.runs.presenters import present_run
from netlab.workshops.access import access_workshop_to_manage
from netlab.workshops.actions import do_touch


@dataclass(frozen=True)
class RunSeen:
    id: str
    host: str


@dataclass(frozen=True)
class TerminalSeen:
    id: str
    run: str
    host: str
    closed: bool


def run_seen_by(user: User, run_id: str) -> RunSeen:
    """Raises NOT_FOUND, also for a run of somebody else. Who has a lab's page open is here: the roster says so."""
    run = access_run_for(user, run_id)
    do_touch(run.attendee)
    return RunSeen(run.pk, run.host)


def run_snapshot(user: User, run_id: str) -> str:
    """The run as JSON, as GET /api/v1/runs/<run> answers."""
    return present_run(access_run_for(user, run_id)).model_dump_json()


def terminal_seen_by(user: User, run_id: str, terminal_id: str) -> TerminalSeen:
    """Raises NOT_FOUND, TERMINAL_UNKNOWN."""
    terminal = access_terminal_for(user, run_id, terminal_id)
    return TerminalSeen(terminal.pk, terminal.run.pk, terminal.run.host, terminal.state == TerminalState.CLOSED)


def workshop_managed_by(user: User, workshop_id: str) -> str:
    """Raises NOT_FOUND for everybody but the workshop's instructors and operators."""
    return access_workshop_to_manage(user, workshop_id).pk
