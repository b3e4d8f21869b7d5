"""Digests of files and the stamps that remember them: what was done with the same input is not done again."""

import hashlib
import os
from collections.abc import Collection, Iterable
from pathlib import Path


def digest_files(files: Iterable[Path], relative_to: Path) -> str:
    """Over names, modes' x bits and contents, so that neither a move nor a chmod goes unseen."""
    hasher = hashlib.sha256()
    for path in sorted(files):
        executable = os.access(path, os.X_OK)
        hasher.update(f"{path.relative_to(relative_to)}\0{executable}\0".encode())
        hasher.update(hashlib.sha256(path.read_bytes()).digest())
    return hasher.hexdigest()


def walk(folder: Path, skip: Collection[str] = ()) -> list[Path]:
    """Every file below a folder, without the directories named in `skip`."""
    found = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in skip]
        found += [Path(root) / name for name in files]
    return found


class Stamp:
    """A file that holds the digest of the last input that was dealt with."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def holds(self, digest: str) -> bool:
        return self.path.is_file() and self.path.read_text().strip() == digest

    def write(self, digest: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        partial.write_text(digest + "\n")
        partial.replace(self.path)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
