"""A guest image as one file, to be carried to hosts that should not compile a kernel: export, import, and their checks.

Called by `manage.py guest`. The file is a tar, compressed by zstd, with exactly the members of MEMBERS; `contents.json` comes
first and has the digest of each. With the image travels what is kept of its kernel, so that a host with newer netlab code
packs the application part anew in seconds. An import appears at once and whole, or not at all.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from netlab.install import guest_image, guest_paths
from netlab.install.failure import Failed
from netlab.install.guest_image import MANIFEST, PARTS, sha256
from netlab.install.locks import alone

FORMAT = 1
CONTENTS = "contents.json"
KERNEL = "kernel.tar"
MEMBERS = (MANIFEST, *PARTS, KERNEL)
MEMBER_BYTES_MAX = 2_000_000_000
ZSTD_LEVEL = "-6"
UNFINISHED = ".import-"
AGAIN = "Copy the file again, or export it anew."
Say = Callable[[str], None]


def export(target: Path, say: Say) -> None:
    """Write the image of this checkout into one file. Raises Failed when there is none."""
    image, kernel = guest_paths.image_dir(), guest_paths.kernel_dir()
    if not guest_image.is_there() or not kernel.is_dir():
        raise Failed("there is no guest image of this version of netlab to export", "`make guest` builds it.")
    if shutil.which("zstd") is None:
        raise Failed("zstd is not installed", "apt install zstd")
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with TemporaryDirectory(dir=guest_paths.cache_dir(), prefix="export-") as name:
            files = {part: image / part for part in (MANIFEST, *PARTS)} | {KERNEL: Path(name) / KERNEL}
            say("packing the kernel's headers and modules")
            _run(["tar", "--create", "--file", files[KERNEL], "--directory", kernel, "--owner=0", "--group=0", "."])
            say("writing")
            _pack(partial, files)
        partial.replace(target)
    except OSError as error:
        raise Failed(f"{target} cannot be written: {error.strerror}", "Choose another place, or make room.") from error
    finally:
        partial.unlink(missing_ok=True)
    say(f"{target}: {target.stat().st_size / 1e6:.0f} MB")


def import_file(source: Path, say: Say) -> Path:
    """Put the file's image where this checkout looks for one. Raises Failed with what is wrong with the file."""
    if not source.is_file():
        raise Failed(f"there is no file {source}", "Give the file that `manage.py guest export` wrote.")
    if shutil.which("zstd") is None:
        raise Failed("zstd is not installed", "apt install zstd")
    images = guest_paths.image_dir().parent
    images.mkdir(parents=True, exist_ok=True)
    with alone(images), TemporaryDirectory(dir=images, prefix=UNFINISHED) as name:
        folder = Path(name)
        say("reading")
        made_from = _unpack(source, folder)
        if made_from["kernel"] != guest_paths.kernel_digest():
            what = f"{source.name} has a kernel of another version of netlab"
            raise Failed(what, "Export it from a host with this version, or `make guest`.")
        _place_kernel(folder)
        _place_root(folder, made_from["root"])
        whole = folder / "whole"
        whole.mkdir(mode=0o755)
        for part in (MANIFEST, *PARTS):
            (folder / part).rename(whole / part)
        return guest_image.put(whole, images / made_from["image"])


def _pack(target: Path, files: dict[str, Path]) -> None:
    made_from = {"image": guest_paths.image_dir().name, "kernel": guest_paths.kernel_digest(), "root": guest_paths.root_digest()}
    contents = {"format": FORMAT, "made_from": made_from, "sha256": {name: sha256(path) for name, path in files.items()}}
    with target.open("wb") as out, TemporaryDirectory() as name:
        listing = Path(name) / CONTENTS
        listing.write_text(json.dumps(contents, indent=1) + "\n")
        zstd = subprocess.Popen(["zstd", "-q", "-T0", ZSTD_LEVEL, "-c"], stdin=subprocess.PIPE, stdout=out)
        assert zstd.stdin is not None
        with zstd.stdin as pipe, tarfile.open(fileobj=pipe, mode="w|") as archive:
            for member, path in {CONTENTS: listing, **files}.items():
                entry = archive.gettarinfo(path, member)
                entry.uid = entry.gid = 0
                entry.uname = entry.gname = ""
                with path.open("rb") as file:
                    archive.addfile(entry, file)
        if zstd.wait() != 0:
            raise Failed(f"zstd ended with code {zstd.returncode}", "Look whether the disk is full.")


