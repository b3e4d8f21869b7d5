"""The guest's kernel: Debian's source with guest/patches and guest/kernel.config, compiled; our own module against its headers.

Called by `guest_image`, one function a stage. Each can be killed at any time and called again: the source is unpacked aside and
renamed, make goes on with the objects that are there. The archive is the machine's own: no site is named here.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from netlab.install.failure import Failed
from netlab.install.guest_paths import DSA, KERNEL_CONFIG, SOURCE_PACKAGE, dsa_sources, patches
from netlab.install.progress import Step

SUITE = "trixie"
NICE = "10"
COMPILE_LIMIT_S = 4 * 3600
ARCHIVE_OF_THIS_MACHINE = ("bookworm", SUITE)
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
BUILD_MIN_GB = 6
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child")
"""Two makes in one tree spoil it: when the build is killed, all that it started ends with its pid namespace."""
_SET = re.compile(r"^(CONFIG_\w+)=(.*)$")
_NOT_SET = re.compile(r"^# (CONFIG_\w+) is not set$")
Watch = Callable[[], str]


def source_folder(work: Path) -> Path:
    return work / "source"


# --- source


def fetch(step: Step, work: Path, watch: Watch) -> None:
    """The newest source package of the suite, checked by apt, unpacked, with our patches."""
    if source_folder(work).is_dir():
        step.note = "there already"
        return
    free_gb = shutil.disk_usage(work).free / 1e9
    if free_gb < BUILD_MIN_GB:
        raise Failed(f"only {free_gb:.1f} GB are free below {work}", f"Compiling the kernel needs {BUILD_MIN_GB} GB: make room.")
    step.hint = "Look whether this machine's Debian mirror has the suite trixie, then run the command again."
    package = _download(step, work, watch)
    partial = work / "source.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    step.run(["dpkg-deb", "--extract", package, partial], watch=watch)
    archive = next((partial / "usr" / "src").glob("linux-source-*.tar.xz"))
    step.run(["tar", "--extract", "--xz", "--strip-components=1", "--file", archive, "--directory", partial], watch=watch)
    shutil.rmtree(partial / "usr" / "src")
    package.unlink()
    for change in patches():
        step.hint = f"A newer source is no longer what {change.name} was made for: make that patch anew."
        step.run(["patch", "--strip=1", "--forward", "--batch", "--input", change], cwd=partial, watch=watch)
    partial.rename(source_folder(work))
    step.note = f"{SOURCE_PACKAGE} {_package_version(package)}"


def _download(step: Step, work: Path, watch: Watch) -> Path:
    """By apt with lists of its own, so that the machine's are left alone."""
    for folder in ("apt/lists/partial", "apt/cache/archives/partial"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    sources = work / "apt" / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {archive_site(step)} {SUITE} main\n")
    options = [
        "-o", f"Dir::Etc::sourcelist={sources}", "-o", "Dir::Etc::sourceparts=-", "-o", f"Dir::State::lists={work / 'apt/lists'}",
        "-o", f"Dir::Cache={work / 'apt/cache'}", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none",
    ]  # fmt: skip
    step.run(["apt-get", *options, "update"], watch=watch)
    step.run(["apt-get", *options, "download", SOURCE_PACKAGE], cwd=work, watch=watch)
    return max(work.glob(f"{SOURCE_PACKAGE}_*.deb"), key=lambda path: path.stat().st_mtime)


def archive_site(step: Step) -> str:
    """The site from which this machine gets Debian; guest/rootfs/build.sh does the same."""
    listed = step.output(["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)"])
    for line in listed.splitlines():
        site, release, component = line.split()
        if component == "main" and release in ARCHIVE_OF_THIS_MACHINE:
            return site
    raise Failed("there is no Debian archive in this machine's apt sources", "Name one in /etc/apt/sources.list.")


def _package_version(package: Path) -> str:
    return package.name.split("_")[1]


# --- configuration


def configure(step: Step, work: Path, watch: Watch) -> None:
    """guest/kernel.config on top of nothing. Fails when the kernel has other ideas about one of its options."""
    source = source_folder(work)
    step.hint = "Correct guest/kernel.config: `make menuconfig` in the kernel's source shows what an option depends on."
    step.run(
        ["make", "allnoconfig", f"KCONFIG_ALLCONFIG={KERNEL_CONFIG}"], cwd=source, env=_environment(source), watch=watch
    )
    lost = lost_options(KERNEL_CONFIG.read_text(), (source / ".config").read_text())
    if lost:
        raise Failed(f"{len(lost)} options of guest/kernel.config did not survive: {'; '.join(lost)}", step.hint, step.log)
    step.note = f"{len(options(KERNEL_CONFIG.read_text()))} options, all as asked"


def options(text: str) -> dict[str, str]:
    """Of a .config: '' for what is not set."""
    found = {}
    for line in text.splitlines():
        if match := _SET.match(line):
            found[match[1]] = match[2]
        elif match := _NOT_SET.match(line):
            found[match[1]] = ""
    return found


def lost_options(wanted: str, got: str) -> list[str]:
    """'CONFIG_X is not set, not =y' for each that came out otherwise."""
    result = options(got)
    return [
        f"{name} is {'=' + result[name] if result.get(name) else 'not set'}, not {'=' + value if value else 'off'}"
        for name, value in options(wanted).items()
        if result.get(name, "") != value
    ]


# --- compilation


def compile_kernel(step: Step, work: Path, watch: Watch) -> None:
    """bzImage and modules; goes on with the objects that are there."""
    source = source_folder(work)
    step.hint = "The log says which file does not compile; running the command again goes on from there."
    cores = len(os.sched_getaffinity(0))
    argv = [*DIES_WITH_US, "nice", "-n", NICE, "make", f"-j{cores}", "bzImage", "modules"]
    step.run(argv, cwd=source, env=_environment(source), watch=watch, timeout_s=COMPILE_LIMIT_S)
    step.note = f"Linux {release(source)}"


def objects_there(work: Path) -> int:
    return sum(1 for _ in source_folder(work).rglob("*.o")) if source_folder(work).is_dir() else 0


def release(source: Path) -> str:
    return (source / "include" / "config" / "kernel.release").read_text().strip()


def _environment(source: Path) -> Mapping[str, str]:
    """No name of a person or a machine in the kernel; the date is the source's."""
    made = time.strftime("%Y-%m-%d", time.gmtime((source / "Makefile").stat().st_mtime))
    return {
        "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "LANG": "C.UTF-8", "HOME": "/nonexistent",
        "KBUILD_BUILD_USER": "netlab", "KBUILD_BUILD_HOST": "netlab", "KBUILD_BUILD_TIMESTAMP": made,
    }  # fmt: skip


# --- what is kept


def keep(step: Step, work: Path, target: Path, watch: Watch) -> None:
    """bzImage, modules/ and build/ (headers, scripts, the kernel's types); the gigabytes of objects go."""
    source, partial = source_folder(work), target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "build").mkdir(parents=True)
    env = _environment(source)
    install = ["make", "-s", "modules_install", f"INSTALL_MOD_PATH={partial / 'root'}", "INSTALL_MOD_STRIP=1", "DEPMOD=true"]
    step.run(install, cwd=source, env=env, watch=watch)
    (partial / "root" / "lib" / "modules").rename(partial / "modules")
    shutil.rmtree(partial / "root")
    for link in ("build", "source"):
        (partial / "modules" / release(source) / link).unlink(missing_ok=True)
    headers = f"$(srctree)/scripts/package/install-extmod-build {partial / 'build'}"
    step.run(["make", "-s", "run-command", f"KBUILD_RUN_COMMAND={headers}"], cwd=source, env=env, watch=watch)
    shutil.copyfile(source / ".config", partial / "build" / ".config")
    # a module's types are written as what differs from the kernel's: of vmlinux they are all that is wanted
    step.run(["objcopy", "--only-section=.BTF", source / "vmlinux", partial / "build" / "vmlinux"], watch=watch)
    shutil.copyfile(source / "arch" / "x86" / "boot" / "bzImage", partial / "bzImage")
    (partial / "release").write_text(release(source) + "\n")
    if target.is_dir():  # imported meanwhile
        shutil.rmtree(partial)
    else:
        partial.rename(target)
    shutil.rmtree(work)
    step.note = f"{target}"


def build_dsa(step: Step, kernel: Path, folder: Path, watch: Watch) -> None:
    """Our own module, compiled in `folder` so that the checkout stays clean; leaves *.ko there, without debugging sections."""
    step.hint = "The log says what the compiler found in guest/dsa."
    for path in dsa_sources():
        target = folder / "dsa" / path.relative_to(DSA)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    if not (folder / "dsa").is_dir():
        return
    build = kernel / "build"
    step.run(["make", f"M={folder / 'dsa'}", "modules"], cwd=build, env=_environment(build), watch=watch)
    for module in (folder / "dsa").glob("*.ko"):
        subprocess.run(["strip", "--strip-debug", "-o", folder / module.name, module], check=True)
