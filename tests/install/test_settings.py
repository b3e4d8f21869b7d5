"""Settings as an operator gives them: where they come from, and what a wrong one says."""

from pathlib import Path

import pytest

from netlab.config import Config
from netlab.install import check_settings, settings_files
from netlab.install.failure import Failed
from netlab.install.instance import load_instance, read_env_file, write_private


def test_the_command_line_wins_and_gives_each_instance_its_own_folders() -> None:
    instance = load_instance({"NETLAB_INSTANCE": "second", "NETLAB_LISTEN_PORT": "9443", "HOME": "/"})
    assert (instance.name, instance.setting("listen_port", "8443")) == ("second", "9443")
    assert instance.state_dir == Path("/var/lib/netlab/second")
    assert instance.run_dir == Path("/run/netlab/second")
    assert set(instance.settings) == {"NETLAB_INSTANCE", "NETLAB_LISTEN_PORT"}


@pytest.mark.parametrize("name", ["", "Main", "a-b", "../x", "ninechars"])
def test_an_instance_name_that_would_be_a_path_is_refused(name: str) -> None:
    with pytest.raises(Failed, match="NETLAB_INSTANCE"):
        load_instance({"NETLAB_INSTANCE": name})


def test_an_unknown_setting_names_the_nearest_known_one() -> None:
    with pytest.raises(Failed, match="NETLAB_LISTEN_PROT; did you mean NETLAB_LISTEN_PORT"):
        settings_files.check_names(load_instance({"NETLAB_LISTEN_PROT": "1"}))


def test_every_field_is_a_known_setting() -> None:
    """The installer reads the names from the text of netlab/config.py, before there is a pydantic to ask."""
    settings_files.check_names(load_instance({f"NETLAB_{name.upper()}": "main" for name in Config.model_fields}))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("NETLAB_LISTEN_PORT=many", "NETLAB_LISTEN_PORT=many: Input should be a valid integer"),
        ("NETLAB_HOST_NAME=Not OK", "NETLAB_HOST_NAME=Not OK: String should match"),
        ("NETLAB_LISTEN_PORT=9443", ""),
    ],
)
def test_a_wrong_value_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, said: str) -> None:
    monkeypatch.delenv("NETLAB_LISTEN_PORT", raising=False)
    file = tmp_path / "env"
    file.write_text(line + "\n")
    complaint = check_settings.complaint(file)
    assert complaint.startswith(said) and "\n" not in complaint
    assert bool(complaint) == bool(said)


def test_an_env_file_says_which_line_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("# fine\n\nNETLAB_DEBUG = 'true'\nnonsense\n")
    with pytest.raises(Failed, match="line 4"):
        read_env_file(file)
    file.write_text("# fine\n\nNETLAB_DEBUG = 'true'\n")
    assert read_env_file(file) == {"NETLAB_DEBUG": "true"}


def test_a_private_file_is_never_wider_than_asked_and_replaces_whole(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    write_private(file, "one", 0o640)
    write_private(file, "two", 0o400)
    assert file.read_text() == "two"
    assert file.stat().st_mode & 0o777 == 0o400
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
