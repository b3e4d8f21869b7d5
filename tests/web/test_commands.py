"""Management commands, called as an operator calls them."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.test import Client

from netlab.accounts.actions import WRONG_PASSWORDS_PER_NAME, do_make_instructor, do_sign_in, do_sign_out
from netlab.accounts.models import User
from netlab.api.management.commands.export_openapi import DEFAULT_PATH, openapi_text
from netlab.config import Config
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.workshops.joining import do_join
from netlab.workshops.models import Workshop
from tests.web.conftest import LAB, request_of

PASSWORD = "a long password for tests"


def said(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_show_config_shows_every_field_and_no_secret(config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "netlab.env"
    file.write_text("NETLAB_STORM_PPS=400000\n")
    monkeypatch.setenv("NETLAB_ENV_FILE", str(file))
    text = said("show_config")
    for name, field in Config.model_fields.items():
        assert f"{name} = " in text
        assert field.description and field.description in text
    assert config.secret_key.get_secret_value() not in text
    assert "secret_key = (set)" in text
    assert "run_minutes = 180 min" in text
    assert "[NETLAB_INSTANCE]" in text and f"[{file}]" in text and "[default]" in text


def test_show_config_reports_what_is_no_setting(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NETLAB_RUN_MINUTE", "5")
    call_command("show_config")
    assert capsys.readouterr().err.splitlines() == ["NETLAB_RUN_MINUTE is no setting; did you mean NETLAB_RUN_MINUTES?"]


def test_make_instructor_from_a_file_and_again(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    assert "Made operator ada" in said("make_instructor", "ada", "--operator", "--password-file", str(file))
    user = User.objects.get(username="ada")
    assert user.password.startswith("argon2")
    assert authenticate(username="ada", password=PASSWORD) == user
    text = said("make_instructor", "ada")
    password = text.split("Password: ")[1].strip()
    assert authenticate(username="ada", password=password) == user
    assert authenticate(username="ada", password=PASSWORD) is None


@pytest.mark.parametrize("content", ["", "short\n"])
def test_make_instructor_refuses_a_weak_password(tmp_path: Path, content: str) -> None:
    file = tmp_path / "password"
    file.write_text(content)
    with pytest.raises(CommandError):
        call_command("make_instructor", "ada", "--password-file", str(file))
    assert not User.objects.exists()


def test_signing_in_and_its_limit() -> None:
    do_make_instructor("ada", PASSWORD)
    client = Client()
    request = request_of(client)
    assert do_sign_in(request, " ada ", PASSWORD).username == "ada"
    do_sign_out(request)
    assert not request.user.is_authenticated
    for _ in range(WRONG_PASSWORDS_PER_NAME):
        with pytest.raises(NetlabError) as caught:
            do_sign_in(request_of(Client()), "ada", "wrong")
        assert caught.value.code is ErrorCode.WRONG_PASSWORD
    with pytest.raises(NetlabError) as caught:
        do_sign_in(request_of(Client()), "ADA", PASSWORD)
    assert caught.value.code is ErrorCode.TOO_MANY_TRIES


def test_demo_workshop_is_made_once_and_can_be_joined(instructor: User) -> None:
    first = json.loads(said("demo_workshop", "--instructor", instructor.username, "--json"))
    assert json.loads(said("demo_workshop", "--json")) == first
    workshop = Workshop.objects.get()
    assert (workshop.pk, workshop.isolation) == ("demo", "strangers")
    assert LAB in workshop.labs.values_list("lab", flat=True)
    assert first["link"] in said("demo_workshop")
    assert do_join(request_of(Client()), first["code"], "Anna").workshop == workshop


def test_demo_workshop_needs_an_instructor() -> None:
    with pytest.raises(CommandError):
        call_command("demo_workshop")


def test_the_exported_document_is_current(tmp_path: Path) -> None:
    said("export_openapi", "--output", str(tmp_path / "openapi.json"))
    assert (tmp_path / "openapi.json").read_text() == openapi_text()
    assert DEFAULT_PATH.read_text() == openapi_text(), "run: manage.py export_openapi"


def test_no_migration_is_missing() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
