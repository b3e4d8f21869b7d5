"""Every error of the API has one shape, whoever refuses."""

import logging
from typing import Any

import pytest
from django.test import Client

from netlab.domain.errors import ErrorBody
from netlab.workshops.models import Attendee
from tests.web.conftest import LAB, FakeHost, signed_in


def body(answer: Any, status: int, code: str) -> ErrorBody:
    assert answer.status_code == status, answer.content
    assert set(answer.json()) == {"code", "message", "hint", "data"}
    error = ErrorBody.model_validate(answer.json())
    assert error.code == code
    assert error.message and error.hint
    return error


def test_an_unknown_address(attendee: Attendee) -> None:
    for client in (Client(), signed_in(attendee.user)):
        body(client.get("/api/v1/no/such/thing"), 404, "not_found")
        body(client.get("/api/"), 404, "not_found")


def test_a_method_that_is_not_taken(attendee: Attendee) -> None:
    answer = signed_in(attendee.user).delete("/api/v1/me")
    body(answer, 405, "bad_input")
    assert answer.headers["Allow"] == "GET"


def test_a_body_that_is_no_json(attendee: Attendee, host: FakeHost) -> None:
    client = signed_in(attendee.user)
    run = client.post(f"/api/v1/workshops/{attendee.workshop_id}/labs/{LAB}/run").json()["id"]
    body(client.post(f"/api/v1/runs/{run}/step", data="{", content_type="application/json"), 400, "bad_input")


def test_a_field_that_is_wrong_is_named(attendee: Attendee, host: FakeHost) -> None:
    client = signed_in(attendee.user)
    run = client.post(f"/api/v1/workshops/{attendee.workshop_id}/labs/{LAB}/run").json()["id"]
    error = body(client.post(f"/api/v1/runs/{run}/step", data={"stepp": "x"}, content_type="application/json"), 422, "bad_input")
    assert "step" in error.message
    error = body(client.put(f"/api/v1/runs/{run}/files/../x", data={}, content_type="application/json"), 422, "bad_input")


@pytest.mark.parametrize("path", ["..%2fetc", ".hidden", "a/../b", "a//b", "x" * 130])
def test_a_path_that_leaves_the_folder_is_refused(path: str, attendee: Attendee, host: FakeHost) -> None:
    client = signed_in(attendee.user)
    run = client.post(f"/api/v1/workshops/{attendee.workshop_id}/labs/{LAB}/run").json()["id"]
    answer = client.put(
        f"/api/v1/runs/{run}/files/{path}", data={"content": "x", "base_version": 0}, content_type="application/json"
    )
    body(answer, 422, "bad_input")


def test_what_is_too_large(attendee: Attendee, host: FakeHost) -> None:
    client = signed_in(attendee.user)
    run = client.post(f"/api/v1/workshops/{attendee.workshop_id}/labs/{LAB}/run").json()["id"]
    url = f"/api/v1/runs/{run}/files/a.c"
    answer = client.put(url, data={"content": "é" * 40_000, "base_version": 0}, content_type="application/json")
    body(answer, 413, "file_too_large")
    answer = client.put(url, data={"content": "x" * 2_000_000, "base_version": 0}, content_type="application/json")
    body(answer, 413, "bad_input")


@pytest.mark.parametrize("content", ['"\\ud800"', '"a\\u0000b"'])
def test_text_that_is_none(content: str, attendee: Attendee, host: FakeHost) -> None:
    client = signed_in(attendee.user)
    run = client.post(f"/api/v1/workshops/{attendee.workshop_id}/labs/{LAB}/run").json()["id"]
    data = f'{{"content": {content}, "base_version": 0}}'
    body(client.put(f"/api/v1/runs/{run}/files/a.c", data=data, content_type="application/json"), 422, "bad_input")


def test_a_bug_has_an_id_that_the_log_knows(
    attendee: Attendee, host: FakeHost, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(run: object) -> None:
        raise ZeroDivisionError("a bug of ours")

    client = signed_in(attendee.user)
    run = client.post(f"/api/v1/workshops/{attendee.workshop_id}/labs/{LAB}/run").json()["id"]
    monkeypatch.setattr("netlab.api.runs.present_run", broken)
    with caplog.at_level(logging.ERROR):
        error = body(client.get(f"/api/v1/runs/{run}"), 500, "bug")
    assert error.data["id"] in caplog.text
    assert "ZeroDivisionError" not in str(error)


def test_the_document_is_only_served_in_debug(attendee: Attendee) -> None:
    client = signed_in(attendee.user)
    for path in ("docs", "openapi.json"):
        body(client.get(f"/api/v1/{path}"), 404, "not_found")
