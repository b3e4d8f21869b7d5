"""Operations for a workshop's instructors. Translates; decides nothing."""

from django.http import HttpRequest
from ninja import Router

from netlab.api.auth import user_of
from netlab.api.labs import ERRORS
from netlab.runs.roster import RosterRow, roster
from netlab.workshops.access import access_workshop_to_manage

router = Router(tags=["workshops"])


@router.get("/{workshop}/roster", operation_id="get_roster", response={200: list[RosterRow]} | ERRORS)
def get_roster(request: HttpRequest, workshop: str) -> list[RosterRow]:
    return roster(access_workshop_to_manage(user_of(request), workshop))
