"""People, workshops and a host's report for the tests of the web side. What is written here is written by `do_*` actions."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from django.core.handlers.wsgi import WSGIRequest
from django.test import Client

from netlab.accounts.actions import do_make_attendee
from netlab.accounts.choices import Role
from netlab.accounts.models import User
from netlab.config import Config
from netlab.domain.lab import Ability, Isolation
from netlab.queue.routing import control_queue, work_queue
from netlab.runs.models import Run
from netlab.wire.commands import Command, parse_command
from netlab.wire.events import Event, parse_event
from netlab.wire.host_report import AbilityReport, GuestReport, HostReport, RunningRun
from netlab.wire.redis_names import Keys
from netlab.workshops.actions import do_create_workshop, do_open_workshop
from netlab.workshops.models import Attendee, Workshop

LAB = "xdp-01-first-program"


@pytest.fixture(autouse=True)
def _database(transactional_db: None, clean_redis: "redis.Redis") -> None:
    """Real commits, so that what is sent after a commit is sent; an empty Redis."""


@dataclass
class FakeHost:
    """What a host says of itself, put where a host puts it; and what it was told."""

    client: "redis.Redis"
    config: Config

    def report(
        self, memory_mb: int = 100_000, cpu: int = 100_000, runs: list[RunningRun] | None = None, **fields: Any
    ) -> HostReport:
        abilities = [AbilityReport(ability=a.value, works=a is not Ability.VM, why="") for a in Ability]
        values: dict[str, Any] = {
            "host": self.config.host_name, "at": time.time(), "started_at": time.time(), "abilities": abilities,
            "memory_budget_mb": memory_mb, "cpu_budget_percent": cpu, "runs": runs or [], "kernel": "6.1.0-test",
        }
        report = HostReport.model_validate(values | fields)
        self.client.set(Keys(self.config.instance).report(report.host), report.model_dump_json(), ex=60)
        return report

    def guest(self, state: str = "ready", **fields: Any) -> GuestReport:
        """What a host says of its VMs: one whose guest's kernel can do everything."""
        abilities = [AbilityReport(ability=a.value, works=True) for a in Ability]
        return GuestReport.model_validate({"state": state, "kernel": "6.12.1-guest", "abilities": abilities} | fields)

    def silent(self) -> None:
        self.client.delete(Keys(self.config.instance).report(self.config.host_name))

    def nudges(self, queue: str = "") -> list[list[Command]]:
        """What waits in the host's queues, oldest first; read and taken away."""
        queues = [queue] if queue else [work_queue(self.config.host_name), control_queue(self.config.host_name)]
        found = []
        for name in queues:
            key = f"{self.config.redis_prefix}celery:{name}"
            while isinstance(raw := self.client.rpop(key), bytes):
                body = json.loads(base64.b64decode(json.loads(raw)["body"]))
                found.append([parse_command(text) for text in body[0][0]])
        return found

    def commands(self) -> list[Command]:
        return [command for group in self.nudges() for command in group]


def events_in(client: "redis.Redis", stream: str) -> list[Event]:
    entries: Any = client.xrange(stream)
    return [parse_event(fields[b"e"]) for _, fields in entries]


@pytest.fixture
def host(clean_redis: "redis.Redis", config: Config) -> FakeHost:
    fake = FakeHost(clean_redis, config)
    fake.report()
    return fake


@pytest.fixture
def told(clean_redis: "redis.Redis", config: Config) -> Callable[[Run], list[Event]]:
    """The events that browsers of a run have been told."""

    def events(run: Run) -> list[Event]:
        return events_in(clean_redis, Keys(config.instance).run_events(run.pk))

    return events


def teacher(username: str, role: Role = Role.INSTRUCTOR) -> User:
    """Without a password: argon2 is slow on purpose, and most tests sign nobody in by one."""
    return User.objects.create(username=username, name=username.title(), role=role, password="!")


@pytest.fixture
def instructor() -> User:
    return teacher("ada")


@pytest.fixture
def other_instructor() -> User:
    return teacher("grace")


@pytest.fixture
def operator() -> User:
    return teacher("op", Role.OPERATOR)


@pytest.fixture
def workshop(instructor: User) -> Workshop:
    workshop = do_create_workshop(instructor, "XDP in an hour", labs=[LAB], seats=5)
    do_open_workshop(workshop)
    return workshop


@pytest.fixture
def other_workshop(other_instructor: User) -> Workshop:
    workshop = do_create_workshop(other_instructor, "Another", labs=[LAB], seats=5)
    do_open_workshop(workshop)
    return workshop


def sit_down(workshop: Workshop, name: str) -> Attendee:
    """A person with a seat, without the walk through the join page."""
    return Attendee.objects.create(user=do_make_attendee(name), workshop=workshop, name=name)


@pytest.fixture
def attendee(workshop: Workshop) -> Attendee:
    return sit_down(workshop, "Anna")


@pytest.fixture
def other_attendee(workshop: Workshop) -> Attendee:
    return sit_down(workshop, "Ben")


@pytest.fixture
def vm_people(workshop: Workshop, host: FakeHost) -> list[Attendee]:
    """Of a workshop where everybody has a kernel of their own, on a host with VMs."""
    host.report(guest=host.guest())
    workshop.isolation = Isolation.PRIVATE.value
    workshop.save()
    return [sit_down(workshop, f"P{number}") for number in range(4)]


def signed_in(user: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def client_of() -> Iterator[Callable[[User], Client]]:
    yield signed_in


def request_of(client: Client) -> WSGIRequest:
    """A request with the client's session and user, for actions that sign people in."""
    response = client.get("/healthz")
    request = response.wsgi_request
    return request
