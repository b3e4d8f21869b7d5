"""Prints every setting of netlab.config as a Markdown table; `make docs` puts it into docs/operate.md, a test compares it.

Run with the Python environment's interpreter: it needs pydantic.
"""

import sys
from pathlib import Path

from netlab.config import Config
from netlab.install.instance import PREFIX, TOP

BEGIN, END = "<!-- settings: made by `make docs` -->\n", "<!-- end of settings -->\n"


def table() -> str:
    lines = ["| setting | default | unit | what it is for |", "|---|---|---|---|"]
    for name, field in Config.model_fields.items():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        lines.append(f"| `{PREFIX}{name.upper()}` | {_default(field.default)} | {extra.get('unit', '')} | {field.description} |")
    return "\n".join(lines) + "\n"


def _default(value: object) -> str:
    if isinstance(value, Path) and value.is_relative_to(TOP):
        return f"`{value.relative_to(TOP)}/`"
    text = "" if value is None else str(value)
    return f"`{text}`" if text.strip("*") else ""


def rewrite(page: Path) -> None:
    head, _, rest = page.read_text().partition(BEGIN)
    _, _, tail = rest.partition(END)
    page.write_text(head + BEGIN + table() + END + tail)


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        rewrite(TOP / "docs" / "operate.md")
    else:
        sys.stdout.write(table())
