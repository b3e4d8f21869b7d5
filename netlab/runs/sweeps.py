"""The sweeps as Celery tasks of queue `sweeps`; beat sends them every few seconds (netlab.queue.app). They only translate."""

from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

from netlab.queue.app import app
from netlab.runs.admission import do_admit_queued
from netlab.runs.upkeep import do_expire_runs, do_heal_runs, do_notice_silent_host, do_tidy


@app.task(name="sweeps.admit_queued")
def admit_queued() -> None:
    for host in settings.HOST_NAMES:
        do_admit_queued(host)


@app.task(name="sweeps.heal_runs")
def heal_runs() -> None:
    for host in settings.HOST_NAMES:
        report = do_notice_silent_host(host)
        if report is not None:
            do_heal_runs(report)


@app.task(name="sweeps.expire_runs")
def expire_runs() -> None:
    do_expire_runs()


@app.task(name="sweeps.tidy")
def tidy() -> None:
    do_tidy()
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
