"""The websocket URL table. Imported by netlab.asgi, which puts the origin check and the session in front of it."""

from django.urls import re_path

from netlab.live.run_socket import RunSocket
from netlab.live.terminal_socket import TerminalSocket
from netlab.live.unknown_socket import UnknownSocket
from netlab.live.workshop_socket import WorkshopSocket

RUN = r"(?P<run>r[0-9a-z]{10})"
TERMINAL = r"(?P<terminal>t[0-9a-z]{10})"

websocket_urlpatterns = [
    re_path(rf"^ws/runs/{RUN}/$", RunSocket.as_asgi()),
    re_path(rf"^ws/runs/{RUN}/terminals/{TERMINAL}/$", TerminalSocket.as_asgi()),
    re_path(r"^ws/workshops/(?P<workshop>[0-9a-z-]{1,40})/$", WorkshopSocket.as_asgi()),
    re_path(r"", UnknownSocket.as_asgi()),
]
