"""The probe's results as a table for the operator's terminal. Pure."""

import textwrap
from collections.abc import Sequence

from netlab.wire.host_report import AbilityReport

WIDTH = 120


def table(reports: Sequence[AbilityReport], width: int = WIDTH) -> str:
    """One line per ability: its name, yes or no, what was tried and what came back."""
    name_width = max(len(r.ability) for r in reports)
    indent = " " * (name_width + 7)
    lines = []
    for report in reports:
        head = f"{report.ability:<{name_width}}  {'yes' if report.works else 'no ':<3}  "
        lines += textwrap.wrap(report.why, width, initial_indent=head, subsequent_indent=indent)
    works = sum(r.works for r in reports)
    return "\n".join([*lines, "", f"{works} of {len(reports)} abilities; each was found by trying it in throw-away namespaces."])
