"""Operations about the captures of one run, for its owner. Translates; decides nothing."""

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router

from netlab.api.auth import user_of
from netlab.api.blobs import Places, wait_for_blob
from netlab.api.labs import ERRORS
from netlab.api.schemas import Accepted, CaptureBody
from netlab.domain.ids import CommandId
from netlab.runs.access import access_run_for
from netlab.runs.inside import do_export_capture, do_start_capture, do_stop_capture

router = Router(tags=["captures"])
CAPTURE_WAIT_S = 15.0

_handing_up = Places(4, "Another capture is being handed up.")


@router.post("/{run}/captures", operation_id="start_capture", response={200: Accepted} | ERRORS)
def start_capture(request: HttpRequest, run: str, body: CaptureBody) -> Accepted:
    found = access_run_for(user_of(request), run)
    return Accepted(command=do_start_capture(found, body.node, body.interface, body.snap_bytes))


@router.delete("/{run}/captures/{capture}", operation_id="stop_capture", response={200: Accepted} | ERRORS)
def stop_capture(request: HttpRequest, run: str, capture: Path[CommandId]) -> Accepted:
    """What it took stays until the lab ends."""
    return Accepted(command=do_stop_capture(access_run_for(user_of(request), run), capture))


@router.get("/{run}/captures/{capture}/packets.pcapng", operation_id="download_capture", response=ERRORS)
def download_capture(request: HttpRequest, run: str, capture: Path[CommandId]) -> HttpResponse:
    """Waits until the host has handed it up. Also of a capture that goes on: what it has until now."""
    found = access_run_for(user_of(request), run)
    with _handing_up.place(found.pk):
        data = wait_for_blob(do_export_capture(found, capture), CAPTURE_WAIT_S)
    response = HttpResponse(data, content_type="application/x-pcapng")
    response["Content-Disposition"] = f'attachment; filename="{found.lab}-{capture}.pcapng"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
