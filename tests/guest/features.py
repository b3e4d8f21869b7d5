"""Reads features.sh: what the guest's kernel has, each with the commands that use it. For `test_features` and the house test."""

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SECTION = "### "
LIMIT_S = 500


@dataclass(frozen=True)
class Feature:
    """A row of the table in docs/guest.md: `name`, and what of it is `tried`; `script` tries it."""

    name: str
    tried: str
    script: str


def features() -> list[Feature]:
    found = []
    for section in _text().split(f"\n{SECTION}")[1:]:
        name, tried, script = section.split("\n", 2)
        found.append(Feature(name, tried.removeprefix("# "), script))
    return found


def _text() -> str:
    return (HERE / "features.sh").read_text()


def script() -> str:
    """For tests.guest.boot: tries all, each in a network namespace of its own; a check is named by the feature's number."""
    return "\n".join(
        f"try '{number}' timeout {LIMIT_S} unshare --net bash -e /lab/feature-{number}"
        for number, feature in enumerate(features())
    )


def files() -> dict[str, bytes]:
    """Each feature's script and the programs."""
    helpers = _text().split(f"\n{SECTION}")[0]
    scripts = {f"feature-{number}": f"{helpers}\n{feature.script}".encode() for number, feature in enumerate(features())}
    return scripts | {path.name: path.read_bytes() for path in (HERE / "programs").iterdir() if path.suffix in (".c", ".py")}
