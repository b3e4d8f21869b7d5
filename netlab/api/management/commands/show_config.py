"""`manage.py show_config`: every setting with value, unit, source and reason, and what is no setting though it looks like one.

Secrets are masked. Reads, changes nothing.
"""

import difflib
import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from dotenv import dotenv_values
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from netlab.config import Config
from netlab.install.instance import NOT_SETTINGS


def source_of(name: str, file_values: dict[str, str | None]) -> str:
    """Where a value comes from; the environment wins over the file, as in Config."""
    variable = f"NETLAB_{name.upper()}"
    if any(key.upper() == variable for key in os.environ):
        return variable
    if any(key.upper() == variable for key in file_values):
        return os.environ["NETLAB_ENV_FILE"]
    return "default"


def unknown(file_values: dict[str, str | None]) -> list[str]:
    """Variables with our prefix that nothing reads, each with the nearest name that is known."""
    known = [f"NETLAB_{name.upper()}" for name in Config.model_fields]
    given = {key.upper() for key in [*os.environ, *file_values] if key.upper().startswith("NETLAB_")}
    lines = []
    for name in sorted(given - set(known) - NOT_SETTINGS):
        near = difflib.get_close_matches(name, known, 1)
        lines.append(f"{name} is no setting" + (f"; did you mean {near[0]}?" if near else ""))
    return lines


def shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "(set)" if value.get_secret_value() else "(empty)"
    return "" if value is None else str(value)


def unit_of(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


class Command(BaseCommand):
    help = "Show every setting: value, unit, where it comes from, and why it is there."

    def handle(self, *args: Any, **options: Any) -> None:
        config = settings.CONFIG
        env_file = os.environ.get("NETLAB_ENV_FILE")
        file_values = dict(dotenv_values(env_file)) if env_file else {}
        for name, field in Config.model_fields.items():
            value = " ".join(part for part in (shown(getattr(config, name)), unit_of(field)) if part)
            self.stdout.write(f"{name} = {value}")
            self.stdout.write(f"    {field.description} [{source_of(name, file_values)}]")
        for line in unknown(file_values):
            self.stderr.write(line)
