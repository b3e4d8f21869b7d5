"""The only readers of workshops for a user: what one may not see does not exist (NOT_FOUND)."""

from django.db.models import QuerySet

from netlab.accounts.choices import Role
from netlab.accounts.models import User
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.workshops.models import Attendee, Workshop


def _no_workshop() -> NetlabError:
    return NetlabError(ErrorCode.NOT_FOUND, what="workshop")


def access_workshops_taught(user: User) -> QuerySet[Workshop]:
    """Those that the user may manage: an instructor's own, all for an operator."""
    if user.role == Role.OPERATOR:
        return Workshop.objects.all()
    if user.role == Role.INSTRUCTOR:
        return Workshop.objects.filter(instructors=user)
    return Workshop.objects.none()


def access_workshop_to_manage(user: User, workshop_id: str) -> Workshop:
    workshop = access_workshops_taught(user).filter(pk=workshop_id).first()
    if workshop is None:
        raise _no_workshop()
    return workshop


def access_attendance(user: User, workshop_id: str) -> Attendee:
    """The user's seat in this workshop, also after it is over: their files stay theirs."""
    attendee = Attendee.objects.select_related("workshop", "user").filter(user=user, workshop_id=workshop_id).first()
    if attendee is None:
        raise _no_workshop()
    return attendee


def access_workshop(user: User, workshop_id: str) -> Workshop:
    """For who attends it or manages it."""
    attendee = Attendee.objects.select_related("workshop").filter(user=user, workshop_id=workshop_id).first()
    if attendee is not None:
        return attendee.workshop
    return access_workshop_to_manage(user, workshop_id)


def access_attendances(user: User) -> QuerySet[Attendee]:
    return Attendee.objects.select_related("workshop").filter(user=user)


def manages(user: User, workshop: Workshop) -> bool:
    return access_workshops_taught(user).filter(pk=workshop.pk).exists()
