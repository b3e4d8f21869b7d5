"""Django's handle on this app."""

from django.apps import AppConfig


class RunsConfig(AppConfig):
    name = "netlab.runs"
