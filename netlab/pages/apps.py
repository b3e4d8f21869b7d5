"""Django's handle on this app: it has no models."""

from django.apps import AppConfig


class PagesConfig(AppConfig):
    name = "netlab.pages"
