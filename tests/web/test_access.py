"""Every route of the API, asked by everybody: a route without a rule here fails.

Who may what: `owner` is the attendee whose run it is, `peer` another attendee of the same workshop, `teacher` its
instructor, `foreign` the instructor of another workshop, `operator` everybody's.
"""

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pytest
from django.test import Client

from netlab.accounts.models import User
from netlab.api.app import api
from netlab.domain.ids import new_command_id
from netlab.domain.lab import Isolation
from netlab.domain.lifecycle import RunState
from netlab.runs.actions import do_start_run
from netlab.runs.models import Run
from netlab.runs.projection import do_host_event
from netlab.wire.commands import ExportCapture, ExportHome, FormatFile
from netlab.wire.events import RunStateChanged
from netlab.workshops.models import Attendee, Workshop
from tests.web.conftest import LAB, FakeHost, signed_in

WHO = ("owner", "peer", "teacher", "foreign", "operator")
OWNER = frozenset({"owner"})
MANAGERS = frozenset({"owner", "teacher", "operator"})
MEMBERS = frozenset({"owner", "peer", "teacher", "operator"})
TEACHERS = frozenset({"teacher", "operator"})


@dataclass(frozen=True)
class Rule:
    """Who may, and what to send; {words} of the path and the body are filled from the run."""

    may: frozenset[str]
    body: dict[str, Any] = field(default_factory=dict)


RULES = {
    "get_me": Rule(frozenset(WHO)),
    "get_lab_page": Rule(MEMBERS),
    "start_run": Rule(frozenset({"owner", "peer"})),
    "get_roster": Rule(TEACHERS),
    "get_run": Rule(MANAGERS),
    "stop_run": Rule(MANAGERS),
    "extend_run": Rule(MANAGERS),
    "reset_run": Rule(OWNER, {"keep_files": True}),
    "pause_run": Rule(OWNER),
    "resume_run": Rule(OWNER),
    "impair_link": Rule(OWNER, {"node": "{node}", "interface": "eth0", "delay_ms": 50}),
    "reset_node": Rule(OWNER),
    "open_step": Rule(OWNER, {"step": "{step}"}),
    "bring_to_step": Rule(OWNER, {"step": "{step}"}),
    "run_check": Rule(OWNER, {"step": "{step}"}),
    "list_files": Rule(OWNER),
    "read_file": Rule(OWNER),
    "write_file": Rule(OWNER, {"content": "// mine", "base_version": 1}),
    "format_file": Rule(OWNER, {"path": "xdp.c", "content": "int x;"}),
    "get_originals": Rule(OWNER),
    "open_terminal": Rule(OWNER, {"node": "{node}"}),
    "close_terminal": Rule(OWNER),
    "build_program": Rule(OWNER, {"mode": None, "load": True}),
    "detach_program": Rule(OWNER, {"node": "{node}", "interface": "eth0"}),
    "download_home": Rule(OWNER),
    "start_capture": Rule(OWNER, {"node": "{node}", "interface": "eth0"}),
    "stop_capture": Rule(OWNER),
    "download_capture": Rule(OWNER),
    "start_trace": Rule(OWNER, {"mode": "latency"}),
    "stop_trace": Rule(OWNER),
    "find_functions": Rule(OWNER, {"search": "ip_rcv"}),
}


@lru_cache
def operations() -> dict[str, tuple[str, str]]:
    """{operation id: (method, path)} of everything that the API serves."""
    schema = api.get_openapi_schema(path_prefix="/api/v1/")
    return {
        operation["operationId"]: (method.upper(), path)
        for path, methods in schema["paths"].items() for method, operation in methods.items()
    }


def test_every_route_has_a_rule_and_every_rule_a_route() -> None:
    assert set(operations()) == set(RULES)


def test_no_route_is_hidden_from_the_document() -> None:
    """What the resolver serves under /api/v1 is what the document lists: operations cannot be left out of these tests."""
    served = sum(
        len(operation.methods)
        for _, router in api._routers for view in router.path_operations.values() for operation in view.operations
    )
    assert served == len(operations())


