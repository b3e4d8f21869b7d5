"""The guest image that `make guest` left (netlab/install/guest*.py): finds it, and says how far its making is.

Called by the `vm` runtime, the template store and the host's report. Reads a few small files; it never builds, never waits and
never looks into the image's parts: their digests were checked when they were put there.
"""

import json
import time
from pathlib import Path
from typing import Any

from netlab.host.vm.api import GuestImage
from netlab.wire.host_report import GuestReport

PARTS = ("bzImage", "root.squashfs", "app.squashfs")
MANIFEST = "manifest.json"
PROGRESS_FILE = "guest-progress.json"
"""Beside the image folders; netlab/install/guest_progress.py writes it, every second while it builds."""
SILENT_S = 60.0
"""A build that has written nothing for so long was killed."""
KERNEL_COMMAND_LINE = (
    "root=/dev/vda rootfstype=squashfs ro init=/usr/lib/netlab/init console=ttyS0 quiet fb_tunnels=none panic=-1"
)
"""root.squashfs is the first virtio disk, app.squashfs the second, both read-only. No tunl0, sit0 and their like that nobody
asked for. With a panic the machine asks for a reset."""


def find_image(guest_dir: Path) -> GuestImage | None:
    """None: there is none, or it is not whole."""
    manifest = _read(guest_dir / MANIFEST)
    sizes = manifest.get("sizes", {})
    for part in PARTS:
        try:
            if (guest_dir / part).stat().st_size != sizes.get(part):
                return None
        except FileNotFoundError:
            return None
    return GuestImage(folder=guest_dir, digest=str(manifest["digest"]), kernel_release=str(manifest["kernel_release"]))


def progress(guest_dir: Path) -> GuestReport:
    """How it stands while there is no image: absent, building or failed."""
    told = _read(guest_dir.parent / PROGRESS_FILE)
    if told.get("digest") != guest_dir.name or told.get("state") not in ("building", "failed"):
        return GuestReport(state="absent", doing="`make guest` builds the guest image; `make up` does it by itself.")
    if told["state"] == "building" and time.time() - told["at"] > SILENT_S:
        return GuestReport(state="failed", doing="The build of the guest image was cut off; `make up` goes on with it.")
    return GuestReport(state=told["state"], doing=told["doing"], minutes_left=told["minutes_left"])


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
