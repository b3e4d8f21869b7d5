"""Identifiers and the shapes they may have; every package uses them, none of them does I/O.

They become path parts, Redis keys, cgroup names and host names, so their alphabets are narrow on purpose.
"""

import secrets
from typing import Annotated

from pydantic import StringConstraints

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no i, l, o, u, so that nobody misreads one (https://www.crockford.com/base32.html)."""

RUN_ID_CHARS = 10
"""50 random bits: unguessable enough to be a name, never an authority (access is always checked)."""
JOIN_CODE_CHARS = 8
INTERFACE_NAME_MAX = 15
"""IFNAMSIZ - 1 of include/uapi/linux/if.h."""

LabId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=48)]
NodeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=24)]
InterfaceName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9._-]*$", max_length=INTERFACE_NAME_MAX)]
StepId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=48)]
CheckId = StepId
RunId = Annotated[str, StringConstraints(pattern=r"^r[0-9a-hjkmnp-tv-z]{10}$")]
TerminalId = Annotated[str, StringConstraints(pattern=r"^t[0-9a-hjkmnp-tv-z]{10}$")]
CommandId = Annotated[str, StringConstraints(pattern=r"^c[0-9a-hjkmnp-tv-z]{10}$")]
HostName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=32)]
InstanceId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,8}$")]
"""One netlab on a machine; part of every ownership mark, so that two never touch each other's things."""

_PATH_PART = "[A-Za-z0-9_][A-Za-z0-9._-]*"
FilePath = Annotated[str, StringConstraints(pattern=f"^{_PATH_PART}(/{_PATH_PART})*$", max_length=120)]
"""Relative to /lab in a node; no part starts with a dot, so neither '..' nor hidden files."""


def _random(prefix: str) -> str:
    return prefix + "".join(secrets.choice(CROCKFORD) for _ in range(RUN_ID_CHARS))


def new_run_id() -> str:
    return _random("r")


def new_terminal_id() -> str:
    return _random("t")


def new_command_id() -> str:
    return _random("c")


def new_bug_id() -> str:
    """A short id that a user can quote and an operator can grep for."""
    return _random("b")


def normalise_join_code(text: str) -> str:
    """What a person typed, as the code's alphabet: case, spaces and dashes ignored, o -> 0, i and l -> 1."""
    kept = "".join(c for c in text.lower() if c.isalnum())
    return kept.translate(str.maketrans("oil", "011"))
