"""Operations about who I am and a lab's page: before a run exists. Translates; decides nothing."""

from django.http import HttpRequest
from ninja import Path, Router

from netlab.api.auth import user_of
from netlab.api.lab_page import present_lab_page
from netlab.api.schemas import LabPage, Me
from netlab.catalogue.labs import get_lab
from netlab.domain.errors import ErrorBody, ErrorCode, NetlabError
from netlab.domain.ids import LabId
from netlab.runs.access import newest_run
from netlab.runs.actions import do_start_run
from netlab.runs.presenters import RunShape, present_run
from netlab.workshops.access import access_attendance, access_workshop
from netlab.workshops.actions import do_touch
from netlab.workshops.models import Attendee, Workshop

router = Router(tags=["labs"])
ERRORS = {(400, 401, 403, 404, 405, 408, 409, 413, 422, 429, 500, 503, 507): ErrorBody}


@router.get("/me", operation_id="get_me", response={200: Me} | ERRORS)
def get_me(request: HttpRequest) -> Me:
    user = user_of(request)
    return Me(id=user.pk, name=user.name, role=user.role)


@router.get("/workshops/{workshop}/labs/{lab}", operation_id="get_lab_page", response={200: LabPage} | ERRORS)
def get_lab_page(request: HttpRequest, workshop: str, lab: Path[LabId]) -> LabPage:
    user = user_of(request)
    found = access_workshop(user, workshop)
    _check_offered(found, lab)
    attendee = Attendee.objects.filter(user=user, workshop=found).first()
    if attendee is not None:
        do_touch(attendee)
    return present_lab_page(found, get_lab(lab), newest_run(attendee, lab) if attendee else None)


@router.post("/workshops/{workshop}/labs/{lab}/run", operation_id="start_run", response={200: RunShape} | ERRORS)
def start_run(request: HttpRequest, workshop: str, lab: Path[LabId]) -> RunShape:
    attendee = access_attendance(user_of(request), workshop)
    do_touch(attendee)
    return present_run(do_start_run(attendee, lab))


def _check_offered(workshop: Workshop, lab: str) -> None:
    if not workshop.labs.filter(lab=lab).exists():
        raise NetlabError(ErrorCode.NOT_FOUND, what="lab in this workshop")
