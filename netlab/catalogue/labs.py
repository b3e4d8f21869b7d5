"""The catalogue: every lab folder as a `CatalogueLab`, read again when a file in it changes. Used by web and runs.

A broken lab is reported beside the good ones and never keeps them from being used. Nothing is written.
"""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import structlog

from netlab.catalogue.markdown import render_step
from netlab.config import load_config
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import LabSpec
from netlab.domain.lab_file import Lab, LabProblem, LabProblems, Solution, lab_folders, load_lab
from netlab.domain.lab_problems import nearest

LOOK_AGAIN_AFTER_S = 0.5
"""Half a second after a file was saved the page shows it; a room that presses Start does not walk the folders each time."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class CatalogueLab:
    """A lab that can be offered: what its folder says, and its instructions as HTML by step id."""

    spec: LabSpec
    digest: str
    files: dict[str, str]
    solutions: list[Solution]
    html: dict[str, str]

    @property
    def id(self) -> str:
        return self.spec.id

    def solution(self, step: str) -> Solution | None:
        return next((s for s in self.solutions if s.step == step), None)


@dataclass(frozen=True)
class BrokenLab:
    """A folder that is no lab (yet)."""

    id: str
    problems: list[LabProblem]


@dataclass(frozen=True)
class Catalogue:
    labs: list[CatalogueLab]
    """In the order of pages: topic by topic, by `order`, by id."""
    broken: list[BrokenLab]


def all_labs() -> list[CatalogueLab]:
    return catalogue().labs


def get_lab(lab_id: str) -> CatalogueLab:
    """Raises LAB_UNKNOWN, or LAB_INVALID for a lab whose folder has a mistake."""
    now = catalogue()
    lab = next((lab for lab in now.labs if lab.id == lab_id), None)
    if lab is not None:
        return lab
    broken = next((b for b in now.broken if b.id == lab_id), None)
    if broken is not None:
        first = broken.problems[0]
        raise NetlabError(ErrorCode.LAB_INVALID, where=f"{lab_id}/{first.file}:{first.line}", what=first.what, fix=first.fix)
    raise NetlabError(ErrorCode.LAB_UNKNOWN, lab=lab_id, fix=nearest(lab_id, [lab.id for lab in now.labs]))


def catalogue(labs_dir: Path | None = None) -> Catalogue:
    """All labs of the folder as they are on disk now; only those that have changed are read."""
    return _reader(labs_dir or load_config().labs_dir).read()


@lru_cache
def _reader(labs_dir: Path) -> "_Reader":
    return _Reader(labs_dir)


class _Reader:
    """Keeps what it has read, with the folder's stamp at that time."""

    def __init__(self, labs_dir: Path) -> None:
        self._dir = labs_dir
        self._kept: dict[Path, tuple[tuple[object, ...], CatalogueLab | BrokenLab]] = {}
        self._lock = threading.Lock()
        self._newest: Catalogue | None = None
        self._looked_at = float("-inf")

    def read(self) -> Catalogue:
        with self._lock:
            if self._newest is None or time.monotonic() - self._looked_at >= LOOK_AGAIN_AFTER_S:
                self._newest, self._looked_at = self._read(), time.monotonic()
            return self._newest

    def _read(self) -> Catalogue:
        folders = lab_folders(self._dir)
        found = [self._lab(folder) for folder in folders]
        self._kept = {folder: self._kept[folder] for folder in folders}
        labs = [lab for lab in found if isinstance(lab, CatalogueLab)]
        labs.sort(key=lambda lab: (_topic_order(lab.spec), lab.spec.order, lab.id))
        return Catalogue(labs, [lab for lab in found if isinstance(lab, BrokenLab)])

    def _lab(self, folder: Path) -> CatalogueLab | BrokenLab:
        stamp = tuple(_stamps(folder))
        kept = self._kept.get(folder)
        if kept is not None and kept[0] == stamp:
            return kept[1]
        lab = _load(folder)
        self._kept[folder] = (stamp, lab)
        return lab


def _topic_order(spec: LabSpec) -> int:
    return list(type(spec.topic)).index(spec.topic)


def _stamps(folder: Path) -> Iterator[tuple[str, int, int]]:
    """(path, mtime in ns, size) of every file: a change of any is a change of the lab."""
    for root, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            stat = os.lstat(os.path.join(root, name))
            yield os.path.join(root, name), stat.st_mtime_ns, stat.st_size


def _load(folder: Path) -> CatalogueLab | BrokenLab:
    try:
        lab: Lab = load_lab(folder)
    except LabProblems as error:
        log.warning("lab_broken", lab=folder.name, problems=[str(p) for p in error.problems[:5]])
        return BrokenLab(folder.name, error.problems)
    html = {step: render_step(text, lab.spec) for step, text in lab.texts.items()}
    return CatalogueLab(lab.spec, lab.digest, lab.files, lab.solutions, html)
