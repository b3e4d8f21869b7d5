"""`make guest`, the same in the background of `make up`, and what `make status` says of it.

`python3 -m netlab.install.guest LOG` is the supervised process: it builds once and ends. Never waited for by anything but tests.
"""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from netlab.install import guest_files, guest_image, guest_paths, guest_progress
from netlab.install.failure import Failed
from netlab.install.instance import TOP, Instance, read_env_file
from netlab.install.progress import tail

LOG = TOP / "var" / "log" / "guest.log"
BACKGROUND_NICE = 10
UMASK = 0o022
"""Machines run as users of their own and read the image."""
LINES_OF_LOG = 3


@dataclass(frozen=True)
class Condition:
    """How it stands: `ready`, `building`, `failed`, `absent`; `text` is for people."""

    state: str
    text: str
    hint: str = ""


def command(words: Sequence[str]) -> int:
    """`make guest`, and what `manage.py guest` does as well: export FILE, import FILE, status; for a host without .venv."""
    match words:
        case []:
            return build()
        case ["export", file]:
            guest_files.export(Path(file).absolute(), print)
        case ["import", file]:
            print(imported(Path(file).absolute()))
        case ["status"]:
            state = of_checkout()
            print(state.text + (f"\n{state.hint}" if state.hint else ""))
        case _:
            raise Failed(f"`{' '.join(words)}` is not understood", "make guest, or ARGS='export FILE', 'import FILE', 'status'.")
    return 0


def imported(file: Path) -> str:
    """Put it in place; what is to be done now."""
    if guest_files.import_file(file, print) == guest_paths.image_dir():
        return "The guest image is ready. A build that is under way ends with the next `make up`."
    return "Kernel and root file system are in place; `make up` packs netlab's own part anew (seconds)."


def of_checkout() -> Condition:
    image = guest_paths.image_dir()
    return condition(image.parent, image.name)


def build(log: Path = LOG) -> int:
    """In the foreground, with what it is at and how long it takes; done already, it says where the image is."""
    if os.geteuid() != 0:
        raise Failed("this needs root: a Debian tree is made and packages are installed", "Run it as root, or with sudo.")
    os.umask(UMASK)
    image = guest_image.image_dir_of("guest", log)
    if image is None:
        return 1
    print(f"The guest image is in {image}")
    return 0


def condition(images: Path, digest: str) -> Condition:
    """What status shows, from the files that a build leaves. `images` is the folder of all images."""
    if (images / digest / guest_image.MANIFEST).is_file():
        return Condition("ready", f"ready: {images / digest}")
    told = guest_progress.read(images)
    if told.get("digest") != digest:
        return Condition("absent", "not built", "`make up` builds it in the background, `make guest` in the foreground.")
    if told["state"] == "failed":
        return Condition("failed", f"failed: {told['doing']}", "`make guest` tries again and shows what happens.")
    if guest_progress.is_stale(told):
        return Condition("absent", "the build was cut off", "`make up` goes on with it.")
    return Condition("building", f"building: {told['doing']}, about {told['minutes_left']} min left")


def of_instance(instance: Instance) -> Condition:
    """Of the image that the running netlab was told."""
    folder = Path(read_env_file(instance.env_file).get("NETLAB_GUEST_DIR") or guest_paths.image_dir())
    state = condition(folder.parent, folder.name)
    if state.state != "failed":
        return state
    log = build_log(instance)
    last = "".join(f"\n      | {line}" for line in tail(log, LINES_OF_LOG)) if log.exists() else ""
    return Condition(state.state, f"{state.text}{last}", f"Look into {log}; {state.hint}")


def build_log(instance: Instance) -> Path:
    return instance.log_dir / "guest-build.log"


def _stopped(_number: int, _frame: object) -> NoReturn:
    """`make down`: the programs that run are ended by whoever waits for them; a later `make up` goes on."""
    sys.exit(128 + signal.SIGTERM)


def main(log: Path) -> int:
    signal.signal(signal.SIGTERM, _stopped)
    os.nice(BACKGROUND_NICE)
    os.umask(UMASK)
    return 0 if guest_image.image_dir_of("guest", log) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
