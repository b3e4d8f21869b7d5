"""The only writers of workshops and their attendees. Stopping the labs of a closed workshop is netlab.runs' part."""

import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from netlab.accounts.actions import clean_name
from netlab.accounts.models import User
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import CROCKFORD
from netlab.domain.lab import Isolation
from netlab.workshops.choices import WorkshopState
from netlab.workshops.codes import hash_code, join_code, resume_link
from netlab.workshops.models import SEATS_MAX, TITLE_CHARS_MAX, Attendee, Workshop, WorkshopLab

ID_RANDOM_CHARS = 7
TOUCH_EVERY = timedelta(seconds=30)
"""seen_at is for people who look at a roster; finer would be a write per request."""


def do_create_workshop(
    instructor: User, title: str, *, labs: list[str] | None = None, seats: int = 30, isolation: Isolation = Isolation.STRANGERS,
    opens_at: datetime | None = None, closes_at: datetime | None = None, show_solutions: bool = False, workshop_id: str = "",
) -> Workshop:
    """A draft, with an id of its own unless one is given. Raises BAD_INPUT, LAB_UNKNOWN."""
    if not instructor.teaches:
        raise NetlabError(ErrorCode.NOT_ALLOWED, what="make workshops")
    workshop = Workshop(id=workshop_id or "w" + "".join(secrets.choice(CROCKFORD) for _ in range(ID_RANDOM_CHARS)))
    _set_fields(workshop, title, seats, isolation, opens_at, closes_at)
    workshop.show_solutions = show_solutions
    workshop.join_code_hash = hash_code(join_code(workshop.id, workshop.code_generation))
    with transaction.atomic():
        workshop.save(force_insert=True)
        workshop.instructors.add(instructor)
        do_set_labs(workshop, labs or [])
    return workshop


def do_change_workshop(
    workshop: Workshop, *, title: str, seats: int, isolation: Isolation, opens_at: datetime | None, closes_at: datetime | None,
    show_solutions: bool,
) -> None:
    """Everything but state, labs and code. Fewer seats than people: nobody is sent away, nobody else comes in."""
    _set_fields(workshop, title, seats, isolation, opens_at, closes_at)
    workshop.show_solutions = show_solutions
    workshop.save(update_fields=["title", "seats", "isolation", "opens_at", "closes_at", "show_solutions"])


def _set_fields(
    workshop: Workshop, title: str, seats: int, isolation: Isolation, opens_at: datetime | None, closes_at: datetime | None
) -> None:
    title = " ".join(title.split())
    if not title or len(title) > TITLE_CHARS_MAX:
        raise NetlabError(ErrorCode.BAD_INPUT, what=f"A title has 1 to {TITLE_CHARS_MAX} characters.", fix="Change the title.")
    if not 1 <= seats <= SEATS_MAX:
        raise NetlabError(ErrorCode.BAD_INPUT, what=f"A workshop has 1 to {SEATS_MAX} seats.", fix="Change the number of seats.")
    if opens_at and closes_at and closes_at <= opens_at:
        raise NetlabError(ErrorCode.BAD_INPUT, what="The workshop would close before it opens.", fix="Change one of the times.")
    workshop.title, workshop.seats, workshop.isolation = title, seats, Isolation(isolation).value
    workshop.opens_at, workshop.closes_at = opens_at, closes_at


def do_set_labs(workshop: Workshop, labs: list[str]) -> None:
    """The labs that it offers, in this order. Raises LAB_UNKNOWN; then nothing has changed."""
    from netlab.catalogue.labs import get_lab

    wanted = list(dict.fromkeys(labs))
    for lab in wanted:
        get_lab(lab)
    with transaction.atomic():
        workshop.labs.all().delete()
        WorkshopLab.objects.bulk_create([WorkshopLab(workshop=workshop, lab=lab, position=i) for i, lab in enumerate(wanted)])


def do_open_workshop(workshop: Workshop) -> None:
    """People may join from now on, or from opens_at on. One whose closing time has passed loses it: it is open again."""
    if workshop.closes_at and workshop.closes_at <= timezone.now():
        workshop.closes_at = None
    workshop.state = WorkshopState.OPEN
    workshop.save(update_fields=["state", "closes_at"])


def do_close_workshop(workshop: Workshop) -> None:
    """Nobody can join any more; the sweep of runs stops what still runs."""
    workshop.state = WorkshopState.CLOSED
    workshop.save(update_fields=["state"])


def do_new_code(workshop: Workshop) -> str:
    """Another join code; the old one is void at once. Who has joined stays."""
    with transaction.atomic():
        workshop.refresh_from_db(fields=["code_generation"])
        workshop.code_generation += 1
        code = join_code(workshop.id, workshop.code_generation)
        workshop.join_code_hash = hash_code(code)
        workshop.save(update_fields=["code_generation", "join_code_hash"])
    return code


def code_of(workshop: Workshop) -> str:
    return join_code(workshop.id, workshop.code_generation)


def do_new_resume_link(attendee: Attendee) -> str:
    """A personal link; older ones are void."""
    attendee.resume_generation += 1
    attendee.save(update_fields=["resume_generation"])
    return resume_link_of(attendee)


def resume_link_of(attendee: Attendee) -> str:
    """Empty for who has a password: a link must never be a second way into such an account."""
    return "" if attendee.user.teaches else resume_link(attendee.pk, attendee.resume_generation)


def do_rename_attendee(attendee: Attendee, name: str) -> None:
    """Raises BAD_INPUT for a name that somebody else in the workshop has."""
    name = clean_name(name)
    if attendee.workshop.attendees.exclude(pk=attendee.pk).filter(name__iexact=name).exists():
        raise NetlabError(ErrorCode.BAD_INPUT, what=f"Somebody here is called {name}.", fix="Add a letter or a number.")
    attendee.name = attendee.user.name = name
    with transaction.atomic():
        attendee.save(update_fields=["name"])
        if not attendee.user.teaches:
            attendee.user.save(update_fields=["name"])


def do_touch(attendee: Attendee) -> None:
    """The attendee was here now."""
    now = timezone.now()
    if now - attendee.seen_at > TOUCH_EVERY:
        Attendee.objects.filter(pk=attendee.pk).update(seen_at=now)
        attendee.seen_at = now

