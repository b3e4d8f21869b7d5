"""The guest's compiler is the host's: sends an attendee's files up through the port and awaits the object.

Asked by `programs.service`, which loads what comes back as plain root of the node: it is the attendee's own kernel.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable, Mapping
from typing import Any

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import ProgramSpec
from netlab.host.programs import btf, btf_maps
from netlab.host.programs.build import Built
from netlab.host.programs.compiler import CompileResult
from netlab.host.programs.line_table import LineTable, line_table
from netlab.host.programs.map_layouts import MapLayouts, map_layouts
from netlab.wire.guest_port import Kind

log = logging.getLogger(__name__)

ANSWER_LIMIT_S = 60
"""Other guests' builds may be before ours in the host's queue."""


class HostCompiler:
    """`programs.compiler.Compiler`. `say` queues a message for the host."""

    def __init__(self, say: Callable[..., None]) -> None:
        self._say = say
        self._numbers = itertools.count(1)
        self._waiting: dict[int, tuple[asyncio.Future[Built], ProgramSpec, dict[str, str]]] = {}

    async def compile(self, program: ProgramSpec, files: Mapping[str, str]) -> Built:
        request = next(self._numbers)
        answer: asyncio.Future[Built] = asyncio.get_running_loop().create_future()
        self._waiting[request] = answer, program, dict(files)
        self._ask(request)
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                return await answer
        except TimeoutError:
            raise NetlabError(ErrorCode.BUILD_TIMEOUT, limit_s=ANSWER_LIMIT_S) from None
        finally:
            del self._waiting[request]

    def ask_again(self) -> None:
        """The host's agent is a new one: what the one before was compiling it knows nothing of."""
        for request in self._waiting:
            self._ask(request)

    def _ask(self, request: int) -> None:
        _, program, files = self._waiting[request]
        size = sum(map(len, files.values()))
        self._say(Kind.BUILD, size, request=request, program=program.model_dump_json(), files=files)

    def built(self, fields: dict[str, Any]) -> None:
        """BUILT has come: [request, result, object]."""
        waiting = self._waiting.get(fields["request"])
        if waiting is None or waiting[0].done():
            return
        answer = waiting[0]
        try:
            answer.set_result(CompileResult.model_validate_json(fields["result"]).checked(fields["object"]))
        except NetlabError as error:
            answer.set_exception(error)

    async def format(self, path: str, text: str) -> str:
        """Never asked: the host answers a FormatFile before it comes here."""
        raise NetlabError(ErrorCode.CANNOT_FORMAT, path=path, why="a guest has no compiler")

    async def line_table(self, object_bytes: bytes) -> LineTable:
        """Read by this process itself: whoever made the object has the machine anyway."""
        try:
            lines = await asyncio.to_thread(btf.read_lines, object_bytes)
        except btf.ObjectError as error:
            log.info("an object without lines: %s", error)
            return LineTable()
        return line_table(lines)

    async def map_layouts(self, object_bytes: bytes) -> MapLayouts:
        try:
            return map_layouts(await asyncio.to_thread(btf_maps.read_maps, object_bytes))
        except btf.ObjectError as error:
            log.info("an object without types: %s", error)
            return {}
