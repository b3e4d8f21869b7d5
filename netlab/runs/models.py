"""Run and what hangs on it. Written by this app's actions and by `netlab.runs.projection` only."""

from django.db import models
from django.utils import timezone

from netlab.domain.lab import LabSpec
from netlab.domain.lifecycle import ACTIVE, ENDED, RunState
from netlab.runs.choices import (
    UNFINISHED_VALUES,
    FileOrigin,
    IsolationChoices,
    RunStateChoices,
    RuntimeChoices,
    TerminalState,
    Wish,
)
from netlab.workshops.models import Attendee, Workshop


class Run(models.Model):
    """`lab_spec` is the lab as it was when the run began: an author's edit never changes a lab under somebody's hands.

    `start_sent` remembers what the last StartRun or whole reset carried ({"files": {path: version}, "step": id}), so
    that what changed while the host was building can be sent after it. `wish` is what was asked of a run that runs or is
    paused and is not so yet; `wish_command` the command that carries it. `queued_at`: since when it waits for a place, as
    a queued run does, or a paused one that is to go on. `bringing`: the step to whose start it is brought ({"step": id,
    "commands": {id: step}} of what leads there, in order), empty when it is not.
    """

    id = models.CharField(primary_key=True, max_length=11)
    attendee = models.ForeignKey(Attendee, on_delete=models.CASCADE, related_name="runs")
    workshop = models.ForeignKey(Workshop, on_delete=models.CASCADE, related_name="runs")
    lab = models.CharField(max_length=48)
    lab_digest = models.CharField(max_length=80)
    lab_spec = models.JSONField()
    state = models.CharField(max_length=10, choices=RunStateChoices)
    generation = models.PositiveIntegerField(default=1)
    host = models.CharField(max_length=32)
    runtime = models.CharField(max_length=10, choices=RuntimeChoices)
    isolation = models.CharField(max_length=10, choices=IsolationChoices)
    kernel = models.CharField(max_length=120, blank=True)
    why_here = models.CharField(max_length=300, blank=True)
    memory_mb = models.PositiveIntegerField()
    cpu_percent = models.PositiveIntegerField()
    open_step = models.CharField(max_length=48)
    error = models.JSONField(null=True, blank=True)
    ended_why = models.CharField(max_length=300, blank=True)
    wish = models.CharField(max_length=12, choices=Wish.choices, blank=True)
    wish_command = models.CharField(max_length=11, blank=True)
    attachments = models.JSONField(default=list)
    impairments = models.JSONField(default=list)
    host_steps = models.JSONField(default=list)
    start_sent = models.JSONField(default=dict)
    bringing = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)
    queued_at = models.DateTimeField(null=True, blank=True)
    admitted_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    deadline = models.DateTimeField(null=True, blank=True)
    warned_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(default=timezone.now)
    state_at = models.DateTimeField(default=timezone.now)
    nudged_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("created_at", "id")
        indexes = (
            models.Index(fields=("state", "created_at"), name="run_state_created"),
            models.Index(fields=("workshop", "state"), name="run_workshop_state"),
            models.Index(fields=("host", "queued_at"), name="run_queued", condition=models.Q(queued_at__isnull=False)),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("attendee",), condition=models.Q(state__in=UNFINISHED_VALUES), name="one_unfinished_run_per_attendee"
            ),
        )

    @property
    def run_state(self) -> RunState:
        return RunState(self.state)

    @property
    def is_ended(self) -> bool:
        return self.run_state in ENDED

    @property
    def is_active(self) -> bool:
        return self.run_state in ACTIVE

    def spec(self) -> LabSpec:
        return LabSpec.model_validate(self.lab_spec)

    def __str__(self) -> str:
        return f"{self.id} ({self.lab}, {self.state})"


class RunFile(models.Model):
    """A file of /lab in its newest version. `browser_version` is the newest one that no shell made."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=120)
    version = models.PositiveIntegerField()
    browser_version = models.PositiveIntegerField()
    content = models.TextField(blank=True)
    size = models.PositiveIntegerField()
    origin = models.CharField(max_length=8, choices=FileOrigin.choices)
    deleted = models.BooleanField(default=False)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("path",)
        constraints = (models.UniqueConstraint(fields=("run", "path"), name="path_once_per_run"),)


class RunFileVersion(models.Model):
    """An older or the newest version of a file; the newest VERSIONS_KEPT of each are there."""

    file = models.ForeignKey(RunFile, on_delete=models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    content = models.TextField(blank=True)
    origin = models.CharField(max_length=8, choices=FileOrigin.choices)
    deleted = models.BooleanField(default=False)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("version",)
        constraints = (models.UniqueConstraint(fields=("file", "version"), name="version_once_per_file"),)


class CheckState(models.Model):
    """The newest verdict of a check; `ever_passed` never goes back: progress is not lost by experimenting on."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="checks")
    step = models.CharField(max_length=48)
    check_id = models.CharField(max_length=48)
    passed = models.BooleanField(default=False)
    ever_passed = models.BooleanField(default=False)
    observed = models.TextField(blank=True)
    expected = models.TextField(blank=True)
    at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("run", "step", "check_id"), name="check_once_per_run"),)


class ProgramOutcome(models.Model):
    """The newest result of building and loading one program: a wire ProgramResult as it came."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="program_outcomes")
    program = models.CharField(max_length=32)
    result = models.JSONField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("run", "program"), name="program_once_per_run"),)


class Terminal(models.Model):
    """A terminal that was asked for; `declared` ones come with the lab and open again with every reset.

    `opened_by` is the command that asked: when the host refuses it, the terminal has ended.
    """

    id = models.CharField(primary_key=True, max_length=11)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="terminals")
    node = models.CharField(max_length=24)
    title = models.CharField(max_length=60)
    declared = models.BooleanField(default=False)
    position = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=8, choices=TerminalState.choices, default=TerminalState.OPENING)
    opened_by = models.CharField(max_length=11, blank=True)
    opened_at = models.DateTimeField(default=timezone.now)
    closed_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("position", "opened_at", "id")


class Host(models.Model):
    """A host as the sweeps see it. Its row is also the lock under which places are given away."""

    name = models.CharField(primary_key=True, max_length=32)
    seen_at = models.DateTimeField(null=True, blank=True)
    silent_since = models.DateTimeField(null=True, blank=True)


class ProjectedEvent(models.Model):
    """An entry of a host's event stream that is in the rows: what comes a second time is skipped. Kept for an hour."""

    entry = models.CharField(primary_key=True, max_length=80)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = (models.Index(fields=("at",), name="projected_at"),)
