"""What the shells' clang compiles once, kept by the digest of what it is made from: netlab's own BPF objects (bpf/*.bpf.c) and
programs that every node has (shells/*.c, in bin/).

Called by `make up`, `make test` and the guest image. An object fits every kernel that has BTF, so the host and its guests get the
same; programs are for the root file system of the shells alone. Finished ones appear at once and are never touched again.
"""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from netlab.install import rootfs
from netlab.install.digests import digest_files, walk
from netlab.install.instance import TOP
from netlab.install.locks import alone
from netlab.install.progress import Step

SOURCES = TOP / "bpf"
SHELL_SOURCES = TOP / "shells"
SHELL_PROGRAMS = "bin"
"""Where a finished folder has the programs of the shells."""
CURRENT = Path("/var/lib/netlab/bpf/current")
SUFFIX = ".bpf.c"
DIGEST_CHARS = 16
COMPILE_IN_TREE = (
    'mount --bind "$1" "$2/mnt" && mount --bind "$3" "$2/tmp" && cd "$2" && shift 3 && exec chroot . clang -O2 -Wall -Werror "$@"'
)
"""In a mount namespace of its own: a finished tree is not written to."""


def inputs() -> list[Path]:
    return [*walk(SOURCES), *walk(SHELL_SOURCES), Path(__file__)]


def folder() -> Path:
    """Where the objects of this checkout are, or will be."""
    name = f"{digest_files(inputs(), TOP)[:DIGEST_CHARS]}-{rootfs.tree().name}"
    return rootfs.cache_dir().parent / "bpf" / name


def ensure(step: Step, tree: Path) -> Path:
    """Build them unless they are there. Two at once: the second waits for the first."""
    target = folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    with alone(target.parent):
        if not target.is_dir():
            with TemporaryDirectory(dir=target.parent, prefix=".bpf-") as name:
                stage = Path(name) / "objects"
                stage.mkdir(mode=0o755)
                build(step, tree, stage)
                stage.rename(target)
    return target


def build(step: Step, tree: Path, target: Path) -> None:
    """Compile every source. Raises Failed with what the compiler says."""
    step.hint = "A source did not compile with the clang of the shells' root file system: have bpf/ or shells/ been changed?"
    for source in sorted(SOURCES.glob(f"*{SUFFIX}")):
        made = target / source.with_suffix(".o").name
        _compile(step, tree, source, made, ["-target", "bpf", "-mcpu=v3", "-g", "-I/usr/include/x86_64-linux-gnu", "-c"])
        made.chmod(0o644)
    (target / SHELL_PROGRAMS).mkdir(mode=0o755)
    for source in sorted(SHELL_SOURCES.glob("*.c")):
        made = target / SHELL_PROGRAMS / source.stem
        _compile(step, tree, source, made, ["-Wextra", "-s"])
        made.chmod(0o755)


def _compile(step: Step, tree: Path, source: Path, made: Path, options: list[str]) -> None:
    argv: list[str | Path] = [source.parent, tree, made.parent, *options, f"/mnt/{source.name}", "-o", Path("/tmp", made.name)]  # noqa: S108
    step.run(["unshare", "--mount", "sh", "-c", COMPILE_IN_TREE, "sh", *argv])


def copy(objects: Path, target: Path) -> None:
    shutil.copytree(objects, target)


def point_current_at(objects: Path) -> None:
    """What a process that is not told otherwise uses, for instance one that an author starts by hand."""
    CURRENT.parent.mkdir(parents=True, exist_ok=True)
    if not CURRENT.is_symlink() or CURRENT.readlink() != objects:
        partial = CURRENT.with_name(f"current.{os.getpid()}")
        partial.symlink_to(objects)
        partial.replace(CURRENT)
