"""Operations about the trace of one run, for its owner. Translates; decides nothing."""

from django.http import HttpRequest
from ninja import Path, Router

from netlab.api.auth import user_of
from netlab.api.labs import ERRORS
from netlab.api.schemas import Accepted, FunctionsBody, TraceBody
from netlab.domain.ids import CommandId
from netlab.runs.access import access_run_for
from netlab.runs.inside import do_find_functions, do_start_trace, do_stop_trace

router = Router(tags=["traces"])


@router.post("/{run}/traces", operation_id="start_trace", response={200: Accepted} | ERRORS)
def start_trace(request: HttpRequest, run: str, body: TraceBody) -> Accepted:
    """One that is at work ends."""
    found = access_run_for(user_of(request), run)
    return Accepted(command=do_start_trace(found, **body.model_dump()))


@router.post("/{run}/functions", operation_id="find_functions", response={200: Accepted} | ERRORS)
def find_functions(request: HttpRequest, run: str, body: FunctionsBody) -> Accepted:
    """Of the run's own kernel; the live event `functions_found` has them."""
    return Accepted(command=do_find_functions(access_run_for(user_of(request), run), body.search))


@router.delete("/{run}/traces/{trace}", operation_id="stop_trace", response={200: Accepted} | ERRORS)
def stop_trace(request: HttpRequest, run: str, trace: Path[CommandId]) -> Accepted:
    """What it has seen is told until the lab ends."""
    return Accepted(command=do_stop_trace(access_run_for(user_of(request), run), trace))
