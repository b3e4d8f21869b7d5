"""axe-core in the page: what it calls a violation, in one line each. Used by browser tests on every page and theme."""

from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).resolve().parents[2] / "frontend/node_modules/axe-core/axe.min.js"
SETTLE_MS = 300
"""Colours fade for 120 ms when a theme or the pointer changes; axe measures what it sees."""
FADED = """() => Promise.all(document.getAnimations().filter(one => one instanceof CSSTransition)
    .map(one => one.finished.catch(() => null))).then(() => undefined)"""


@cache
def _script() -> str:
    return AXE.read_text()


def violations(page: Page) -> list[str]:
    """Rule, element, and what axe says about it. Evaluated by the browser's debugger, so the CSP stays as strict as it is."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(SETTLE_MS)
    page.evaluate(FADED)  # on a busy machine they may only have begun
    page.evaluate(f"{_script()}; undefined")
    found: list[dict[str, Any]] = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)")
    return [_line(rule["id"], node) for rule in found for node in rule["nodes"]]


def _line(rule: str, node: dict[str, Any]) -> str:
    why = node["failureSummary"].splitlines()[-1].strip()
    return f"{rule}: {' '.join(map(str, node['target']))}: {why} {node['html'][:120]}"
