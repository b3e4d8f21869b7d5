"""The catalogue and the instructions' HTML: conventions, walls, and labs that are read again only when they change."""

import os
import shutil
from pathlib import Path

import pytest

from netlab.catalogue.labs import Catalogue, all_labs, catalogue, get_lab
from netlab.catalogue.markdown import render_step
from netlab.config import load_config
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import LabSpec
from tests.web.conftest import LAB

SPEC = LabSpec.model_validate({
    "id": "x-lab", "title": "A lab", "summary": "a lab for tests", "topic": "xdp", "minutes": 3,
    "nodes": [{"name": "client"}, {"name": "server"}], "links": [{"ends": ["client:eth0", "server:eth0"]}],
    "steps": [{"id": "one", "title": "The one", "text": "one.md"}],
})


@pytest.mark.parametrize(("text", "html"), [
    ("`client:eth0`", '<code data-end="client:eth0">client:eth0</code>'),
    ("`client:eth9`", "<code>client:eth9</code>"),
    ("`std::move`", "<code>std::move</code>"),
    ("::: hint Look closer\nmore\n:::", '<details class="hint"><summary>Look closer</summary>'),
    ("::: task\ndo\n:::", '<aside class="task">'),
    ("```sh node=client\nping x\n```", '<div class="code" data-node="client">'),
    ("```c file=xdp.c\nint x;\n```", '<div class="code" data-file="xdp.c">'),
    ("```c\nint x;\n```", '<div class="code"><pre'),
    ("# One\n## Two\n### Three", "<h3>One</h3>\n<h3>Two</h3>\n<h4>Three</h4>"),
    ("| a |\n|---|\n| b |", "<td>b</td>"),
    ("| a | |\n|---|---|\n| b | c |", "<th>a</th>\n<td></td>"),
])
def test_conventions(text: str, html: str) -> None:
    assert html in render_step(text, SPEC)


@pytest.mark.parametrize("text", [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[x](javascript:alert(1))", "[x](data:text/html,x)",
    "![x](https://tracker.example/pixel.png)", "<a href='x' onclick='y'>z</a>", "::: hint <img src=x onerror=y>\nx\n:::",
    "```c file=\"><script>x</script>\nint x;\n```", "```\"><script>\nx\n```", "`client:eth0\"><script>`",
    "<style>*{display:none}</style>", "<iframe src=x></iframe>", "[x](vbscript:x)", "<svg/onload=alert(1)>",
])
def test_nothing_active_gets_through(text: str) -> None:
    from tests.pages.conftest import Html

    html = Html()
    html.feed(render_step(text, SPEC))
    assert {e.tag for e in html.elements} <= {"p", "a", "code", "pre", "div", "span", "button", "details", "summary"}
    for element in html.elements:
        assert not [name for name in element.attributes if name.startswith("on") or name in ("style", "src")], element
        assert element.attributes.get("href", "https:").startswith("https:") or not element.attributes["href"]


def test_the_first_lab_is_there_with_all_its_steps() -> None:
    lab = get_lab(LAB)
    assert lab in all_labs()
    assert set(lab.html) == {s.id for s in lab.spec.steps}
    assert all(lab.html.values())
    assert get_lab(LAB) is lab  # rendered once


def test_an_unknown_lab_names_the_nearest() -> None:
    with pytest.raises(NetlabError) as caught:
        get_lab("xdp-01-first-programm")
    assert caught.value.code is ErrorCode.LAB_UNKNOWN and LAB in caught.value.hint


def _ids(found: Catalogue) -> tuple[list[str], list[str]]:
    return [lab.id for lab in found.labs], [lab.id for lab in found.broken]


def test_a_broken_lab_does_not_keep_the_others_from_being_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netlab.catalogue.labs.LOOK_AGAIN_AFTER_S", 0)
    source = load_config().labs_dir / LAB
    for name in (LAB, "xdp-02-copy"):
        shutil.copytree(source, tmp_path / name)
    yaml = tmp_path / "xdp-02-copy" / "lab.yaml"
    assert _ids(catalogue(tmp_path)) == ([LAB], ["xdp-02-copy"])  # its id is not its folder's name
    yaml.write_text(yaml.read_text().replace(f"id: {LAB}", "id: xdp-02-copy"))
    assert _ids(catalogue(tmp_path)) == ([LAB, "xdp-02-copy"], [])
    first = catalogue(tmp_path).labs
    assert catalogue(tmp_path).labs[0] is first[0]
    text = tmp_path / LAB / "steps"
    step = sorted(text.iterdir())[0]
    before = step.stat()
    step.write_text(step.read_text() + "\nA new line.\n")
    os.utime(step, ns=(before.st_atime_ns, before.st_mtime_ns))  # an editor that keeps the time
    again = catalogue(tmp_path).labs
    assert again[0].digest != first[0].digest and again[1] is first[1]
    shutil.rmtree(tmp_path / LAB)
    assert _ids(catalogue(tmp_path)) == (["xdp-02-copy"], [])
