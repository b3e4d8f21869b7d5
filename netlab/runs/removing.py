"""Sending somebody away from a workshop: their labs are stopped, their seat, links and sessions are gone.

Called by the instructor's page. Here and not in workshops, because runs must be stopped before their rows go.
"""

from functools import partial

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from redis.exceptions import RedisError

from netlab.runs.actions import do_stop_run
from netlab.runs.choices import UNFINISHED_VALUES
from netlab.workshops.models import Attendee
from netlab.workshops.telling import tell_roster

log = structlog.get_logger("netlab.runs")


def do_remove_attendee(attendee: Attendee) -> None:
    """Files and progress in this workshop go too. The person can join again while the code is valid: change it as well.

    A host that does not hear of the stop now is told by the sweep: it holds a run that nobody here knows.
    """
    user = attendee.user
    with transaction.atomic():
        for run in attendee.runs.filter(state__in=UNFINISHED_VALUES):
            do_stop_run(run)
        tell_roster(attendee.workshop_id)
        attendee.delete()
        if not user.teaches and not user.attendances.exists():
            transaction.on_commit(partial(_close_sockets, user.pk))
            user.delete()


def _close_sockets(user_id: int) -> None:
    """They look at their access once a minute; this makes it now."""
    try:
        group = f"user.{user_id}"
        async_to_sync(get_channel_layer().group_send)(group, {"type": "access.ended", "group": group})
    except (RedisError, OSError) as error:
        log.warning("sockets_not_told", user=user_id, problem=str(error))
