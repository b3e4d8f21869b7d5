"""A lab's folder is read whole or refused whole: every mistake with its place, what is wrong and what to do."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netlab.domain import lab_file, lab_folder
from netlab.domain.lab_file import LabProblems, load_lab
from netlab.domain.lab_folder import TEXT_BYTES_MAX
from netlab.domain.yaml_text import read_yaml
from netlab.wire.commands import FILE_BYTES_MAX, FILES_MAX

GOOD = """\
id: good-lab
title: A good lab
summary: Two nodes and a program between them.
topic: xdp
minutes: 10
nodes:
  - name: client
    interfaces: [{name: eth0, addresses: [10.0.0.1/24]}]
  - name: server
    interfaces: [{name: eth0, addresses: [10.0.0.2/24]}]
links:
  - ends: [client:eth0, server:eth0]
programs:
  - {name: xdp, source: xdp.c, function: prog, attach: {node: server, interface: eth0}}
steps:
  - id: look
    title: Look around
    text: steps/01-look.md
    checks:
      - {id: loaded, title: It is loaded, probe: {kind: xdp, node: server, interface: eth0}}
"""
SOLUTION = "actions:\n  - {do: write, file: xdp.c}\n  - {do: load, program: xdp}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lab = tmp_path / "good-lab"
    for name, text in {
        "lab.yaml": GOOD,
        "steps/01-look.md": "Look at `client:eth0`.\n\n```c file=xdp.c\nx\n```\n",
        "start/xdp.c": "int prog(void *ctx) { return 2; }\n",
        "solution/01/solution.yaml": SOLUTION,
        "solution/01/xdp.c": "int prog(void *ctx) { return 1; }\n",
    }.items():
        (lab / name).parent.mkdir(parents=True, exist_ok=True)
        (lab / name).write_text(text)
    return lab


def said(folder: Path) -> list[str]:
    with pytest.raises(LabProblems) as caught:
        load_lab(folder)
    return str(caught.value).splitlines()


def change(folder: Path, name: str, *changes: tuple[str, str]) -> None:
    text = (folder / name).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / name).write_text(text)


def test_a_good_lab_is_read_whole(folder: Path) -> None:
    lab = load_lab(folder)
    assert lab.spec.id == "good-lab"
    assert list(lab.files) == ["xdp.c"]
    assert lab.texts["look"].startswith("Look at")
    solution = lab.solution("look")
    assert solution and solution.number == 1 and "return 1" in solution.files["xdp.c"]


def test_the_digest_changes_with_any_byte(folder: Path) -> None:
    before = load_lab(folder).digest
    assert load_lab(folder).digest == before
    change(folder, "steps/01-look.md", ("Look", "look"))
    assert load_lab(folder).digest != before


def test_all_mistakes_are_found_at_once_with_their_places(folder: Path) -> None:
    change(
        folder,
        "lab.yaml",
        ("summary:", "sumary:"),
        ("topic: xdp", "topic: xpd"),
        ("minutes: 10", "minutes: ten"),
        ("name: client", "name: Client"),
        ("kind: xdp", "kind: xpd"),
        ("10.0.0.2/24", "10.0.0.2/33"),
    )
    assert said(folder) == [
        "lab.yaml:1:1: summary is missing (add summary:)",
        "lab.yaml:3:1: unknown key sumary (did you mean summary?)",
        "lab.yaml:4:8: xpd is not known here (did you mean xdp?)",
        "lab.yaml:5:10: ten should be a valid integer, unable to parse string as an integer",
        "lab.yaml:7:11: Client is not allowed here (write a small letter, then small letters, digits and dashes)",
        "lab.yaml:10:43: value is not a valid IPv4 or IPv6 interface",
        "lab.yaml:20:57: xpd is not a kind (did you mean xdp?)",
    ]


def test_references_that_lead_nowhere(folder: Path) -> None:
    change(
        folder,
        "lab.yaml",
        ("id: good-lab", "id: other-lab"),
        ("server:eth0]", "sever:eth0]"),
        ("source: xdp.c", "source: xdq.c"),
        ("steps/01-look.md", "steps/01-lock.md"),
        ("probe: {kind: xdp, node: server", "probe: {kind: xdp, node: srv"),
    )
    change(folder, "solution/01/solution.yaml", ("file: xdp.c", "file: xpd.c"), ("program: xdp", "program: xpd"))
    assert said(folder) == [
        "lab.yaml:1:5: the id other-lab is not the folder's name (write id: good-lab)",
        "lab.yaml:10:18: server:eth0 has no link (add it to links, or say what device it is)",
        "lab.yaml:12:25: there is no node named sever (nodes: client, server)",
        "lab.yaml:14:25: there is no start/xdq.c (did you mean xdp.c?)",
        "lab.yaml:18:11: there is no steps/01-lock.md (did you mean steps/01-look.md?)",
        "lab.yaml:20:68: there is no node named srv (nodes: client, server)",
        "solution/01/solution.yaml:2:23: there is no xpd.c beside it (did you mean xdp.c?)",
        "solution/01/solution.yaml:3:25: there is no program named xpd (did you mean xdp?)",
        "solution/01/xdp.c:1:1: is written by no action (add - {do: write, file: xdp.c})",
        "steps/01-look.md:1:1: is not the text of any step (name it in lab.yaml, or delete it)",
    ]


def test_a_key_that_is_there_twice(folder: Path) -> None:
    change(folder, "lab.yaml", ("minutes: 10", "minutes: 10\nminutes: 20"))
    assert said(folder) == ["lab.yaml:6:1: minutes is there twice (the first one is on line 5; keep one)"]


def test_a_step_with_checks_needs_a_solution(folder: Path) -> None:
    (folder / "solution/01").rename(folder / "solution/02")
    assert said(folder) == [
        "lab.yaml:16:5: step look has checks but no solution (add solution/01/solution.yaml)",
        "solution/02:1:1: is not the solution of any step (01 to 01 are the numbers of the steps)",
    ]


def test_instructions_that_name_what_is_not_there(folder: Path) -> None:
    (folder / "steps/01-look.md").write_text("`client:eth7`\n```c file=foo.c\nx\n```\n::: hunt x\n:::\n```sh node=clint\n")
    assert said(folder) == [
        "steps/01-look.md:1:1: there is no interface client:eth7",
        "steps/01-look.md:2:1: there is no file foo.c under start/ or solution/ (known: xdp.c)",
        "steps/01-look.md:5:1: ::: hunt is not known (did you mean hint?)",
        "steps/01-look.md:7:1: there is no node named clint (did you mean client?)",
        "steps/01-look.md:7:1: this code block is never closed (end it with a line ```)",
    ]


def test_files_that_cannot_be_shown(folder: Path) -> None:
    (folder / "start/.hidden").write_text("x")
    (folder / "start/large.c").write_text("x" * (TEXT_BYTES_MAX + 1))
    (folder / "start/latin.c").write_bytes(b"ok\n\xff\n")
    (folder / "start/zero.c").write_bytes(b"\0")
    (folder / "start/link.c").symlink_to("/etc/passwd")
    assert [line.split(" (")[0] for line in said(folder)] == [
        "start/.hidden:1:1: has a name that /lab cannot have",
        "start/large.c:1:1: is larger than 64 KiB",
        "start/latin.c:2:1: is not UTF-8",
        "start/link.c:1:1: is a symbolic link, or in one",
        "start/zero.c:1:1: holds a zero byte",
    ]


def test_a_linked_folder_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "start").rename(tmp_path / "elsewhere")
    (folder / "start").symlink_to(tmp_path / "elsewhere")
    assert "lab.yaml:14:25: there is no start/xdp.c" in said(folder)


def test_no_lab_at_all(tmp_path: Path) -> None:
    assert said(tmp_path) == ["lab.yaml:1:1: is missing (create it)"]
    (tmp_path / "lab.yaml").write_text("")
    assert said(tmp_path) == ["lab.yaml:1:1: is empty (see docs/lab-format.md)"]
    (tmp_path / "lab.yaml").write_text("- a\n")
    assert said(tmp_path) == ["lab.yaml:1:1: this where keys and values belong (write key: value, one a line)"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: [1\nb: 2", "2:2: while parsing a flow sequence"),
        ("a:\n\t- b", "2:1: while scanning"),
        ("a: b\x01c", "1:5: a character that YAML does not allow"),
        ("[" * 1500, "1:1: not YAML"),
        ("{" * 3000, "1:1: more than 2000 brackets"),
        ("- " * 3000 + "a", "1:1: not YAML"),
        ("a: *x", "1:4: found undefined alias"),
        ("a: &a [*a]", "1:4: an alias that contains itself"),
        ("a: 1\n---\nb: 2", "2:1: expected a single document"),
        ("a: !!python/object x", "1:4: the tag"),
        ("<<: {a: 1}", "1:1: merge keys"),
        ("? [a]\n: b", "1:3: a key that is not a word"),
    ],
)
def test_text_that_is_not_good_yaml(text: str, what: str) -> None:
    problem = read_yaml(text).problems[0]
    assert f"{problem.place.line}:{problem.place.column}: {problem.what}".startswith(what)


def test_aliases_that_expand_without_end_are_bounded() -> None:
    lines = ["a: &a [1,1,1,1,1,1,1,1,1]"]
    lines += [f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]" for i in range(9)]
    assert read_yaml("\n".join(lines)).problems[0].what.startswith("more than 20000 values")


def test_yaml_is_1_2() -> None:
    document = read_yaml("{a: yes, b: 02:4e:4c:00:00:01, c: 2026-01-01, d: 0x10, e: ~, f: true}")
    assert document.value == {"a": "yes", "b": "02:4e:4c:00:00:01", "c": "2026-01-01", "d": 16, "e": None, "f": True}


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from(list("abc:-[]{}&*!|>\"'#,? \n\t%@0.1x~<é\x00")), max_size=60))
def test_any_text_gives_a_document(text: str) -> None:
    document = read_yaml(text)
    assert document.problems or document.value is not ...


def test_the_limits_are_those_of_the_wire() -> None:
    assert lab_folder.TEXT_BYTES_MAX == FILE_BYTES_MAX
    assert lab_file.START_FILES_MAX == FILES_MAX
