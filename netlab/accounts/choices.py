"""Closed sets of this app."""

from django.db.models import TextChoices


class Role(TextChoices):
    ATTENDEE = "attendee"
    INSTRUCTOR = "instructor"
    OPERATOR = "operator"


TEACHING = frozenset({Role.INSTRUCTOR, Role.OPERATOR})
"""Roles that sign in with a password and may make workshops."""
