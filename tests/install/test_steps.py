"""Progress and failures as a person sees them, digests, packages: the parts of the installer that need no installation."""

import importlib.util
import pwd
import subprocess
import time
from pathlib import Path

import pytest

from netlab.install import checks, code_folder, content, packages, processes, readiness, rootfs, up
from netlab.install.digests import Stamp, digest_files, walk
from netlab.install.failure import Failed
from netlab.install.progress import Progress, tail
from netlab.wire.redis_names import Keys

TOP = Path(__file__).parents[2]


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    return Progress("up", 2, tmp_path / "log" / "install.log")


def test_steps_are_numbered_and_say_what_they_did(progress: Progress, capsys: pytest.CaptureFixture[str]) -> None:
    with progress.step("First") as step:
        step.run(["true"])
    with progress.step("Second") as step:
        step.note = "nothing missing"
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(" 1/2 First") and first.endswith("done")
    assert second.startswith(" 2/2 Second") and second.endswith("nothing missing")


def test_a_failure_says_which_step_the_last_lines_and_what_to_do(progress: Progress, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Failed) as caught, progress.step("Breaks") as step:
        step.hint = "Do this."
        step.run(["sh", "-c", "echo before; echo the reason; exit 3"])
    progress.failed(caught.value.what, caught.value.hint, caught.value.log)
    said = capsys.readouterr().err
    assert "step 1 of 2, breaks" in said and "ended with code 3" in said
    assert "| the reason" in said and "What to do: Do this." in said


def test_what_ran_too_long_is_ended_with_all_that_it_started(progress: Progress, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(Failed, match="did not end within"), progress.step("Hangs") as step:
        step.run(["sh", "-c", f"sleep 60 & echo $! > {pid}; wait"], timeout_s=0.5)
    deadline = time.monotonic() + 5
    while processes.lives(int(pid.read_text())) and time.monotonic() < deadline:
        time.sleep(0.01)  # killed, it still has to get its turn to die
    assert not processes.lives(int(pid.read_text()))


def test_a_missing_program_is_a_sentence(progress: Progress) -> None:
    with pytest.raises(Failed, match="no-such-program is not there"), progress.step("Misses") as step:
        step.run(["no-such-program"])


def test_output_is_kept_apart_from_the_log(progress: Progress) -> None:
    with progress.step("Asks") as step:
        assert step.output(["sh", "-c", "echo secret; echo shown >&2"]) == "secret\n"
    assert "shown" in progress.log.read_text() and "secret\n" not in progress.log.read_text().replace("echo secret", "")


def test_tail_takes_colours_and_empty_lines_away(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"\x1b[31mred\x1b[0m\n\n \nlast\r\n")
    assert tail(log, 5) == ["red", "last"]


def test_a_digest_sees_names_modes_and_contents(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("x")
    seen = {digest_files(walk(tmp_path), tmp_path)}
    file.chmod(0o755)
    seen.add(digest_files(walk(tmp_path), tmp_path))
    file = file.rename(tmp_path / "b")
    seen.add(digest_files(walk(tmp_path), tmp_path))
    file.write_text("y")
    seen.add(digest_files(walk(tmp_path), tmp_path))
    assert len(seen) == 4


def test_a_stamp_holds_only_its_digest(tmp_path: Path) -> None:
    stamp = Stamp(tmp_path / "deep" / "stamp")
    assert not stamp.holds("1")
    stamp.write("1")
    assert stamp.holds("1") and not stamp.holds("2")
    stamp.remove()
    assert not stamp.holds("1")


def test_every_listed_package_has_its_reason_and_group() -> None:
    lines = [line for line in packages.LIST.read_text().splitlines() if line and not line.startswith(("#", "["))]
    assert all("  # " in line or " # " in line for line in lines)
    assert sorted(packages.listed(["run", "guest", "test", "bench"])) == sorted(line.split()[0] for line in lines)


def test_what_is_missing_is_found_out_from_dpkg() -> None:
    assert packages.missing(["dpkg", "no-such-package-at-all"]) == ["no-such-package-at-all"]


def test_the_key_of_the_hosts_report_is_that_of_streams() -> None:
    assert readiness.report_key("main", "local") == Keys("main").report("local")


def test_code_digest_is_stable_and_blind_to_caches() -> None:
    first = code_folder.digest()
    cache = TOP / "netlab" / "domain" / "__pycache__" / "nothing.pyc"
    cache.parent.mkdir(exist_ok=True)
    cache.write_bytes(b"")
    try:
        assert code_folder.digest() == first
    finally:
        cache.unlink()


def test_a_database_that_root_has_made_becomes_the_web_user_s(tmp_path: Path) -> None:
    database, elsewhere = tmp_path / content.DATABASE, tmp_path / "of_root"
    elsewhere.touch()
    for name in ("", "-wal"):
        (tmp_path / f"{content.DATABASE}{name}").touch()
    (tmp_path / f"{content.DATABASE}-shm").symlink_to(elsewhere)
    (tmp_path / f"{content.DATABASE}-journal").hardlink_to(elsewhere)
    content.hand_over_database(tmp_path, pwd.getpwnam("nobody"))
    nobody = pwd.getpwnam("nobody").pw_uid
    assert [path.stat().st_uid for path in (database, tmp_path / f"{content.DATABASE}-wal")] == [nobody, nobody]
    assert elsewhere.stat().st_uid == 0


def test_the_root_file_system_is_named_by_its_recipe() -> None:
    assert rootfs.tree().parent == rootfs.cache_dir()
    assert rootfs.tree() == rootfs.tree()


def test_a_build_that_was_cut_off_is_removed(tmp_path: Path) -> None:
    partial = tmp_path / "x.partial"
    (partial / "usr").mkdir(parents=True)
    (partial / "proc").mkdir()
    subprocess.run(["mount", "--bind", "/proc", partial / "proc"], check=True)
    rootfs.remove_partial(partial)
    assert not partial.exists() and Path("/proc/self").exists()


def test_a_kernel_s_version_is_compared_as_numbers() -> None:
    assert up.kernel_version("6.1.0-41-amd64") < up.TOKENS_SINCE <= up.kernel_version("6.12.38+deb12-amd64")


def test_every_bench_is_a_module_that_is_there() -> None:
    for module in {module for modules in checks.BENCHES.values() for module in modules}:
        assert importlib.util.find_spec(module), module


def test_the_installer_needs_nothing_but_the_standard_library() -> None:
    """Run by the bare interpreter without site packages, as on a machine that has nothing of ours."""
    done = subprocess.run(
        ["/usr/bin/python3", "-S", "-c", "import netlab.install.__main__, sys; print(*sys.modules)"],
        cwd=TOP, capture_output=True, text=True, check=True,
    )
    assert not {"pydantic", "redis", "django"} & set(done.stdout.split())
