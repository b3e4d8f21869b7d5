"""Operations about one run. Translates; decides nothing.

Its owner may do everything; who teaches the workshop may see its state, stop it and extend it, and sees nothing inside.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router

from netlab.api.auth import user_of
from netlab.api.labs import ERRORS
from netlab.api.schemas import (
    Accepted,
    BuildBody,
    DetachBody,
    FileBody,
    FileContent,
    FileVersion,
    ResetBody,
    StepBody,
    TerminalBody,
)
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import NodeName
from netlab.runs.access import access_file_for, access_run_for, access_run_to_manage, access_terminal_for
from netlab.runs.actions import do_extend_run, do_open_step, do_reset_run, do_stop_run
from netlab.runs.files import do_write_file
from netlab.runs.inside import (
    do_build_program,
    do_close_terminal,
    do_detach,
    do_export_home,
    do_open_terminal,
    do_reset_node,
    do_run_check,
)
from netlab.runs.presenters import FileShape, RunShape, TerminalShape, present_files, present_run, present_terminal
from netlab.runs.telling import streams
from netlab.wire.commands import BLOB_BYTES_MAX

router = Router(tags=["runs"])
HOME_WAIT_S = 30.0
HOME_LOOK_EVERY_S = 0.1
HOMES_AT_ONCE = 4
_packing_now: set[str] = set()
_packing_lock = Lock()


@router.get("/{run}", operation_id="get_run", response={200: RunShape} | ERRORS)
def get_run(request: HttpRequest, run: str) -> RunShape:
    return present_run(access_run_to_manage(user_of(request), run))


@router.post("/{run}/stop", operation_id="stop_run", response={200: RunShape} | ERRORS)
def stop_run(request: HttpRequest, run: str) -> RunShape:
    return present_run(do_stop_run(access_run_to_manage(user_of(request), run)))


@router.post("/{run}/extend", operation_id="extend_run", response={200: RunShape} | ERRORS)
def extend_run(request: HttpRequest, run: str) -> RunShape:
    return present_run(do_extend_run(access_run_to_manage(user_of(request), run)))


@router.post("/{run}/reset", operation_id="reset_run", response={200: RunShape} | ERRORS)
def reset_run(request: HttpRequest, run: str, body: ResetBody) -> RunShape:
    return present_run(do_reset_run(access_run_for(user_of(request), run), body.keep_files))


@router.post("/{run}/nodes/{node}/reset", operation_id="reset_node", response={200: Accepted} | ERRORS)
def reset_node(request: HttpRequest, run: str, node: str) -> Accepted:
    return Accepted(command=do_reset_node(access_run_for(user_of(request), run), node))


@router.post("/{run}/step", operation_id="open_step", response={200: RunShape} | ERRORS)
def open_step(request: HttpRequest, run: str, body: StepBody) -> RunShape:
    return present_run(do_open_step(access_run_for(user_of(request), run), body.step))


@router.post("/{run}/check", operation_id="run_check", response={200: Accepted} | ERRORS)
def run_check(request: HttpRequest, run: str, body: StepBody) -> Accepted:
    return Accepted(command=do_run_check(access_run_for(user_of(request), run), body.step))


@router.get("/{run}/files", operation_id="list_files", response={200: list[FileShape]} | ERRORS)
def list_files(request: HttpRequest, run: str) -> list[FileShape]:
    return present_files(access_run_for(user_of(request), run))


@router.get("/{run}/files/{path:path}", operation_id="read_file", response={200: FileContent} | ERRORS)
def read_file(request: HttpRequest, run: str, path: str) -> FileContent:
    file = access_file_for(user_of(request), run, path)
    return FileContent(path=file.path, version=file.version, content=file.content)


@router.put("/{run}/files/{path:path}", operation_id="write_file", response={200: FileVersion} | ERRORS)
def write_file(request: HttpRequest, run: str, path: str, body: FileBody) -> FileVersion:
    file = do_write_file(access_run_for(user_of(request), run), path, body.content, body.base_version)
    return FileVersion(path=file.path, version=file.version)


@router.post("/{run}/terminals", operation_id="open_terminal", response={200: TerminalShape} | ERRORS)
def open_terminal(request: HttpRequest, run: str, body: TerminalBody) -> TerminalShape:
    return present_terminal(do_open_terminal(access_run_for(user_of(request), run), body.node))


@router.delete("/{run}/terminals/{terminal}", operation_id="close_terminal", response={200: Accepted} | ERRORS)
def close_terminal(request: HttpRequest, run: str, terminal: str) -> Accepted:
    return Accepted(command=do_close_terminal(access_terminal_for(user_of(request), run, terminal)))


@router.post("/{run}/programs/{program}/build", operation_id="build_program", response={200: Accepted} | ERRORS)
def build_program(request: HttpRequest, run: str, program: str, body: BuildBody) -> Accepted:
    return Accepted(command=do_build_program(access_run_for(user_of(request), run), program, body.mode, body.load))


@router.post("/{run}/programs/detach", operation_id="detach_program", response={200: Accepted} | ERRORS)
def detach_program(request: HttpRequest, run: str, body: DetachBody) -> Accepted:
    return Accepted(command=do_detach(access_run_for(user_of(request), run), body.node, body.interface, body.hook))


@router.get("/{run}/nodes/{node}/home.tar.gz", operation_id="download_home", response=ERRORS)
def download_home(request: HttpRequest, run: str, node: Path[NodeName]) -> HttpResponse:
    """Waits until the host has packed it. The tar is what the attendee made: an attachment, never shown by us."""
    found = access_run_for(user_of(request), run)
    with _packing(found.pk):
        data = _wait_for_blob(do_export_home(found, node))
    response = HttpResponse(data, content_type="application/gzip")
    response["Content-Disposition"] = f'attachment; filename="{found.lab}-{node}-home.tar.gz"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


@contextmanager
def _packing(run: str) -> Iterator[None]:
    """A place among the few that may wait: each keeps one of the web process's threads until the host has packed."""
    with _packing_lock:
        if run in _packing_now or len(_packing_now) >= HOMES_AT_ONCE:
            busy = "Another home is being packed."
            raise NetlabError(ErrorCode.BAD_INPUT, what=busy, fix="Try again in a moment.")
        _packing_now.add(run)
    try:
        yield
    finally:
        with _packing_lock:
            _packing_now.discard(run)


def _wait_for_blob(command: str) -> bytes:
    give_up = time.monotonic() + HOME_WAIT_S
    while time.monotonic() < give_up:
        data = streams().take_blob(command)
        if data is not None:
            return data[:BLOB_BYTES_MAX]
        time.sleep(HOME_LOOK_EVERY_S)
    raise NetlabError(ErrorCode.HOST_AWAY)
