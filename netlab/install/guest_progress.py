"""How far the guest image is and about how long it takes: a small file beside the images, and the same on the screen.

`guest_image` tells it which stage begins; `netlab.host.vm.image` reads the file for the host's report, `make status` too.
Estimates: what each stage took on two cores, and within the compilation how many objects are there of how many.
"""

import json
import math
import os
import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

PROGRESS_FILE = "guest-progress.json"
"""netlab.host.vm.image reads it; a house test compares the two."""
OBJECTS = 1950
"""Object files that the kernel's compilation makes, about."""
USUAL_OBJECTS = 200
"""What was measured elsewhere weighs as much as so many objects here: a build that goes on looks at old objects first."""
AFTER_OBJECTS_S = 75.0
"""Linking, BTF, the modules and the compressed kernel."""
TELL_EVERY_S = 1.0
SILENT_S = 60.0
MINUTE_S = 60.0
_OBJECT_LINE = re.compile(rb"^ +(?:CC|AS|LDS) ", re.MULTILINE)


@dataclass(frozen=True)
class Stage:
    """One stage and what it took where it was measured: two cores, a quick mirror."""

    doing: str
    seconds: float


PACKAGES = Stage("installing the compiler", 45)
PYTHON = Stage("filling the Python environment", 20)
SOURCE = Stage("fetching the kernel's source", 50)
CONFIGURE = Stage("configuring the guest kernel", 15)
COMPILE = Stage("compiling the guest kernel", 540)
KEEP = Stage("putting the kernel's modules together", 15)
TREE = Stage("building the root file system", 40)
ROOT = Stage("packing the root file system", 40)
APP = Stage("packing netlab for the guest", 15)


@dataclass
class Teller:
    """Writes the file every second while it is entered: whoever reads an old one knows that the build was cut off."""

    images: Path
    digest: str
    stages: tuple[Stage, ...]
    """Those that are to be done, in order."""
    stage: Stage | None = None
    objects_at_start: int = 0
    log: Path | None = None
    log_from: int = 0
    _began: float = field(default_factory=time.monotonic)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Teller":
        self.images.mkdir(parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._tell_on, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join()
        if error is None:
            (self.images / PROGRESS_FILE).unlink(missing_ok=True)
        elif isinstance(error, Exception):
            write(self.images, self.digest, "failed", f"{str(error).rstrip('.')}.", None)
        else:
            write(self.images, self.digest, "building", "interrupted", None, at=0.0)

    def begin(self, stage: Stage) -> None:
        self.stage, self._began = stage, time.monotonic()

    def seconds_left(self) -> float:
        """Of this stage and those after it."""
        if self.stage is None:
            return sum(stage.seconds for stage in self.stages)
        rest = sum(stage.seconds for stage in self.stages[self.stages.index(self.stage) + 1 :])
        elapsed = time.monotonic() - self._began
        if self.stage is COMPILE:
            return rest + compile_seconds_left(self.objects_at_start, self.objects_made(), elapsed)
        return rest + max(self.stage.seconds - elapsed, 0.0)

    def objects_made(self) -> int:
        """Since the stage began: lines of make's log."""
        if self.log is None:
            return 0
        with self.log.open("rb") as file:
            file.seek(self.log_from)
            return len(_OBJECT_LINE.findall(file.read()))

    def shown(self) -> str:
        """For the screen: what and how long."""
        if self.stage is None:
            return ""
        left = minutes(self.seconds_left())
        objects = ""
        if self.stage is COMPILE:
            made = self.objects_at_start + self.objects_made()
            objects = f" ({min(made, OBJECTS)} of about {OBJECTS} objects)"
        return f"{self.stage.doing}{objects}, about {left} min left"

    def _tell_on(self) -> None:
        while True:
            doing = self.stage.doing if self.stage else "beginning"
            write(self.images, self.digest, "building", doing, minutes(self.seconds_left()))
            if self._ended.wait(TELL_EVERY_S):
                return


def compile_seconds_left(at_start: int, made: int, elapsed_s: float) -> float:
    """By the pace of the objects so far, beginning with the pace that was measured elsewhere."""
    usual = (COMPILE.seconds - AFTER_OBJECTS_S) / OBJECTS
    pace = (elapsed_s + USUAL_OBJECTS * usual) / (made + USUAL_OBJECTS)
    return max(OBJECTS - at_start - made, 0) * pace + AFTER_OBJECTS_S * pace / usual


def minutes(seconds: float) -> int:
    """Rounded up: nobody minds that it is there earlier."""
    return max(1, math.ceil(seconds / MINUTE_S))


def write(images: Path, digest: str, state: str, doing: str, minutes_left: int | None, at: float | None = None) -> None:
    at = time.time() if at is None else at
    text = json.dumps({"digest": digest, "state": state, "doing": doing, "minutes_left": minutes_left, "at": at})
    images.mkdir(parents=True, exist_ok=True)
    partial = images / f".{PROGRESS_FILE}.{os.getpid()}"
    partial.write_text(text + "\n")
    partial.replace(images / PROGRESS_FILE)


def is_stale(told: dict[str, Any]) -> bool:
    """It says that it builds, and has said nothing for long: it was killed."""
    return time.time() - float(told["at"]) > SILENT_S


def read(images: Path) -> dict[str, Any]:
    """Empty: nothing is being built and nothing failed."""
    try:
        told = json.loads((images / PROGRESS_FILE).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
