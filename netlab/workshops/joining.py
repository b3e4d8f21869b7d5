"""How people come in: by code and name, or by their personal link. The only writer of new attendees.

Failures are limited globally and per browser session; a join with a right code is never limited, however many people
share the room's address.
"""

import secrets

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from netlab.accounts.actions import clean_name, do_make_attendee, do_sign_in_attendee
from netlab.accounts.limits import FailureLimit
from netlab.accounts.models import NAME_CHARS_MAX, User
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.workshops.choices import WorkshopState
from netlab.workshops.codes import hash_code, read_resume_token
from netlab.workshops.models import Attendee, Workshop
from netlab.workshops.telling import tell_roster

GLOBAL_WINDOW_S = 60
SESSION_WINDOW_S = 600
SESSION_MARK = "failed_joins"


def find_workshop(request: HttpRequest, code: str) -> Workshop:
    """The open workshop of this code. Raises UNKNOWN_CODE (counted), TOO_MANY_TRIES, WORKSHOP_NOT_OPEN, WORKSHOP_CLOSED.

    The limits are looked at only after a code was wrong, so that nobody can lock a room out by typing nonsense. What
    keeps guessers out is the code's 40 bits (at 200 guesses a second, decades for one open workshop); the limits tell
    a person to stop and keep a guesser visible.
    """
    workshop = Workshop.objects.filter(join_code_hash=hash_code(code)).first()
    if workshop is None or workshop.state == WorkshopState.DRAFT:
        _count_failure(request)
        raise NetlabError(ErrorCode.UNKNOWN_CODE)
    if workshop.is_over():
        raise NetlabError(ErrorCode.WORKSHOP_CLOSED)
    if not workshop.is_open():
        opens = workshop.opens_at.strftime("on %d %B at %H:%M UTC") if workshop.opens_at else "later"
        raise NetlabError(ErrorCode.WORKSHOP_NOT_OPEN, opens=opens)
    return workshop


def _count_failure(request: HttpRequest) -> None:
    """Raise TOO_MANY_TRIES instead of another UNKNOWN_CODE when a limit is used up."""
    config = settings.CONFIG
    mark = request.session.setdefault(SESSION_MARK, secrets.token_hex(8))
    limits = (
        FailureLimit(f"join-session:{mark}", config.failed_joins_per_session, SESSION_WINDOW_S),
        FailureLimit("join", config.failed_joins_per_minute, GLOBAL_WINDOW_S),
    )
    for limit in limits:
        limit.check()
    for limit in limits:
        limit.failed()


def do_join(request: HttpRequest, code: str, name: str) -> Attendee:
    """Take a seat and sign this browser in; who has one keeps it. Raises as `find_workshop`, WORKSHOP_FULL, BAD_INPUT."""
    workshop = find_workshop(request, code)
    name = clean_name(name)
    user = request.user if isinstance(request.user, User) else None
    with transaction.atomic():
        # The row's lock (SQLite: the database's, taken at BEGIN) makes counting and taking a seat one step.
        workshop = Workshop.objects.select_for_update().get(pk=workshop.pk)
        seated = Attendee.objects.select_related("user", "workshop").filter(workshop=workshop)
        attendee = seated.filter(user=user).first() if user else None
        if attendee is None:
            if workshop.attendees.count() >= workshop.seats:
                raise NetlabError(ErrorCode.WORKSHOP_FULL, seats=workshop.seats)
            name = free_name(workshop, name)
            attendee = Attendee.objects.create(user=user or do_make_attendee(name), workshop=workshop, name=name)
            tell_roster(workshop.pk)
    if user is None:
        do_sign_in_attendee(request, attendee.user)
    return attendee


def free_name(workshop: Workshop, name: str) -> str:
    """The name, or the first of 'name 2', 'name 3', ... that nobody in the workshop has: two Annas are no error."""
    taken = {n.casefold() for n in workshop.attendees.values_list("name", flat=True)}
    if name.casefold() not in taken:
        return name
    number = 2
    while (candidate := f"{name[: NAME_CHARS_MAX - 5]} {number}").casefold() in taken:
        number += 1
    return candidate


def do_resume(request: HttpRequest, token: str) -> Attendee:
    """Sign this browser in as the attendee of a personal link. Raises RESUME_LINK_EXPIRED."""
    attendee_id, generation = read_resume_token(token)
    attendee = Attendee.objects.select_related("user", "workshop").filter(pk=attendee_id, resume_generation=generation).first()
    if attendee is None:
        raise NetlabError(ErrorCode.RESUME_LINK_EXPIRED)
    request.session.pop(SESSION_MARK, None)
    do_sign_in_attendee(request, attendee.user)
    Attendee.objects.filter(pk=attendee.pk).update(seen_at=timezone.now())
    return attendee
