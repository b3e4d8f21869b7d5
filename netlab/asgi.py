"""The ASGI entry of `web` (uvicorn netlab.asgi:application). Wiring only: HTTP to Django, websockets to netlab.live."""

import os
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "netlab.settings")

from a2wsgi import WSGIMiddleware
from django.conf import settings
from django.core.wsgi import get_wsgi_application

from netlab.whole_requests import WholeRequests

HTTP_THREADS = 12
"""Every view is synchronous. Under Django's own ASGI handler each request gets a new thread and a new database connection
and changes threads at every middleware; these threads live on (docs/decisions/0002)."""

threads = WSGIMiddleware(get_wsgi_application(), workers=HTTP_THREADS, send_queue_size=0)  # type: ignore[arg-type]  # loads the apps
"""An unbounded queue of what is to be sent: a thread goes on when it has said everything, whoever reads it when."""
http_application = WholeRequests(threads, settings.SESSION_COOKIE_NAME)  # type: ignore[arg-type]

from channels.auth import AuthMiddleware  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.sessions import CookieMiddleware  # noqa: E402

from netlab.live.routing import websocket_urlpatterns  # noqa: E402
from netlab.live.sessions import ReadSession  # noqa: E402

Asgi = Callable[[dict[str, Any], Callable[[], Awaitable[Any]], Callable[[dict[str, Any]], Awaitable[None]]], Awaitable[None]]
DEFAULT_PORTS = {"http": 80, "https": 443}


def same_origin(origin: str, host: str, secure: bool) -> bool:
    """Whether a page of `origin` may talk to us as `host`: same scheme, same name, same port."""
    try:
        page, us = urlsplit(origin), urlsplit(f"//{host}")
        page_port = page.port or DEFAULT_PORTS.get(page.scheme)
        our_port = us.port or DEFAULT_PORTS["https" if secure else "http"]
    except ValueError:
        return False
    return page.scheme == ("https" if secure else "http") and page.hostname == us.hostname and page_port == our_port


class SameOriginOnly:
    """Refuses websockets of pages that are not ours: a browser sends our cookie along with any site's websocket.

    Every browser sends Origin with a websocket; who sends none is no browser and holds no stolen cookie, but is refused
    too: there is no reason to have two rules. What ALLOWED_HOSTS = ["*"] rests on.
    """

    def __init__(self, application: Asgi) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope.get("headers", [])}
        if not same_origin(headers.get(b"origin", ""), headers.get(b"host", ""), scope.get("scheme") in ("wss", "https")):
            await send({"type": "websocket.close", "code": 4403})
            return
        await self.application(scope, receive, send)


application = ProtocolTypeRouter({
    "http": http_application,
    "websocket": SameOriginOnly(CookieMiddleware(ReadSession(AuthMiddleware(URLRouter(websocket_urlpatterns))))),
})
