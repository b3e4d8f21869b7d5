"""Signing out closes the session's sockets at once: Channels does not, it looks at a session only on connect."""

from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.contrib.auth.signals import user_logged_out
from django.http import HttpRequest

from netlab.live.socket import session_group


def connect() -> None:
    user_logged_out.connect(_close_sockets, dispatch_uid="netlab.live.sign_out")


def _close_sockets(sender: object, request: HttpRequest | None, **kwargs: Any) -> None:
    """Called before the session is emptied, so the sockets look again a moment later; and a minute later anyway."""
    key = request.session.session_key if request is not None else None
    if key:
        group = session_group(key)
        async_to_sync(get_channel_layer().group_send)(group, {"type": "access.ended", "group": group})
