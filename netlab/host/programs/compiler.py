"""Where an attendee's source becomes an object, apart from where the object is loaded: `service` asks a `Compiler`.

On a host that is the build sandbox. A guest has no compiler of its own: it sends files up (`host.guest.builder`), and the
`vm` runtime answers with `compile_for_guest`. Nothing here looks into an object.
"""

from collections.abc import Mapping
from typing import Protocol

from pydantic import BaseModel

from netlab.config import Config
from netlab.domain.errors import ErrorBody, NetlabError
from netlab.domain.lab import ProgramSpec
from netlab.host.programs import layout
from netlab.host.programs.build import Built, build
from netlab.host.programs.build_sandbox import BuildSandbox
from netlab.host.programs.line_table import LineTable, read_line_table
from netlab.host.programs.map_layouts import MapLayouts, read_map_layouts
from netlab.wire.events import Diagnostic


class Compiler(Protocol):
    async def compile(self, program: ProgramSpec, files: Mapping[str, str]) -> Built:
        """Raises BUILD_TIMEOUT, FILE_UNKNOWN (the source was deleted)."""

    async def format(self, path: str, text: str) -> str:
        """C as the kernel lays it out. Raises BUILD_TIMEOUT, CANNOT_FORMAT."""

    async def line_table(self, object_bytes: bytes) -> LineTable:
        """Which source lines its instructions are; an unreadable object gives an empty table."""

    async def map_layouts(self, object_bytes: bytes) -> MapLayouts:
        """What its maps hold; an unreadable object gives none."""


class SandboxCompiler:
    """The host's: clang in a box of its own, the object read by a process without rights."""

    def __init__(self, config: Config) -> None:
        self._sandbox = BuildSandbox(config)

    @property
    def loader_uid(self) -> int:
        return self._sandbox.loader_uid

    async def clear(self) -> None:
        """Whatever builds have left. None may be under way."""
        await self._sandbox.clear()

    async def compile(self, program: ProgramSpec, files: Mapping[str, str]) -> Built:
        return await build(self._sandbox, program, files)

    async def format(self, path: str, text: str) -> str:
        """Raises BUILD_TIMEOUT, CANNOT_FORMAT."""
        return await layout.format_source(self._sandbox, path, text)

    async def line_table(self, object_bytes: bytes) -> LineTable:
        return await read_line_table(object_bytes, self._sandbox.reader_uid)

    async def map_layouts(self, object_bytes: bytes) -> MapLayouts:
        return await read_map_layouts(object_bytes, self._sandbox.reader_uid)


class CompileResult(BaseModel):
    """What a guest is told of a build, beside the object; `error` instead of diagnostics when a limit was hit."""

    diagnostics: list[Diagnostic] = []
    build_ms: float = 0
    error: ErrorBody | None = None

    def checked(self, object_bytes: bytes | None) -> Built:
        """As the compiler would have answered. Raises the host's NetlabError again."""
        if self.error is not None:
            raise NetlabError(self.error.code, **self.error.data)
        return Built(object_bytes, self.diagnostics, self.build_ms)


async def compile_for_guest(compiler: Compiler, program: ProgramSpec, files: Mapping[str, str]) -> tuple[str, bytes | None]:
    """(result as JSON, object) for the port's BUILT. Raises what is a bug of ours (ProcessFailed): the caller tells it."""
    try:
        built = await compiler.compile(program, files)
    except NetlabError as error:
        return CompileResult(error=error.body()).model_dump_json(), None
    return CompileResult(diagnostics=built.diagnostics, build_ms=built.build_ms).model_dump_json(), built.object
