"""Operations about one run. Translates; decides nothing.

Its owner may do everything; who teaches the workshop may see its state, stop it and extend it, and sees nothing inside.
"""

import shlex

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router

from netlab.api.auth import user_of
from netlab.api.blobs import Places, wait_for_blob
from netlab.api.labs import ERRORS
from netlab.api.schemas import (
    Accepted,
    ActionOfSolution,
    BuildBody,
    DetachBody,
    FileBody,
    FileContent,
    FileVersion,
    FormatBody,
    Formatted,
    ImpairBody,
    OriginalFile,
    Originals,
    ResetBody,
    StepBody,
    TerminalBody,
)
from netlab.domain.errors import NetlabError
from netlab.domain.ids import NodeName, StepId
from netlab.domain.lab import LoadAction, RunAction, SolutionAction, WriteAction
from netlab.runs.access import access_file_for, access_run_for, access_run_to_manage, access_terminal_for
from netlab.runs.actions import do_extend_run, do_open_step, do_reset_run, do_stop_run
from netlab.runs.bringing import do_bring_to_step
from netlab.runs.files import do_write_file
from netlab.runs.inside import (
    do_build_program,
    do_close_terminal,
    do_detach,
    do_export_home,
    do_format_file,
    do_impair_link,
    do_open_terminal,
    do_reset_node,
    do_run_check,
)
from netlab.runs.originals import access_originals_for
from netlab.runs.pausing import do_pause_run, do_resume_run
from netlab.runs.presenters import FileShape, RunShape, TerminalShape, present_files, present_run, present_terminal
from netlab.wire.replies import FormatReply

router = Router(tags=["runs"])
HOME_WAIT_S = 30.0
FORMAT_WAIT_S = 15.0


_packing = Places(4, "Another home is being packed.")
_formatting = Places(4, "Other files are being formatted.")


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


@router.post("/{run}/pause", operation_id="pause_run", response={200: RunShape} | ERRORS)
def pause_run(request: HttpRequest, run: str) -> RunShape:
    return present_run(do_pause_run(access_run_for(user_of(request), run)))


@router.post("/{run}/resume", operation_id="resume_run", response={200: RunShape} | ERRORS)
def resume_run(request: HttpRequest, run: str) -> RunShape:
    return present_run(do_resume_run(access_run_for(user_of(request), run)))


@router.post("/{run}/impair", operation_id="impair_link", response={200: Accepted} | ERRORS)
def impair_link(request: HttpRequest, run: str, body: ImpairBody) -> Accepted:
    return Accepted(command=do_impair_link(access_run_for(user_of(request), run), **body.model_dump()))


@router.post("/{run}/nodes/{node}/reset", operation_id="reset_node", response={200: Accepted} | ERRORS)
def reset_node(request: HttpRequest, run: str, node: str) -> Accepted:
    return Accepted(command=do_reset_node(access_run_for(user_of(request), run), node))


@router.post("/{run}/step", operation_id="open_step", response={200: RunShape} | ERRORS)
def open_step(request: HttpRequest, run: str, body: StepBody) -> RunShape:
    return present_run(do_open_step(access_run_for(user_of(request), run), body.step))


@router.post("/{run}/bring", operation_id="bring_to_step", response={200: RunShape} | ERRORS)
def bring_to_step(request: HttpRequest, run: str, body: StepBody) -> RunShape:
    return present_run(do_bring_to_step(access_run_for(user_of(request), run), body.step))


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


@router.post("/{run}/format", operation_id="format_file", response={200: Formatted} | ERRORS)
def format_file(request: HttpRequest, run: str, body: FormatBody) -> Formatted:
    """Waits for the host. What comes back is for the editor to take; nothing is saved by it."""
    found = access_run_for(user_of(request), run)
    with _formatting.place(found.pk):
        data = wait_for_blob(do_format_file(found, body.path, body.content), FORMAT_WAIT_S)
    reply = FormatReply.model_validate_json(data)
    if reply.error is not None:
        raise NetlabError(reply.error.code, **reply.error.data)
    return Formatted(content=reply.content)


@router.get("/{run}/originals/{step}", operation_id="get_originals", response={200: Originals} | ERRORS)
def get_originals(request: HttpRequest, run: str, step: Path[StepId]) -> Originals:
    user = user_of(request)
    found = access_originals_for(user, access_run_for(user, run), step)
    return Originals(
        starter=_texts(found.starter), may_see_solution=found.may_see_solution, solution=_texts(found.solution),
        actions=[_action(action) for action in found.actions],
    )


def _action(action: SolutionAction) -> ActionOfSolution:
    """As a person would read it."""
    if isinstance(action, RunAction):
        return ActionOfSolution(do="run", node=action.node, text=shlex.join(action.run), background=action.background)
    if isinstance(action, WriteAction):
        return ActionOfSolution(do="write", text=action.file)
    if isinstance(action, LoadAction):
        return ActionOfSolution(do="load", text=action.program)
    return ActionOfSolution(do="detach", node=action.node, text=action.interface)


def _texts(files: dict[str, str]) -> list[OriginalFile]:
    return [OriginalFile(path=path, content=content) for path, content in sorted(files.items())]


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
    with _packing.place(found.pk):
        data = wait_for_blob(do_export_home(found, node), HOME_WAIT_S)
    response = HttpResponse(data, content_type="application/gzip")
    response["Content-Disposition"] = f'attachment; filename="{found.lab}-{node}-home.tar.gz"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
