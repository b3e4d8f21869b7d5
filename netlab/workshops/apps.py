"""Django's handle on this app."""

from django.apps import AppConfig


class WorkshopsConfig(AppConfig):
    name = "netlab.workshops"
