"""Django's handle on this app: it has no models, only the command `manage.py lab`."""

from django.apps import AppConfig


class CatalogueConfig(AppConfig):
    name = "netlab.catalogue"
