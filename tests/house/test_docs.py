"""Documentation is checked as code is: links lead somewhere, every setting and every make target is described."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from netlab.config import Config
from netlab.install.status import ALL_PROCESSES

TOP = Path(__file__).parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "labs/**/*.md", "guest/**/*.md", "deploy/**/*.md")
    for path in TOP.glob(pattern)
)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("document", PAGES, ids=lambda document: str(document.relative_to(TOP)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in LINK.findall(FENCE.sub("", document.read_text())):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        assert file.exists(), f"{document.name}: there is no {target}"
        if anchor and file.suffix == ".md":
            headings = {_anchor(line) for line in file.read_text().splitlines() if line.startswith("#")}
            assert anchor in headings, f"{target}: no such heading"


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lstrip("#").strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("name", Config.model_fields)
def test_a_setting_says_what_it_is_for(name: str) -> None:
    field = Config.model_fields[name]
    assert field.description and field.description.endswith("."), f"{name} has no sentence that says why it is there"
    if field.annotation in (int, float):
        assert isinstance(field.json_schema_extra, dict) and field.json_schema_extra["unit"], f"{name} has no unit"


def test_the_manual_has_the_table_of_settings() -> None:
    words = [sys.executable, "-m", "netlab.install.settings_table"]
    table = subprocess.run(words, cwd=TOP, capture_output=True, text=True, check=True)
    assert table.stdout in (TOP / "docs" / "operate.md").read_text(), "run: make docs"


def test_the_architecture_names_every_package_process_and_decision() -> None:
    page = (TOP / "docs" / "architecture.md").read_text()
    found = [*(TOP / "netlab").glob("*/__init__.py"), *(TOP / "netlab").glob("host/*/__init__.py")]
    packages = {".".join(path.parent.relative_to(TOP / "netlab").parts) for path in found} - {"host"}
    table = "".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| `"))
    assert not [name for name in packages if f"`{name}`" not in table]
    assert not [name for name in ALL_PROCESSES if f"`{name}`" not in table]
    assert not [path.name for path in (TOP / "docs" / "decisions").glob("*.md") if f"decisions/{path.name}" not in page]


def test_the_architecture_names_every_rest_operation_with_its_route() -> None:
    page = (TOP / "docs" / "architecture.md").read_text()
    document = json.loads((TOP / "frontend" / "src" / "api" / "openapi.json").read_text())
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            row = f"| `{operation['operationId']}` | {method.upper()} {path.removeprefix('/api/v1')}"
            assert re.search(rf"^{re.escape(row)}( |$)", page, re.MULTILINE), row


def test_every_make_target_is_in_the_manual() -> None:
    targets = re.search(r"^\.PHONY: (.*)$", (TOP / "Makefile").read_text(), re.MULTILINE)
    assert targets
    texts = "".join((TOP / name).read_text() for name in ("README.md", "CONTRIBUTING.md", "docs/operate.md"))
    assert not [name for name in targets.group(1).split() if name != "help" and f"make {name}" not in texts]
