"""Reads the text files of one lab's folder, within bounds, and collects what is wrong with them. Used by `lab_file`.

No symbolic link is followed, nothing outside the folder is read, and every byte read counts into the lab's digest.
"""

import hashlib
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from netlab.domain.ids import FilePath
from netlab.domain.lab_problems import LabProblem, problems_of
from netlab.domain.yaml_text import Document, Loc, read_yaml

YAML_BYTES_MAX = 256 * 1024
TEXT_BYTES_MAX = 64 * 1024
"""Of a step's instructions and of a file of start/ or solution/: what the editor and the wire carry."""
FILES_MAX = 500

Model = TypeVar("Model", bound=BaseModel)
_path_adapter: TypeAdapter[str] = TypeAdapter(FilePath)


class LabFolder:
    def __init__(self, folder: Path) -> None:
        self.path = folder
        self.problems: list[LabProblem] = []
        self._bytes_read: dict[str, bytes] = {}

    def add(self, file: str, what: str, fix: str = "", line: int = 1, column: int = 1) -> None:
        self.problems.append(LabProblem(file, line, column, what, fix))

    def add_at(self, file: str, document: Document, loc: Loc, what: str, fix: str = "") -> None:
        place = document.place_of_value(loc)
        self.add(file, what, fix, place.line, place.column)

    def text(self, name: str, limit: int = TEXT_BYTES_MAX) -> str | None:
        """A file's text; None, and a problem, when it is not there or not a text of a fair size."""
        data = self._bytes(name, limit)
        if data is None:
            return None
        self._bytes_read[name] = data
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            self.add(name, "is not UTF-8", "save it as UTF-8", data[: error.start].count(b"\n") + 1)
            return None
        if "\0" in text:
            self.add(name, "holds a zero byte", "only text files can be edited in the browser")
            return None
        return text

    def _bytes(self, name: str, limit: int) -> bytes | None:
        path = self.path / name
        try:
            if any((self.path / part).is_symlink() for part in [name, *map(str, Path(name).parents)]):
                self.add(name, "is a symbolic link, or in one", "put the file itself there")
            elif not stat.S_ISREG(path.lstat().st_mode):
                self.add(name, "is not a file")
            elif path.lstat().st_size > limit:
                self.add(name, f"is larger than {limit // 1024} KiB", "make it shorter")
            else:
                return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            self.add(name, "is missing", "create it")
        except OSError as error:
            self.add(name, f"cannot be read: {error.strerror}")
        return None

    def names(self, below: str) -> Iterator[str]:
        """Paths of all files below a part of the folder, relative to that part."""
        root = self.path / below
        if root.is_symlink() or not root.is_dir():
            return
        for found, path in enumerate(p for p in sorted(root.rglob("*")) if p.is_symlink() or not p.is_dir()):
            if found >= FILES_MAX:
                self.add(below, f"holds more than {FILES_MAX} files")
                return
            yield path.relative_to(root).as_posix()

    def editable_texts(self, below: str, exclude: str = "") -> dict[str, str]:
        """All files below a part, as an attendee will find them under /lab."""
        texts = {}
        for name in self.names(below):
            if name == exclude:
                continue
            try:
                _path_adapter.validate_python(name)
            except ValidationError:
                fix = "letters, digits, dots, dashes, underscores; no leading dot"
                self.add(f"{below}/{name}", "has a name that /lab cannot have", fix)
                continue
            text = self.text(f"{below}/{name}")
            if text is not None:
                texts[name] = text
        return texts

    def model(self, name: str, kind: type[Model]) -> tuple[Model | None, Document]:
        """A YAML file as a model; None, and its problems, when it is not one."""
        text = self.text(name, YAML_BYTES_MAX)
        if text is None:
            return None, Document()
        document = read_yaml(text)
        for problem in document.problems:
            self.add(name, problem.what, problem.fix, problem.place.line, problem.place.column)
        if document.value is None:
            if not document.problems:
                self.add(name, "is empty", "see docs/lab-format.md")
            return None, document
        try:
            return kind.model_validate(document.value), document
        except ValidationError as error:
            self.problems += problems_of(error, kind, document, name)
            return None, document

    def digest(self) -> str:
        """Of all files read so far, names and bytes."""
        total = hashlib.sha256()
        for name, data in sorted(self._bytes_read.items()):
            total.update(f"{len(name)}:{name}:{len(data)}:".encode() + data)
        return total.hexdigest()[:32]