@dataclass
class Scene:
    run: Run
    workshop: Workshop
    people: dict[str, User]

    def words(self) -> dict[str, str]:
        spec = self.run.spec()
        file, terminal = self.run.files.first(), self.run.terminals.first()
        assert file is not None and terminal is not None
        return {
            "workshop": self.workshop.pk, "lab": LAB, "run": self.run.pk, "node": spec.nodes[0].name, "step": spec.steps[0].id,
            "path": file.path, "terminal": terminal.pk, "program": spec.programs[0].name,
            "capture": new_command_id(),
            "trace": new_command_id(),
        }

    def ask(self, client: Client, operation: str) -> Any:
        method, path = operations()[operation]
        words = self.words()
        url = path.replace("{path:path}", "{path}").format(**words)
        body = json.dumps(RULES[operation].body)
        for name, value in words.items():
            body = body.replace("{" + name + "}", value)
        data = body if method in ("POST", "PUT") else ""
        return client.generic(method, url, data=data, content_type="application/json")


@pytest.fixture
def scene(
    attendee: Attendee, other_attendee: Attendee, instructor: User, other_instructor: User, other_workshop: Workshop,
    operator: User, host: FakeHost, monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    for limit in ("runs.HOME_WAIT_S", "runs.FORMAT_WAIT_S", "captures.CAPTURE_WAIT_S"):  # no host does it here: allowed means 503
        monkeypatch.setattr(f"netlab.api.{limit}", 0.0)
    host.report(guest=host.guest())
    Workshop.objects.filter(pk=attendee.workshop_id).update(isolation=Isolation.PRIVATE.value)
    attendee.workshop.refresh_from_db()
    run = do_start_run(attendee, LAB)
    do_host_event(RunStateChanged(run=run.pk, generation=1, at=1.0, state=RunState.RUNNING))
    people = {
        "owner": attendee.user, "peer": other_attendee.user, "teacher": instructor, "foreign": other_instructor,
        "operator": operator,
    }
    return Scene(Run.objects.get(pk=run.pk), attendee.workshop, people)


@pytest.mark.parametrize("operation", sorted(RULES))
def test_a_route_as_everybody(operation: str, scene: Scene, host: FakeHost) -> None:
    nobody = scene.ask(Client(raise_request_exception=False), operation)
    assert (nobody.status_code, nobody.json()["code"]) == (401, "not_signed_in")
    host.nudges()
    for who in sorted(set(WHO) - RULES[operation].may):
        answer = scene.ask(signed_in(scene.people[who]), operation)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), who
    assert host.nudges() == [], "nobody who may not has moved anything"
    for who in sorted(RULES[operation].may):
        scene.run.refresh_from_db()
        answer = scene.ask(signed_in(scene.people[who]), operation)
        if operation in ("download_home", "format_file", "download_capture"):
            assert answer.status_code == 503
            assert isinstance(host.commands()[-1], ExportHome | FormatFile | ExportCapture)
        else:
            assert answer.status_code == 200, (who, answer.content)


@pytest.mark.parametrize("operation", sorted(name for name, (method, _) in operations().items() if method != "GET"))
def test_nothing_unsafe_without_a_csrf_token(operation: str, scene: Scene, host: FakeHost) -> None:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(scene.people["owner"], backend="django.contrib.auth.backends.ModelBackend")
    host.nudges()
    answer = scene.ask(client, operation)
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")
    assert host.nudges() == []


def test_the_owner_keeps_the_files_after_the_workshop(scene: Scene) -> None:
    from netlab.workshops.actions import do_close_workshop

    do_close_workshop(scene.workshop)
    client = signed_in(scene.people["owner"])
    assert scene.ask(client, "read_file").status_code == 200
    answer = scene.ask(signed_in(scene.people["peer"]), "start_run")
    assert (answer.status_code, answer.json()["code"]) == (403, "workshop_closed")


def test_a_person_who_left_is_a_stranger(scene: Scene) -> None:
    client = signed_in(scene.people["owner"])
    User.objects.filter(pk=scene.people["owner"].pk).update(is_active=False)
    assert scene.ask(client, "get_run").status_code == 401
