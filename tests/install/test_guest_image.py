"""The making of the guest image without making one: what is asked of the kernel, estimates, digests, export and import."""

import configparser
import hashlib
import io
import json
import os
import secrets
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from netlab.domain.lab import Ability
from netlab.host.guest.process import BCC_PARTS, bcc_of_image
from netlab.host.vm import image as host_side
from netlab.install import (
    bpf_objects,
    checks,
    guest,
    guest_app,
    guest_files,
    guest_image,
    guest_kernel,
    guest_paths,
    guest_progress,
    processes,
    rootfs,
)
from netlab.install.failure import Failed
from netlab.install.guest_progress import COMPILE, PACKAGES, ROOT, Teller, compile_seconds_left
from netlab.install.instance import TOP, Instance
from netlab.install.progress import Progress
from netlab.wire.host_report import AbilityReport


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return guest_paths.cache_dir()


def make_small_image(cache: Path) -> Path:
    """What a build leaves, in small."""
    kernel, root, image = guest_paths.kernel_dir(), guest_paths.root_squashfs(), guest_paths.image_dir()
    for folder in (kernel / "build" / "scripts", kernel / "modules" / "6.12.0-netlab", root.parent, image):
        folder.mkdir(parents=True)
    (kernel / "release").write_text("6.12.0-netlab\n")
    (kernel / "build" / "scripts" / "link").symlink_to("../Makefile")
    (kernel / "bzImage").write_bytes(os.urandom(5000))
    root.write_bytes(os.urandom(70000))
    (image / "app.squashfs").write_bytes(os.urandom(9000))
    os.link(kernel / "bzImage", image / "bzImage")
    os.link(root, image / "root.squashfs")
    guest_image.write_manifest(image, "6.12.0-netlab")
    return image


# --- the kernel's configuration


def test_every_option_that_did_not_survive_is_named() -> None:
    wanted = "CONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\nCONFIG_D=0\n# CONFIG_E is not set\nCONFIG_F=y\n"
    got = "CONFIG_A=y\nCONFIG_B=y\nCONFIG_C=y\nCONFIG_D=0\n# CONFIG_F is not set\n"
    lost = guest_kernel.lost_options(wanted, got)
    assert lost == ["CONFIG_B is =y, not =m", "CONFIG_C is =y, not off", "CONFIG_F is not set, not =y"]


def test_the_configuration_asks_for_nothing_twice() -> None:
    lines = guest_paths.KERNEL_CONFIG.read_text().splitlines()
    assert len(lines) == len(guest_kernel.options("\n".join(lines)))


# --- digests


def test_a_change_of_the_configuration_asks_for_another_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = guest_paths.kernel_digest(), guest_paths.image_dir()
    changed = TOP / "var" / f"kernel.config.{tmp_path.name}"
    changed.parent.mkdir(exist_ok=True)
    changed.write_text(guest_paths.KERNEL_CONFIG.read_text() + "CONFIG_EXT4_FS=y\n")
    monkeypatch.setattr(guest_paths, "KERNEL_CONFIG", changed)
    try:
        assert guest_paths.kernel_digest() != before[0]
        assert guest_paths.image_dir() != before[1]
    finally:
        changed.unlink()


def test_a_build_left_in_the_checkout_changes_no_digest() -> None:
    before = guest_paths.dsa_sources()
    for name in ("left.mod.c", "left.o", "left.ko"):
        (guest_paths.DSA / name).write_text("")
    try:
        assert guest_paths.dsa_sources() == before
    finally:
        for name in ("left.mod.c", "left.o", "left.ko"):
            (guest_paths.DSA / name).unlink()


def test_the_guests_agent_finds_all_it_imports_in_what_is_packed(tmp_path: Path) -> None:
    guest_app.copy_code(tmp_path)
    words = [sys.executable, "-c", "import netlab.host.__main__, netlab.host.guest.process, netlab; print(netlab.__file__)"]
    done = subprocess.run(words, env={"PYTHONPATH": str(tmp_path)}, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path))
    assert not (tmp_path / "netlab" / "host" / "vm").exists()


