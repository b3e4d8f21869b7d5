"""The JSON Schemas of lab.yaml and solution.yaml, for editors that complete and check while an author types.

Written to labs/_schema/ by `manage.py lab schema`; a test says when they are out of date.
"""

import json

from pydantic import BaseModel

from netlab.domain.lab import LabSpec, SolutionSpec

SCHEMA_FILES: dict[str, type[BaseModel]] = {"lab.schema.json": LabSpec, "solution.schema.json": SolutionSpec}


def schema_text(name: str) -> str:
    """The text of one of SCHEMA_FILES as it should be on disk."""
    schema = SCHEMA_FILES[name].model_json_schema(mode="validation")
    schema["title"] = name.split(".")[0] + ".yaml"
    named = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(named, indent=2, ensure_ascii=False) + "\n"
