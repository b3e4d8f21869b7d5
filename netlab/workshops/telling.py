"""Tells the instructors' sockets that a workshop's roster has changed, after the commit. They fetch it anew."""

from functools import partial

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from redis.exceptions import RedisError

log = structlog.get_logger("netlab.workshops")


def roster_group(workshop_id: str) -> str:
    return f"workshop.{workshop_id}"


def tell_roster(workshop_id: str) -> None:
    transaction.on_commit(partial(_send, workshop_id))


def _send(workshop_id: str) -> None:
    """Losing one is no harm: the page also asks by itself from time to time."""
    try:
        group = roster_group(workshop_id)
        async_to_sync(get_channel_layer().group_send)(group, {"type": "roster", "group": group})
    except (RedisError, OSError) as error:
        log.warning("roster_not_told", workshop=workshop_id, problem=str(error))
