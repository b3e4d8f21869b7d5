"""Runs `btf` or `btf_maps` on an attendee's object in a process without rights. Called by `line_table` and `map_layouts`.

The agent itself never looks into the object: it hands bytes over and gets JSON back.
"""

import json
import os
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from netlab.host.kernel.process import run
from netlab.host.programs import btf, btf_maps, object_process

TIMEOUT_S = 5
ANSWER_BYTES_MAX = 16 << 20


async def read_object(module: ModuleType, function: str, object_bytes: bytes, uid: int) -> dict[str, Any]:
    """`uid`: an otherwise unused host uid that the reader becomes. An unreadable object gives nothing."""
    python = os.path.realpath(sys.executable)
    texts = [part for reader in (btf, btf_maps) for part in (reader.__name__, _text(reader))]
    argv = [python, "-I", "-S", "-c", _text(object_process), str(uid), module.__name__, function, *texts]
    done = await run(argv, stdin=object_bytes, timeout_s=TIMEOUT_S, output_limit=ANSWER_BYTES_MAX)
    if done.code != 0 or done.timed_out or done.truncated:
        return {}
    answer: dict[str, Any] = json.loads(done.stdout)
    return {} if isinstance(answer.get("error"), str) else answer


@lru_cache
def _text(module: ModuleType) -> str:
    return Path(str(module.__file__)).read_text()
