"""The session of whoever opens a websocket, to be read; wrapped around the sockets in netlab.asgi. It is never saved.

Channels' own middleware looks after each message whether the session wants to be saved and its cookie sent. No message of a
websocket can carry a cookie, and ours are sent by the thousand each second.
"""

from importlib import import_module
from typing import Any

from django.conf import settings

Application = Any
"""An ASGI application; Channels has no types."""


class ReadSession:
    """Inside CookieMiddleware, around AuthMiddleware."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.store = import_module(settings.SESSION_ENGINE).SessionStore

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """It is read from the database when somebody looks into it, not before."""
        session = self.store(scope["cookies"].get(settings.SESSION_COOKIE_NAME))
        await self.application({**scope, "session": session}, receive, send)
