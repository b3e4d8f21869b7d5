"""Problem: one thing that is wrong with a lab, before it has a file and a line. Made by `resolve` and `device_problems`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """What is wrong with a lab, and where: `loc` is the path into the YAML, as pydantic gives it."""

    loc: tuple[str | int, ...]
    what: str
    fix: str = ""
