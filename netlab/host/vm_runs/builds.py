"""Compiles what a guest's engine asks for, in the host's build sandbox: one at a time for each run, of bounded size and pace.

Held by a run's `Conversation`. What comes up is an attendee's text and a program of their lab; what goes down are
diagnostics and an object, which the guest loads as its own root. The sandbox is the same that shared kernels use.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import FilePath, new_bug_id
from netlab.domain.lab import LabSpec, ProgramSpec
from netlab.host.programs.compiler import Compiler, CompileResult, compile_for_guest
from netlab.host.vm_runs.pace import Bucket
from netlab.wire.commands import FILE_BYTES_MAX, FILES_MAX

log = logging.getLogger(__name__)

WAITING_MAX = 4
"""The engine asks one after the other; more is a guest that plays."""
COMPILING_SHARE, COMPILING_BURST_S = 0.25, 60.0
"""Of one of the host's few build slots: what a guest may take for ever, and how far it may be ahead of that. A build of a lab
takes a fraction of a second; who has used up the burst waits up to forty seconds, less than a guest does (ANSWER_LIMIT_S)."""

_files: TypeAdapter[dict[str, str]] = TypeAdapter(dict[FilePath, str])


class GuestBuilds:
    """`answer(request, result, object)` is called for every build that was asked for sensibly."""

    def __init__(self, compiler: Compiler, lab: LabSpec, answer: Callable[[int, str, bytes | None], None]) -> None:
        self._compiler, self._lab, self._answer = compiler, lab, answer
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self._compiling, self._next_at = Bucket(COMPILING_SHARE, COMPILING_BURST_S), 0.0

    def ask(self, request: object, program: object, files: object) -> None:
        """Raises ValueError for what no engine asks."""
        if type(request) is not int or not isinstance(program, str | bytes) or len(self._tasks) >= WAITING_MAX:
            raise ValueError("a build")
        try:
            wanted = ProgramSpec.model_validate_json(program)
            texts = _files.validate_python(files)
        except ValidationError as error:
            raise ValueError("a build") from error
        if len(texts) > FILES_MAX or any(len(text.encode()) > FILE_BYTES_MAX for text in texts.values()):
            raise ValueError("a build of too much")
        if wanted != self._lab.program(wanted.name):
            raise ValueError("a program that the lab has not")
        task = asyncio.create_task(self._build(request, wanted, texts), name="build for a guest")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _build(self, request: int, program: ProgramSpec, files: dict[str, str]) -> None:
        try:
            async with self._turn:
                await asyncio.sleep(self._next_at - time.monotonic())
                began = time.monotonic()
                try:
                    result, object_bytes = await compile_for_guest(self._compiler, program, files)
                finally:
                    ended = time.monotonic()
                    self._next_at = ended + self._compiling.wait_for(ended - began)
        except Exception:  # the sandbox itself broke: the attendee is told the id, the run goes on
            bug = new_bug_id()
            log.exception("a build for a guest broke (%s)", bug)
            result, object_bytes = CompileResult(error=NetlabError(ErrorCode.BUG, id=bug).body()).model_dump_json(), None
        self._answer(request, result, object_bytes)

    async def close(self) -> None:
        """Whoever asked is gone."""
        tasks: set[asyncio.Task[Any]] = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
