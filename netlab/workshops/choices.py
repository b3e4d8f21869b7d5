"""Closed sets of this app."""

from django.db.models import TextChoices

from netlab.domain.lab import Isolation


class WorkshopState(TextChoices):
    DRAFT = "draft"  # its instructors prepare it; nobody can join
    OPEN = "open"
    CLOSED = "closed"  # over: labs are stopped, nobody can join; it may be opened again


IsolationChoices = [(isolation.value, isolation.value) for isolation in Isolation]