def _unpack(source: Path, folder: Path) -> dict[str, str]:
    """The members into the folder, each compared with its digest; what the image was made from."""
    damaged = Failed(f"{source.name} is damaged or no guest image", AGAIN)
    zstd = subprocess.Popen(["zstd", "-q", "-d", "-c", source], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert zstd.stdout is not None
    try:
        with zstd.stdout as pipe, tarfile.open(fileobj=pipe, mode="r|") as archive:
            contents = _read_contents(archive, damaged)
            found = {member: _write_member(archive, member, folder, damaged) for member in MEMBERS}
    except (tarfile.TarError, EOFError, ValueError, KeyError) as error:
        raise damaged from error
    finally:
        zstd.kill()
        zstd.wait()
    for member in MEMBERS:
        if found[member] != contents["sha256"].get(member):
            raise Failed(f"{source.name} is damaged: {member} is not what was exported", AGAIN)
    _check_manifest(folder, damaged)
    return {key: str(contents["made_from"][key]) for key in ("image", "kernel", "root")}


def _read_contents(archive: tarfile.TarFile, damaged: Failed) -> dict[str, Any]:
    contents = json.loads(_next(archive, CONTENTS, damaged).read())
    if not isinstance(contents, dict) or contents.get("format") != FORMAT:
        raise Failed("the file has a format that this version of netlab does not know", "Use the same version on both hosts.")
    made_from = contents["made_from"]
    for key in ("image", "kernel", "root"):
        if not (isinstance(made_from[key], str) and made_from[key].isalnum()):
            raise damaged
    return contents


def _next(archive: tarfile.TarFile, name: str, damaged: Failed) -> IO[bytes]:
    """The next member, which has to be this file."""
    entry = archive.next()
    if entry is None or entry.name != name or not entry.isreg() or entry.size > MEMBER_BYTES_MAX:
        raise damaged
    file = archive.extractfile(entry)
    assert file is not None
    return file


def _write_member(archive: tarfile.TarFile, name: str, folder: Path, damaged: Failed) -> str:
    hasher = hashlib.sha256()
    file = _next(archive, name, damaged)
    with (folder / name).open("wb") as out:
        while part := file.read(1 << 20):
            hasher.update(part)
            out.write(part)
    return hasher.hexdigest()


def _check_manifest(folder: Path, damaged: Failed) -> None:
    """The image's own list has to be of these parts."""
    manifest = json.loads((folder / MANIFEST).read_text())
    if manifest["parts"] != {part: sha256(folder / part) for part in PARTS}:
        raise damaged


def _place_kernel(folder: Path) -> None:
    """What is kept of a kernel, for an application part that is packed here."""
    target = guest_paths.kernel_dir()
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent, prefix=UNFINISHED) as name:
        kernel = Path(name) / "kernel"
        kernel.mkdir(mode=0o755)
        _run(["tar", "--extract", "--no-same-owner", "--file", folder / KERNEL, "--directory", kernel])
        guest_image.put(kernel, target)


def _place_root(folder: Path, digest: str) -> None:
    target = guest_paths.root_squashfs().with_name(f"{digest}.squashfs")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        os.link(folder / "root.squashfs", target)


def _run(argv: list[str | Path]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        what = f"`{argv[0]}` ended with code {done.returncode}: {done.stderr.strip()[-200:]}"
        raise Failed(what, "Look whether the disk is full.")
