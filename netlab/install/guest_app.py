"""/opt/netlab of a guest as a squashfs: netlab's engine, Python packages, BPF objects, kernel modules, all compiled.

Called by `guest_image` as the last stage: it costs seconds, so a change of netlab's own code needs no new kernel. The guest's
Python is the root tree's: byte code is made by it, in a mount namespace of its own. Never changes the tree.
"""

import lzma
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from netlab.install import bpf_objects
from netlab.install.digests import walk
from netlab.install.instance import PYTHON, TOP
from netlab.install.progress import Step

LOCK = TOP / "requirements" / "guest.txt"
CODE = ("__init__.py", "config.py", "logs.py", "domain", "wire", "host")
"""What of netlab/ a guest has."""
NOT_CODE = ("host/agent", "host/holder", "host/vm", "host/vm_runs", "host/runtimes/vm.py", "host/runtimes/several.py",
            "host/try_lab.py")  # fmt: skip
"""What only a host runs: a change there needs no new image. tests/install try that the guest's agent does not miss it."""
GUEST_PYTHON = "3.13"
"""trixie's; tests/install compare it with the tree."""
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
KHEADERS = Path("kernel/kernel/kheaders.ko")
XZ_MAGIC = b"\xfd7zXZ\x00"
SQUASHFS = ("-comp", "zstd", "-noappend", "-no-progress", "-quiet", "-no-exports", "-no-xattrs", "-all-root")
COMPILE_IN_TREE = (
    'mount --bind "$1" "$2/mnt" && exec chroot "$2" /usr/bin/python3 -I -m compileall -q -f'
    " --invalidation-mode unchecked-hash -s /mnt -p /opt/netlab /mnt/python"
)
"""Unchecked: a squashfs is never edited, so Python need not look whether a source is newer."""


def sources() -> list[Path]:
    """netlab's own files in the image."""
    package = TOP / "netlab"
    files = [package / name for name in CODE if (package / name).is_file()]
    files += [path for name in CODE if (package / name).is_dir() for path in walk(package / name, ("__pycache__",))]
    left_out = [package / name for name in NOT_CODE]
    return [path for path in files if not any(path == out or out in path.parents for out in left_out)]


def inputs() -> list[Path]:
    """What its digest is made over, besides the tree and the modules."""
    return [*sources(), *bpf_objects.inputs(), LOCK, Path(__file__)]


def build(step: Step, tree: Path, modules: Path, extra_modules: Path | None, target: Path) -> None:
    """Write the squashfs. `modules` holds <release>/; `extra_modules` *.ko of our own. Appears at once and whole."""
    with _staging(target.parent) as stage:
        install_packages(step, stage / "python")
        copy_code(stage / "python")
        step.run(["unshare", "--mount", "sh", "-c", COMPILE_IN_TREE, "sh", stage, tree])
        copy_modules(step, modules, extra_modules, stage / "modules")
        bpf_objects.copy(bpf_objects.ensure(step, tree), stage / "bpf")
        pack(step, stage, target)


def install_packages(step: Step, folder: Path) -> None:
    """The hashed lock's wheels, for the guest's Python instead of ours."""
    step.hint = "Look whether this machine reaches its Python package index (`pip config list`), then run the command again."
    platforms = [f"--platform={name}" for name in PLATFORMS]
    step.run(
        [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar=off", "--no-compile",
         "--require-hashes", "--no-deps", "--only-binary=:all:", f"--python-version={GUEST_PYTHON}", "--implementation=cp",
         *platforms, "--target", folder, "-r", LOCK]
    )  # fmt: skip
    shutil.rmtree(folder / "bin", ignore_errors=True)


def copy_code(folder: Path) -> None:
    for source in sources():
        target = folder / source.relative_to(TOP)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def copy_modules(step: Step, modules: Path, extra: Path | None, folder: Path) -> None:
    """/lib/modules with our own beside the kernel's, and the lists by which modprobe finds them."""
    shutil.copytree(modules, folder, symlinks=True)
    release = next(folder.iterdir())
    for link in ("build", "source"):
        (release / link).unlink(missing_ok=True)
    unpack_headers(release / KHEADERS, release / "build")
    if extra is not None:
        (release / "extra").mkdir()
        for module in sorted(extra.glob("*.ko")):
            shutil.copyfile(module, release / "extra" / module.name)
    with TemporaryDirectory() as root:  # depmod wants /lib/modules
        (Path(root) / "lib").mkdir()
        (Path(root) / "lib" / "modules").symlink_to(folder)
        step.run(["depmod", "-b", root, release.name])


def unpack_headers(module: Path, folder: Path) -> None:
    """The kernel's headers out of the module that carries them (CONFIG_IKHEADERS), to where bcc looks for them first.

    Else bcc would unpack 45 MB of them into each guest's memory, for half of the time that a first program takes.
    """
    content = module.read_bytes()
    packed = content[content.index(XZ_MAGIC) :]
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", folder], input=lzma.LZMADecompressor().decompress(packed), check=True)


def pack(step: Step, folder: Path, target: Path) -> None:
    partial = target.with_name(f"{target.name}.partial")
    partial.unlink(missing_ok=True)
    step.run(["mksquashfs", folder, partial, *SQUASHFS, "-Xcompression-level", "15"])
    partial.replace(target)


@contextmanager
def _staging(beside: Path) -> Iterator[Path]:
    with TemporaryDirectory(dir=beside, prefix=".app-") as name:
        stage = Path(name)
        stage.chmod(0o755)
        yield stage
