"""Where the guest image and what it is made of are kept, by digests of what each is made from. Decides names, makes nothing.

    <cache>/guest/<digest>/           the image: bzImage, root.squashfs, app.squashfs, manifest.json
    <cache>/guest-kernel/<digest>/    bzImage, modules/, build/ (what a module of our own is compiled against)
    <cache>/guest-root/<digest>.squashfs
    <cache>/guest-work/<digest>/      the kernel's source and objects while it is compiled; gone afterwards

A change of netlab's code changes the first digest alone, and costs seconds.
"""

import hashlib
import os
from pathlib import Path

from netlab.install import guest_app, rootfs
from netlab.install.digests import digest_files
from netlab.install.instance import TOP

GUEST = TOP / "guest"
KERNEL_CONFIG = GUEST / "kernel.config"
PATCHES = GUEST / "patches"
DSA = GUEST / "dsa"
SOURCE_PACKAGE = "linux-source-6.12"
DIGEST_CHARS = 16
MODULE_SOURCES = {".c", ".h"}
MODULE_FILES = {"Makefile", "Kbuild"}


def cache_dir() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "netlab"


def image_dir() -> Path:
    """The image of this checkout, there or not yet."""
    parts = [kernel_digest(), root_digest(), digest_files(dsa_sources(), TOP), digest_files(guest_app.inputs(), TOP)]
    return cache_dir() / "guest" / _short(" ".join(parts))


def kernel_digest() -> str:
    return _short(f"{SOURCE_PACKAGE} {digest_files([KERNEL_CONFIG, *patches()], TOP)}")


def patches() -> list[Path]:
    """What we change in the kernel's source, in the order in which it is applied."""
    return sorted(PATCHES.glob("*.patch"))


def kernel_dir() -> Path:
    return cache_dir() / "guest-kernel" / kernel_digest()


def work_dir() -> Path:
    return cache_dir() / "guest-work" / kernel_digest()


def root_digest() -> str:
    return rootfs.tree().name


def root_squashfs() -> Path:
    return cache_dir() / "guest-root" / f"{root_digest()}.squashfs"


def dsa_sources() -> list[Path]:
    """Of our own kernel module; a build left beside them is not among them."""
    files = [path for path in DSA.rglob("*") if path.suffix in MODULE_SOURCES or path.name in MODULE_FILES]
    return sorted(path for path in files if not path.name.endswith(".mod.c"))


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARS]
