"""Makes the guest image, stage after stage, each kept by the digest of what it is made from. Called by `guest` and `checks`.

One build at a time for all of a user's checkouts: the second waits and finds the work done. What is finished is renamed into
place and never touched again.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from netlab.install import environment, guest_app, guest_kernel, guest_paths, guest_progress, packages, rootfs
from netlab.install.digests import digest_files
from netlab.install.failure import Failed
from netlab.install.guest_progress import Stage, Teller
from netlab.install.instance import TOP
from netlab.install.locks import alone
from netlab.install.progress import Progress, Step

PARTS = ("bzImage", "root.squashfs", "app.squashfs")
MANIFEST = "manifest.json"
SQUASHFS_BLOCK = "128K"
UNFINISHED = ".image-"
TITLES = {
    guest_progress.PACKAGES: "Compiler and tools",
    guest_progress.PYTHON: "Python environment",
    guest_progress.SOURCE: "Kernel source",
    guest_progress.CONFIGURE: "Kernel configuration",
    guest_progress.COMPILE: "Kernel",
    guest_progress.KEEP: "Kernel modules",
    guest_progress.TREE: "Root file system",
    guest_progress.ROOT: "Root image",
    guest_progress.APP: "netlab in the guest",
}


def stages() -> tuple[Stage, ...]:
    """Those that this machine's cache lacks; the rest costs nothing and is not shown."""
    kernel = guest_paths.kernel_dir().is_dir()
    of_kernel = (guest_progress.SOURCE, guest_progress.CONFIGURE, guest_progress.COMPILE, guest_progress.KEEP)
    return (
        guest_progress.PACKAGES,
        guest_progress.PYTHON,
        *(() if kernel else of_kernel),
        *(() if rootfs.tree().is_dir() else (guest_progress.TREE,)),
        *(() if guest_paths.root_squashfs().exists() else (guest_progress.ROOT,)),
        guest_progress.APP,
    )


def is_there() -> bool:
    return (guest_paths.image_dir() / MANIFEST).is_file()


def image_dir_of(command: str, log: Path) -> Path | None:
    """The image's folder, made when it is not there, in numbered steps. None after having said what failed."""
    image = guest_paths.image_dir()
    if is_there():
        return image
    work = guest_paths.cache_dir() / "guest-work"
    work.mkdir(parents=True, exist_ok=True)
    with alone(work):
        if is_there():
            return image
        remove_unfinished(image.parent)
        wanted = stages()
        progress = Progress(command, len(wanted), log)
        try:
            with Teller(image.parent, image.name, wanted) as teller:
                return _Build(progress, teller, wanted).run()
        except Failed as failure:
            progress.failed(failure.what, failure.hint, failure.log)
        except KeyboardInterrupt:
            progress.failed("it was interrupted", "", None)
    return None


def remove_unfinished(images: Path) -> None:
    """Folders of a build that was killed."""
    for folder in images.glob(f"{UNFINISHED}*"):
        shutil.rmtree(folder)


class _Build:
    """One run through the stages that are wanted."""

    def __init__(self, progress: Progress, teller: Teller, wanted: tuple[Stage, ...]) -> None:
        self.progress, self.teller, self.wanted = progress, teller, wanted
        self.work, self.kernel = guest_paths.work_dir(), guest_paths.kernel_dir()

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[Step]:
        self.teller.begin(stage)
        with self.progress.step(TITLES[stage]) as step:
            yield step

    def run(self) -> Path:
        with self.stage(guest_progress.PACKAGES) as step:
            packages.install(step, ["run", "guest"])
        with self.stage(guest_progress.PYTHON) as step, alone(TOP):
            environment.ensure(step)
        if guest_progress.COMPILE in self.wanted:
            self.make_kernel()
        if guest_progress.TREE in self.wanted:
            self.make_tree()
        if guest_progress.ROOT in self.wanted:
            self.pack_root()
        with self.stage(guest_progress.APP) as step:
            return self.assemble(step)

    def make_kernel(self) -> None:
        self.work.mkdir(parents=True, exist_ok=True)
        self.kernel.parent.mkdir(parents=True, exist_ok=True)
        watch = self.teller.shown
        with self.stage(guest_progress.SOURCE) as step:
            guest_kernel.fetch(step, self.work, watch)
        with self.stage(guest_progress.CONFIGURE) as step:
            guest_kernel.configure(step, self.work, watch)
        self.teller.objects_at_start = guest_kernel.objects_there(self.work)
        self.teller.log, self.teller.log_from = self.progress.log, self.progress.log.stat().st_size
        with self.stage(guest_progress.COMPILE) as step:
            guest_kernel.compile_kernel(step, self.work, watch)
        with self.stage(guest_progress.KEEP) as step:
            guest_kernel.keep(step, self.work, self.kernel, watch)

    def make_tree(self) -> None:
        """`make up` may be at it: then this waits for it."""
        with self.stage(guest_progress.TREE) as step:
            build = rootfs.Build(self.progress.log.with_name("rootfs.log"))
            try:
                build.wait(step)
            finally:
                build.stop()

    def pack_root(self) -> None:
        target = guest_paths.root_squashfs()
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".partial")
        with self.stage(guest_progress.ROOT) as step:
            partial.unlink(missing_ok=True)
            words = [*guest_app.SQUASHFS[:-1], "-b", SQUASHFS_BLOCK, "-Xcompression-level", "15"]
            step.run(["nice", "-n", guest_kernel.NICE, "mksquashfs", rootfs.tree(), partial, *words], watch=self.teller.shown)
            partial.replace(target)

    def assemble(self, step: Step) -> Path:
        """netlab and the modules as the last part, the others linked beside it, and the list of all."""
        image = guest_paths.image_dir()
        with TemporaryDirectory(dir=image.parent, prefix=UNFINISHED) as name:
            folder = Path(name) / "image"
            folder.mkdir()
            extra = Path(name) / "extra"
            extra.mkdir()
            guest_kernel.build_dsa(step, self.kernel, extra, self.teller.shown)
            guest_app.build(step, rootfs.tree(), self.kernel / "modules", extra, folder / "app.squashfs")
            os.link(self.kernel / "bzImage", folder / "bzImage")
            os.link(guest_paths.root_squashfs(), folder / "root.squashfs")
            write_manifest(folder, (self.kernel / "release").read_text().strip())
            folder.chmod(0o755)
            put(folder, image)
        step.note = f"{image}"
        return image


def put(folder: Path, target: Path) -> Path:
    """Give a finished folder its name, unless somebody was quicker: what has one name is made from the same."""
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        shutil.rmtree(folder)
    return target


def write_manifest(folder: Path, kernel_release: str) -> None:
    """`digest` is over the bytes of the parts: a machine's memory that was saved knows them by heart."""
    parts = {name: sha256(folder / name) for name in PARTS}
    values = {
        "digest": hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest(),
        "kernel_release": kernel_release,
        "parts": parts,
        "sizes": {name: (folder / name).stat().st_size for name in PARTS},
        "made_from": {
            "kernel": guest_paths.kernel_digest(), "root": guest_paths.root_digest(),
            "dsa": digest_files(guest_paths.dsa_sources(), TOP)[: guest_paths.DIGEST_CHARS],
        },
    }  # fmt: skip
    (folder / MANIFEST).write_text(json.dumps(values, indent=1) + "\n")


def sha256(path: Path) -> str:
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            hasher.update(part)
    return hasher.hexdigest()
