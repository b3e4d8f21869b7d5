"""/lab belongs to somebody else: whatever lies there, nothing outside is reached and nothing blocks."""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from netlab.host.engine.lab_folder import DEPTH_MAX, ENTRIES_MAX, FOLDERS_MAX, LabFolder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / "outside"
    path.mkdir()
    (path / "secret").write_text("secret")
    return path


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    path = tmp_path / "lab"
    path.mkdir()
    return path


@pytest.fixture
def folder(lab: Path) -> Iterator[LabFolder]:
    opened = LabFolder(lab, os.getuid())
    yield opened
    opened.close()


def test_write_read_delete(folder: LabFolder, lab: Path) -> None:
    folder.write("a/b/c.txt", b"one")
    folder.write("a/b/c.txt", b"two")
    found = folder.read("a/b/c.txt", 100)
    assert found is not None and (found.data, found.size, found.regular) == (b"two", 3, True)
    assert [p.name for p in (lab / "a/b").iterdir()] == ["c.txt"], "no half-written file stays"
    folder.delete("a/b/c.txt")
    folder.delete("a/b/c.txt")
    assert folder.read("a/b/c.txt", 100) is None


def test_links_are_never_followed(folder: LabFolder, lab: Path, outside: Path) -> None:
    (lab / "dir").symlink_to(outside)
    (lab / "file").symlink_to(outside / "secret")
    assert folder.read("dir/secret", 100) is None
    assert folder.read("file", 100) is None
    with pytest.raises(OSError) as refused:
        folder.write("dir/secret", b"x")
    assert refused.value.errno in (errno.ELOOP, errno.ENOTDIR)
    folder.write("file", b"mine")
    folder.delete("dir/secret")
    assert (outside / "secret").read_text() == "secret"
    assert not (lab / "file").is_symlink()
    assert [path for path, _, _ in folder.folders()] == [""]


def test_what_is_no_file_does_not_block(folder: LabFolder, lab: Path) -> None:
    os.mkfifo(lab / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(lab / "socket"))
    (lab / "dir").mkdir()
    for name in ("fifo", "socket", "dir"):
        found = folder.read(name, 100)
        assert found is not None and not found.regular and found.data is None
    with pytest.raises(IsADirectoryError):
        folder.write("dir", b"x")
    assert not [p for p in lab.iterdir() if "netlab-new" in p.name]


def test_a_large_file_is_not_read_to_its_end(folder: LabFolder, lab: Path) -> None:
    with open(lab / "big", "wb") as big:
        big.truncate(1 << 40)
    found = folder.read("big", 1000)
    assert found is not None and found.data is None and found.size == 1 << 40


def test_a_walk_is_bounded(folder: LabFolder, lab: Path) -> None:
    deep = lab
    for _ in range(DEPTH_MAX + 5):
        deep = deep / "d"
        deep.mkdir()
    for number in range(FOLDERS_MAX + 5):
        (lab / f"f{number}").mkdir()
    for number in range(ENTRIES_MAX + 5):
        (lab / f"x{number}").touch()
    seen = list(folder.folders())
    assert len(seen) <= FOLDERS_MAX and sum(len(names) for _, _, names in seen) <= ENTRIES_MAX
    assert max(path.count("/") for path, _, _ in seen) <= DEPTH_MAX
