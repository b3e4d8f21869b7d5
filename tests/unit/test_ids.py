"""Identifiers: the alphabets are as narrow as the paths, keys and names that they become part of."""

import pytest
from pydantic import TypeAdapter, ValidationError

from netlab.domain.ids import FilePath, NodeName, RunId, new_command_id, new_run_id, new_terminal_id, normalise_join_code

path = TypeAdapter(FilePath)
run = TypeAdapter(RunId)


@pytest.mark.parametrize("good", ["xdp.c", "include/maps.h", "Makefile", "a/b/c.txt", "_x", "a..b"])
def test_paths_that_are_kept(good: str) -> None:
    assert path.validate_python(good) == good


@pytest.mark.parametrize(
    "bad",
    ["", "/etc/passwd", "../up", "a/../b", "a/..", ".hidden", "a/.git/config", "a//b", "a/", "a b", "a\n", "\0", "x" * 121, "-r"],
)
def test_paths_that_could_lead_elsewhere_are_refused(bad: str) -> None:
    with pytest.raises(ValidationError):
        path.validate_python(bad)


def test_new_ids_are_valid_and_differ() -> None:
    ids = {new_run_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(run.validate_python(i) for i in ids)
    assert new_terminal_id()[0] == "t" and new_command_id()[0] == "c"


@pytest.mark.parametrize("bad", ["r", "r0123456789a", "R0123456789", "rilo1234567", "r012345678/"])
def test_bad_run_ids(bad: str) -> None:
    with pytest.raises(ValidationError):
        run.validate_python(bad)


def test_node_names_are_host_names() -> None:
    adapter = TypeAdapter(NodeName)
    assert adapter.validate_python("web-1") == "web-1"
    for bad in ("1web", "Web", "a_b", "a.b", "a/b", "", "x" * 25):
        with pytest.raises(ValidationError):
            adapter.validate_python(bad)


@pytest.mark.parametrize(("typed", "code"), [("K7RT-9X2M", "k7rt9x2m"), (" k7rt 9x2m\n", "k7rt9x2m"), ("OIL0-1111", "01101111")])
def test_a_join_code_is_read_as_people_type_it(typed: str, code: str) -> None:
    assert normalise_join_code(typed) == code