def test_the_kernels_headers_are_taken_out_of_its_module(tmp_path: Path) -> None:
    packed = tmp_path / "headers.tar.xz"
    with tarfile.open(packed, "w:xz") as archive:
        header = tarfile.TarInfo("./include/linux/skbuff.h")
        archive.addfile(header, io.BytesIO())
    module = tmp_path / "kheaders.ko"
    module.write_bytes(b"\x7fELF and more" + packed.read_bytes() + b"symbols behind it")
    guest_app.unpack_headers(module, tmp_path / "build")
    assert (tmp_path / "build" / "include" / "linux" / "skbuff.h").is_file()


def test_bcc_is_promised_where_all_of_it_is_there(tmp_path: Path) -> None:
    kernel = [AbilityReport(ability=ability, works=True, why="") for ability in (Ability.KPROBES, Ability.BTF)]
    for part in BCC_PARTS:
        assert not bcc_of_image(kernel, tmp_path).works
        (tmp_path / part.format(release=os.uname().release)[1:]).mkdir(parents=True)
    assert bcc_of_image(kernel, tmp_path).works
    refused = bcc_of_image([kernel[0].model_copy(update={"works": False}), kernel[1]], tmp_path)
    assert (refused.works, refused.why) == (False, "there is no kprobes")


def test_netlabs_own_bpf_is_built_once_and_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    tree = Path(os.environ.get("NETLAB_ROOTFS_DIR") or rootfs.tree())
    with Progress("test", 1, tmp_path / "log").step("BPF") as building:
        objects = bpf_objects.ensure(building, tree)
        built_at = (objects / "lab_events.bpf.o").stat().st_mtime_ns
        assert bpf_objects.ensure(building, tree) == objects
    assert (objects / "lab_events.bpf.o").stat().st_mtime_ns == built_at
    bpf_objects.copy(objects, tmp_path / "bpf")
    assert (tmp_path / "bpf" / "lab_events.bpf.o").read_bytes().startswith(b"\x7fELF")
    flood = tmp_path / "bpf" / "bin" / "flood"
    assert flood.read_bytes().startswith(b"\x7fELF") and os.access(flood, os.X_OK)
    assert set(bpf_objects.inputs()) <= set(guest_app.inputs()), "a change of it asks for another image"
    assert not list(objects.parent.glob(".bpf-*"))


def test_bpf_that_does_not_compile_says_so_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "broken.bpf.c").write_text("int broken(void) { return nonsense; }\n")
    monkeypatch.setattr(bpf_objects, "SOURCES", sources)
    monkeypatch.setattr(bpf_objects, "inputs", lambda: [])
    tree = Path(os.environ.get("NETLAB_ROOTFS_DIR") or rootfs.tree())
    with pytest.raises(Failed) as failed, Progress("test", 1, tmp_path / "log").step("BPF") as step:
        bpf_objects.ensure(step, tree)
    assert "clang" in failed.value.hint and "nonsense" in (tmp_path / "log").read_text()
    assert [path.name for path in (tmp_path / "netlab" / "bpf").iterdir() if path.is_dir()] == []


def test_the_lock_is_for_the_trees_python() -> None:
    tree = Path(os.environ.get("NETLAB_ROOTFS_DIR") or rootfs.tree())
    assert (tree / "usr" / "bin" / "python3").readlink().name == f"python{guest_app.GUEST_PYTHON}"
    assert checks.GUEST[-1] == guest_app.GUEST_PYTHON


# --- how long it takes


def test_the_estimate_follows_the_pace_of_this_machine() -> None:
    usual = compile_seconds_left(0, 0, 0)
    assert usual == pytest.approx(COMPILE.seconds, rel=0.01)
    slow = compile_seconds_left(0, 500, 500 * 1.0)
    quick = compile_seconds_left(0, 500, 500 * 0.05)
    assert slow > usual > quick
    assert compile_seconds_left(1500, 10, 5) < usual / 2
    assert compile_seconds_left(0, guest_progress.OBJECTS * 2, 60) > 0


