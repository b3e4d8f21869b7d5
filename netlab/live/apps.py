"""Django's handle on this app: it has no models; `ready` connects signing out with closing sockets."""

from django.apps import AppConfig


class LiveConfig(AppConfig):
    name = "netlab.live"

    def ready(self) -> None:
        from netlab.live import sign_out

        sign_out.connect()
