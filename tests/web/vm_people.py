"""VM runs for tests of the web side: a host that has VMs, people with a kernel each, and what that host then says."""

import time
from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from netlab.domain.errors import NetlabError
from netlab.domain.lifecycle import RunState
from netlab.domain.placement import VM_OVERHEAD_MB
from netlab.runs.actions import do_start_run
from netlab.runs.models import Run
from netlab.runs.pausing import do_pause_run
from netlab.runs.projection import do_host_event
from netlab.wire.events import CommandFailed, RunStateChanged
from netlab.wire.host_report import HostReport, RunningRun
from netlab.workshops.models import Attendee
from tests.web.conftest import LAB, FakeHost, signed_in

VM_MB = 256 + VM_OVERHEAD_MB


def report(host: FakeHost, memory_mb: int = 100_000, runs: list[RunningRun] | None = None, up_s: float = 3600) -> HostReport:
    return host.report(memory_mb=memory_mb, runs=runs, guest=host.guest(), started_at=time.time() - up_s)


def told_by_host(run: Run, state: RunState, error: NetlabError | None = None) -> Run:
    run.refresh_from_db()
    event = RunStateChanged(
        run=run.pk, generation=run.generation, at=time.time(), state=state, error=error.body() if error else None
    )
    do_host_event(event)
    run.refresh_from_db()
    return run


def refused(run: Run, command: str, error: NetlabError) -> Run:
    do_host_event(CommandFailed(run=run.pk, generation=run.generation, at=time.time(), command=command, error=error.body()))
    run.refresh_from_db()
    return run


def running(attendee: Attendee) -> Run:
    return told_by_host(do_start_run(attendee, LAB), RunState.RUNNING)


def paused(attendee: Attendee) -> Run:
    return told_by_host(do_pause_run(running(attendee)), RunState.PAUSED)


def has(run: Run, state: str) -> RunningRun:
    return RunningRun(run=run.pk, lab=LAB, state=state, generation=run.generation, memory_mb=1, cpu_percent=1)


def settled(run: Run) -> None:
    past = timezone.now() - timedelta(minutes=5)
    Run.objects.filter(pk=run.pk).update(state_at=past, nudged_at=past)


def page_of(run: Run) -> dict[str, Any]:
    """What a reload is answered."""
    answer: dict[str, Any] = signed_in(run.attendee.user).get(f"/api/v1/runs/{run.pk}").json()
    return answer


def ask(run: Run, what: str, body: dict[str, Any] | None = None) -> Any:
    client: Client = signed_in(run.attendee.user)
    return client.post(f"/api/v1/runs/{run.pk}/{what}", body or {}, content_type="application/json")
