"""Workshop, its labs, its attendees. Written by netlab.workshops.actions only."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone

from netlab.accounts.models import NAME_CHARS_MAX
from netlab.domain.lab import Isolation
from netlab.workshops.choices import IsolationChoices, WorkshopState

TITLE_CHARS_MAX = 80
SEATS_MAX = 1000


class Workshop(models.Model):
    """`join_code_hash` is all that the database knows of the code: a stolen copy of it opens no door."""

    id = models.CharField(primary_key=True, max_length=12)
    title = models.CharField(max_length=TITLE_CHARS_MAX)
    state = models.CharField(max_length=8, choices=WorkshopState.choices, default=WorkshopState.DRAFT)
    isolation = models.CharField(max_length=10, choices=IsolationChoices, default=Isolation.STRANGERS.value)
    opens_at = models.DateTimeField(null=True, blank=True)
    closes_at = models.DateTimeField(null=True, blank=True)
    seats = models.PositiveIntegerField(default=30)
    show_solutions = models.BooleanField(default=False)
    """Whether attendees may compare their files with a step's solution."""
    code_generation = models.PositiveIntegerField(default=1)
    join_code_hash = models.CharField(max_length=64, unique=True)
    instructors = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="workshops_taught")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def is_open(self, now: datetime | None = None) -> bool:
        """Whether people may join and labs may run at this moment."""
        now = now or timezone.now()
        if self.state != WorkshopState.OPEN:
            return False
        return (self.opens_at is None or self.opens_at <= now) and (self.closes_at is None or now < self.closes_at)

    def is_over(self, now: datetime | None = None) -> bool:
        return self.state == WorkshopState.CLOSED or (self.closes_at is not None and (now or timezone.now()) >= self.closes_at)

    def __str__(self) -> str:
        return self.title


class WorkshopLab(models.Model):
    """A lab that this workshop offers; `lab` is the catalogue's id."""

    workshop = models.ForeignKey(Workshop, on_delete=models.CASCADE, related_name="labs")
    lab = models.CharField(max_length=48)
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ("position",)
        constraints = (models.UniqueConstraint(fields=("workshop", "lab"), name="lab_once_per_workshop"),)


class Attendee(models.Model):
    """A person in a workshop. `resume_generation` grows to make older personal links void."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="attendances")
    workshop = models.ForeignKey(Workshop, on_delete=models.CASCADE, related_name="attendees")
    name = models.CharField(max_length=NAME_CHARS_MAX)
    joined_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(default=timezone.now)
    resume_generation = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ("joined_at", "id")
        constraints = (
            models.UniqueConstraint(fields=("user", "workshop"), name="one_seat_per_user"),
            models.UniqueConstraint(fields=("workshop", "name"), name="name_once_per_workshop"),
        )

    def __str__(self) -> str:
        return self.name
