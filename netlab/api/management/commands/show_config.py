"""`manage.py show_config`: every setting with value, unit, source and reason. Secrets are masked. Reads, changes nothing."""

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from dotenv import dotenv_values
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from netlab.config import Config


def source_of(name: str, file_values: dict[str, str | None]) -> str:
    """Where a value comes from; the environment wins over the file, as in Config."""
    variable = f"NETLAB_{name.upper()}"
    if any(key.upper() == variable for key in os.environ):
        return variable
    if any(key.upper() == variable for key in file_values):
        return os.environ["NETLAB_ENV_FILE"]
    return "default"


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