def test_progress_is_told_to_the_host_and_to_status(tmp_path: Path) -> None:
    with Teller(tmp_path, "d1", (PACKAGES, COMPILE, ROOT)) as teller:
        teller.begin(COMPILE)
        deadline = time.monotonic() + 5
        while host_side.progress(tmp_path / "d1").doing != COMPILE.doing:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        report = host_side.progress(tmp_path / "d1")
        assert report.state == "building" and report.minutes_left == guest_progress.minutes(COMPILE.seconds + ROOT.seconds)
        assert "compiling the guest kernel" in guest.condition(tmp_path, "d1").text
        assert host_side.progress(tmp_path / "d2").state == "absent", "that is another image's"
    assert host_side.progress(tmp_path / "d1").state == "absent"


def test_a_failure_and_a_cut_off_build_are_told(tmp_path: Path) -> None:
    with pytest.raises(Failed), Teller(tmp_path, "d1", (COMPILE,)):
        raise Failed("`make` ended with code 2")
    report = host_side.progress(tmp_path / "d1")
    assert (report.state, report.doing) == ("failed", "`make` ended with code 2.")
    assert guest.condition(tmp_path, "d1").state == "failed"
    guest_progress.write(tmp_path, "d1", "building", "compiling", 5, at=time.time() - 3600)
    assert host_side.progress(tmp_path / "d1").state == "failed"
    assert guest.condition(tmp_path, "d1").state == "absent"


def test_both_sides_mean_the_same_files() -> None:
    assert host_side.PROGRESS_FILE == guest_progress.PROGRESS_FILE
    assert host_side.SILENT_S == guest_progress.SILENT_S
    assert host_side.PARTS == guest_image.PARTS and host_side.MANIFEST == guest_image.MANIFEST


# --- interruptions, and the background of a running netlab


@pytest.mark.kernel
def test_a_killed_build_leaves_nothing_running() -> None:
    """Else two makes would work in one tree after the next start."""
    mark = f"NETLAB_MARK={secrets.token_hex(8)}"
    words = [*guest_kernel.DIES_WITH_US, "sh", "-c", "setsid sleep 600 & sleep 600"]
    program = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    name, value = mark.split("=")
    build = subprocess.Popen([sys.executable, "-c", program, *words], env={**os.environ, name: value})
    try:
        wait_until(lambda: sum(b"sleep" in line for line in marked(mark)) >= 2)
    finally:
        build.kill()
        build.wait()
    wait_until(lambda: not marked(mark))


