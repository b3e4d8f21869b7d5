"""The operator's page and the metrics: what a host reports beside the rows, and who may read it."""

import re
import time
from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from netlab.accounts.models import User
from netlab.config import Config
from netlab.domain.lifecycle import RunState
from netlab.install.instance import TOP
from netlab.runs.actions import do_start_run
from netlab.runs.models import Run
from netlab.runs.projection import do_host_event
from netlab.wire.events import RunStateChanged
from netlab.wire.host_report import AbilityReport, HostLoad, Leftover, ProcessLoad, RunningRun, SoftnetReport, StoppedStorm
from netlab.wire.redis_names import Keys
from netlab.wire.web_report import LAG_BUCKETS_S, WebReport
from netlab.workshops.models import Attendee
from tests.pages.conftest import read
from tests.web.conftest import LAB, FakeHost, signed_in

TOKEN = "let-prometheus-in"


@pytest.fixture
def run(attendee: Attendee, host: FakeHost) -> Run:
    run = do_start_run(attendee, LAB)
    do_host_event(RunStateChanged(run=run.pk, generation=1, at=1.0, state=RunState.RUNNING))
    host.report(
        load=HostLoad(
            processors=2, cpu_percent=61, softirq_percent=22.5, memory_total_mb=8000, memory_available_mb=6000,
            softnet=SoftnetReport(processed=987_654, dropped=41, squeezed=7, processed_per_s=54_321.4, dropped_per_s=3),
            processes=[ProcessLoad(name="agent", cpu_percent=3.5, memory_mb=90)],
        ),
        runs=[RunningRun(
            run=run.pk, lab=LAB, state="running", generation=1, memory_mb=256, cpu_percent=100, memory_mb_used=41,
            cpu_percent_used=12.5,
        )],
        storms=[StoppedStorm(
            at=time.time(), run=run.pk, lab=LAB, node="client", interface="eth0", pps=3_300_000, limit_pps=400_000,
        )],
        storms_stopped=3, leftovers=[Leftover(kind="netns", name="nl.main.gone.client")],
        abilities=[
            AbilityReport(ability="bpf_token", works=True), AbilityReport(ability="netem", works=False, why="no such qdisc"),
        ],
    )
    return run


def test_an_operator_sees_what_runs_and_what_it_costs(run: Run, operator: User) -> None:
    words = read(signed_in(operator).get("/operator/")).words
    for said in (
        run.attendee.name, "12.5 %", "54,321", "3 dropped at a full backlog", "41 of", "61 %",
        "2,000 of 8,000 MiB", "client:eth0", "3,300,000", "nl.main.gone.client", "no such qdisc", run.pk,
    ):
        assert said in words, said
    assert "Host" in read(signed_in(operator).get("/instructor/")).words


def test_a_host_that_is_away_is_said(run: Run, operator: User, host: FakeHost) -> None:
    host.silent()
    words = read(signed_in(operator).get("/operator/")).words
    assert "has not reported for 20 seconds" in words and run.attendee.name in words


def test_nobody_else_learns_anything(run: Run, instructor: User, attendee: Attendee) -> None:
    for path in ("/operator/", "/metrics"):
        for who in (instructor, attendee.user):
            assert signed_in(who).get(path).status_code == 404
    assert Client().get("/operator/").status_code == 302
    assert Client().get("/metrics").status_code == 404


def test_prometheus_shows_a_token(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ("", "Bearer ", "Bearer x", TOKEN):
        assert Client().get("/metrics", headers={"Authorization": wrong}).status_code == 404
    monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={"metrics_token": SecretStr(TOKEN)}))
    assert Client().get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 404
    assert Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_metrics_say_the_same_in_prometheus_words(
    run: Run, operator: User, config: Config, clean_redis: "redis.Redis"
) -> None:
    counts = [0] * (len(LAG_BUCKETS_S) + 1)
    counts[2] = 7
    web = WebReport(process=77, at=1.0, sockets={"run": 2}, frames_sent=9, frames_skipped=1, lag_counts=counts, lag_sum_s=0.2)
    clean_redis.set(Keys(config.instance).web_report(77), web.model_dump_json())
    found = _metrics(operator)
    assert found["netlab_host_up", "local"] == 1
    assert found["netlab_runs", "namespaces", "running"] == 1 and found["netlab_runs", "vm", "failed"] == 0
    assert found["netlab_run_start_seconds_count", "namespaces"] == 1
    assert found["netlab_run_cpu_ratio", "local", LAB, run.pk] == 0.125
    assert found["netlab_host_softirq_ratio", "local"] == 0.225
    assert found["netlab_host_softnet_total", "local", "processed"] == 987_654
    assert found["netlab_host_softnet_total", "local", "dropped"] == 41
    assert found["netlab_host_storms_stopped_total", "local"] == 3
    assert (found["netlab_host_leftovers", "local", "netns"], found["netlab_host_leftovers", "local", "cgroup"]) == (1, 0)
    assert found["netlab_host_ability", "netem", "local"] == 0
    assert found["netlab_queue_messages_waiting", "host.local.work"] >= 1
    assert found["netlab_sockets_open", "run", "77"] == 2 and found["netlab_counter_frames_skipped_total", "77"] == 1
    assert found["netlab_counter_frame_lag_seconds_bucket", "0.05", "77"] == 7


def test_alerts_and_dashboard_name_metrics_that_are_there(
    run: Run, operator: User, clean_redis: "redis.Redis", config: Config
) -> None:
    clean_redis.set(Keys(config.instance).web_report(77), WebReport(process=77, at=1.0, lag_counts=[1] * 10).model_dump_json())
    there = {name for name, *_ in _metrics(operator)}
    for file in ("alerts.yml", "dashboard.json"):
        named = set(re.findall(r"netlab_[a-z0-9_]+", (TOP / "docs" / "metrics" / file).read_text()))
        assert named and named <= there, named - there


def _metrics(operator: User) -> dict[tuple[str, ...], Any]:
    """{(name, values of the labels in the order of their names...): value}"""
    text = signed_in(operator).get("/metrics").content.decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text) for sample in family.samples
    }