def marked(mark: str) -> list[bytes]:
    """Command lines of the processes with this in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "cmdline").read_bytes())
    return found


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_build_runs_once_and_its_coming_and_going_restarts_nothing(tmp_path: Path) -> None:
    instance = Instance("gi", tmp_path, tmp_path / "run", {})
    lasting = [processes.Program("web", "web", "netlab-web"), processes.Program("agent", "agent", "root")]
    build = processes.guest_build(TOP, tmp_path, tmp_path / "guest.log")
    without = processes.write_configuration(instance, TOP, lasting)
    assert processes.write_configuration(instance, TOP, [*lasting, build]) == without
    parser = configparser.RawConfigParser()
    parser.read(processes.configuration(instance))
    assert parser["program:guest"]["autorestart"] == "false" and parser["program:guest"]["startsecs"] == "0"
    assert parser["program:agent"]["autorestart"] == "true"
    assert f"XDG_CACHE_HOME={tmp_path} " in parser["program:guest"]["command"]


# --- the image, and one file of it


def test_an_image_is_found_when_it_is_whole(cache: Path) -> None:
    assert host_side.find_image(guest_paths.image_dir()) is None
    image = make_small_image(cache)
    found = host_side.find_image(image)
    assert found is not None and found.kernel_release == "6.12.0-netlab" and found.root == image / "root.squashfs"
    assert guest.condition(image.parent, image.name).state == "ready"
    with (image / "app.squashfs").open("ab") as file:
        file.write(b"x")
    assert host_side.find_image(image) is None


def test_an_exported_image_arrives_whole(cache: Path, tmp_path: Path) -> None:
    image = make_small_image(cache)
    before = host_side.find_image(image)
    parts = {name: guest_image.sha256(image / name) for name in (*guest_image.PARTS, guest_image.MANIFEST)}
    guest_files.export(tmp_path / "image.tar.zst", lambda text: None)
    shutil.rmtree(cache)
    assert guest_files.import_file(tmp_path / "image.tar.zst", lambda text: None) == image
    assert host_side.find_image(image) == before
    assert {name: guest_image.sha256(image / name) for name in parts} == parts
    assert (guest_paths.kernel_dir() / "build" / "scripts" / "link").is_symlink()
    assert guest_paths.root_squashfs().exists()
    assert not list(image.parent.glob(f"{guest_image.UNFINISHED}*"))
    assert guest_files.import_file(tmp_path / "image.tar.zst", lambda text: None) == image, "again is no mistake"


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_damaged_file_is_refused_and_leaves_nothing(cache: Path, tmp_path: Path, place: float) -> None:
    image, file = make_small_image(cache), tmp_path / "image.tar.zst"
    guest_files.export(file, lambda text: None)
    shutil.rmtree(cache)
    content = bytearray(file.read_bytes())
    content[int(len(content) * place)] ^= 0xFF
    file.write_bytes(content)
    with pytest.raises(Failed, match=r"image\.tar\.zst is damaged") as caught:
        guest_files.import_file(file, lambda text: None)
    assert caught.value.hint == guest_files.AGAIN
    assert not image.exists() and not list(image.parent.iterdir())


def test_a_part_that_is_not_what_was_exported_is_named(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_small_image(cache)
    wrong = hashlib.sha256(b"something else").hexdigest()
    monkeypatch.setattr(guest_files, "sha256", lambda path: wrong if path.name == "root.squashfs" else guest_image.sha256(path))
    guest_files.export(tmp_path / "image.tar.zst", lambda text: None)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    with pytest.raises(Failed, match=r"root\.squashfs is not what was exported"):
        guest_files.import_file(tmp_path / "image.tar.zst", lambda text: None)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x28\xb5\x2f\xfd" + b"\0" * 100])
def test_a_file_that_is_no_image_is_refused(cache: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(Failed, match="damaged or no guest image"):
        guest_files.import_file(tmp_path / "file", lambda text: None)


def test_a_cut_off_file_is_refused(cache: Path, tmp_path: Path) -> None:
    make_small_image(cache)
    file = tmp_path / "image.tar.zst"
    guest_files.export(file, lambda text: None)
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(Failed, match="damaged"):
        guest_files.import_file(file, lambda text: None)


def test_an_image_of_other_code_brings_its_kernel(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host has newer netlab code: its own part is packed anew, nothing is compiled."""
    theirs = make_small_image(cache)
    guest_files.export(tmp_path / "image.tar.zst", lambda text: None)
    shutil.rmtree(cache)
    monkeypatch.setattr(guest_paths, "image_dir", lambda: cache / "guest" / "0123456789abcdef")
    placed = guest_files.import_file(tmp_path / "image.tar.zst", lambda text: None)
    assert placed == theirs != guest_paths.image_dir()
    assert COMPILE not in guest_image.stages() and ROOT not in guest_image.stages()


def test_a_kernel_of_another_version_is_refused(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_small_image(cache)
    guest_files.export(tmp_path / "image.tar.zst", lambda text: None)
    monkeypatch.setattr(guest_paths, "kernel_digest", lambda: "0123456789abcdef")
    with pytest.raises(Failed, match="kernel of another version"):
        guest_files.import_file(tmp_path / "image.tar.zst", lambda text: None)


def test_there_is_nothing_to_export_before_a_build(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(Failed, match="no guest image") as caught:
        guest_files.export(tmp_path / "image.tar.zst", lambda text: None)
    assert "make guest" in caught.value.hint


def test_the_manifest_changes_with_any_part(cache: Path) -> None:
    image = make_small_image(cache)
    before = json.loads((image / "manifest.json").read_text())["digest"]
    (image / "app.squashfs").write_bytes(b"other")
    guest_image.write_manifest(image, "6.12.0-netlab")
    assert json.loads((image / "manifest.json").read_text())["digest"] != before
