"""The attendee's files: versions, conflicts between editor, shell and reset; nothing is ever lost."""

import time
from collections.abc import Callable

import pytest

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lifecycle import RunState
from netlab.runs.actions import do_reset_run, do_start_run, do_stop_run
from netlab.runs.choices import FileOrigin
from netlab.runs.files import HISTORY_CHARS_MAX, RUNS_WITH_FILES, VERSIONS_KEPT, do_delete_file, do_write_file
from netlab.runs.inside import do_build_program
from netlab.runs.models import Run, RunFile, RunFileVersion
from netlab.runs.projection import do_host_event
from netlab.wire.commands import FILES_MAX, BuildProgram, DeleteFile, ResetRun, WriteFile
from netlab.wire.events import Announcement, Event, FileChanged, FileSaved, RunStateChanged
from netlab.workshops.models import Attendee
from tests.web.conftest import LAB, FakeHost


@pytest.fixture
def run(attendee: Attendee, host: FakeHost) -> Run:
    run = do_start_run(attendee, LAB)
    do_host_event(RunStateChanged(run=run.pk, generation=1, at=1.0, state=RunState.RUNNING))
    host.nudges()
    run.refresh_from_db()
    return run


@pytest.fixture
def path(run: Run) -> str:
    file = run.files.first()
    assert file is not None
    return file.path


def shell_saves(run: Run, path: str, content: str | None, base: int, entry: str = "", problem: str = "") -> None:
    changed = FileChanged(
        run=run.pk, generation=run.generation, at=time.time(), path=path, content=content, base_version=base, problem=problem
    )
    do_host_event(changed, entry)


def current(run: Run, path: str) -> RunFile:
    return run.files.get(path=path)


def history(run: Run, path: str) -> list[str]:
    return list(RunFileVersion.objects.filter(file__run=run, file__path=path).values_list("content", flat=True))


def test_a_save_gets_a_version_and_goes_to_host_and_browsers(
    run: Run, path: str, host: FakeHost, told: Callable[[Run], list[Event]]
) -> None:
    assert do_write_file(run, path, "// one", 1).version == 2
    (write,) = host.commands()
    assert isinstance(write, WriteFile)
    assert (write.file.version, write.file.content) == (2, "// one")
    saved = told(run)[-1]
    assert isinstance(saved, FileSaved) and (saved.path, saved.version, saved.origin) == (path, 2, "editor")


def test_two_tabs_cannot_lose_each_other_s_work(run: Run, path: str) -> None:
    do_write_file(run, path, "// first tab", 1)
    with pytest.raises(NetlabError) as caught:
        do_write_file(run, path, "// second tab", 1)
    error = caught.value
    assert error.code is ErrorCode.FILE_CONFLICT
    assert error.data == {"path": path, "version": 2, "content": "// first tab"}
    assert current(run, path).content == "// first tab"
    assert do_write_file(run, path, "// both", 2).version == 3


def test_the_same_save_twice_is_one_version(run: Run, path: str) -> None:
    do_write_file(run, path, "// one", 1)
    assert do_write_file(run, path, "// one", 1).version == 2


def test_a_shell_s_change_becomes_a_version(run: Run, path: str, told: Callable[[Run], list[Event]]) -> None:
    shell_saves(run, path, "// by vim", 1)
    assert (current(run, path).version, current(run, path).origin) == (2, FileOrigin.SHELL)
    saved = told(run)[-1]
    assert isinstance(saved, FileSaved) and saved.origin == "shell"
    with pytest.raises(NetlabError):
        do_write_file(run, path, "// the editor did not know", 1)


def test_a_shell_that_saves_quickly_is_no_conflict_with_itself(run: Run, path: str) -> None:
    """The host counts by itself: it may be one ahead, or not have heard of the number that we gave."""
    shell_saves(run, path, "// a", 1)
    shell_saves(run, path, "// b", 2)
    shell_saves(run, path, "// c", 2)
    assert current(run, path).content == "// c"
    assert not run.files.filter(path__endswith=".shell").exists()


def test_editor_and_shell_at_once_keep_both(run: Run, path: str, host: FakeHost, told: Callable[[Run], list[Event]]) -> None:
    do_write_file(run, path, "// the editor's", 1)
    host.nudges()
    shell_saves(run, path, "// the shell's", 1)
    assert current(run, path).content == "// the editor's"
    assert current(run, f"{path}.shell").content == "// the shell's"
    assert any(isinstance(event, Announcement) and f"{path}.shell" in event.text for event in told(run))
    written = {c.file.path: c.file.content for c in host.commands() if isinstance(c, WriteFile)}
    assert written == {path: "// the editor's", f"{path}.shell": "// the shell's"}, "/lab agrees with the database"


def test_the_same_shell_change_told_twice_changes_nothing(run: Run, path: str) -> None:
    shell_saves(run, path, "// by vim", 1, "k/1-0")
    do_write_file(run, path, "// by the editor", 2)
    shell_saves(run, path, "// by vim", 1, "k/1-0")
    assert current(run, path).content == "// by the editor"
    assert not run.files.filter(path__endswith=".shell").exists()


def test_a_shell_makes_and_deletes_files(run: Run, path: str) -> None:
    shell_saves(run, "new.h", "#define X", 0)
    assert current(run, "new.h").version == 1
    shell_saves(run, "new.h", None, 1)
    assert current(run, "new.h").deleted
    do_write_file(run, path, "// newer than the shell knows", 1)
    shell_saves(run, path, None, 1)
    assert not current(run, path).deleted, "a deletion that did not know the editor's save loses"


def test_what_cannot_be_kept_is_said(run: Run, told: Callable[[Run], list[Event]]) -> None:
    shell_saves(run, "core.bin", None, 0, problem="it is not text")
    said = told(run)[-1]
    assert isinstance(said, Announcement) and "it is not text" in said.text
    assert not run.files.filter(path="core.bin").exists()


def test_a_deleted_file_s_text_is_worth_more_than_its_deletion(run: Run, path: str, host: FakeHost) -> None:
    do_delete_file(run, path)
    assert isinstance(host.commands()[0], DeleteFile)
    assert do_write_file(run, path, "// still wanted", 1).version == 3
    with pytest.raises(NetlabError):
        do_delete_file(run, "no-such.c")


def test_versions_are_kept_and_bounded(run: Run, path: str) -> None:
    for number in range(VERSIONS_KEPT + 5):
        do_write_file(run, path, f"// {number}", number + 1)
    kept = history(run, path)
    assert len(kept) == VERSIONS_KEPT
    assert kept[-1] == f"// {VERSIONS_KEPT + 4}"


def test_there_is_a_limit_on_files(run: Run) -> None:
    present = run.files.count()
    for number in range(FILES_MAX - present):
        do_write_file(run, f"f{number}.h", "x", 0)
    with pytest.raises(NetlabError) as caught:
        do_write_file(run, "one-too-many.h", "x", 0)
    assert caught.value.code is ErrorCode.BAD_INPUT


def test_a_file_is_no_folder(run: Run, path: str) -> None:
    do_write_file(run, "include/a.h", "x", 0)
    for wrong in (f"{path}/inside.c", "include"):
        with pytest.raises(NetlabError) as caught:
            do_write_file(run, wrong, "x", 0)
        assert caught.value.code is ErrorCode.BAD_INPUT
    assert do_write_file(run, "include/b.h", "x", 0).version == 1


def test_reset_keeps_files_unless_asked(run: Run, path: str, host: FakeHost) -> None:
    starter = current(run, path).content
    do_write_file(run, path, "// mine", 1)
    do_write_file(run, "extra.h", "x", 0)
    host.nudges()
    do_reset_run(run)
    (reset,) = host.commands()
    assert isinstance(reset, ResetRun) and reset.files is None and reset.generation == 2
    run.refresh_from_db()
    do_host_event(RunStateChanged(run=run.pk, generation=2, at=1.0, state=RunState.RUNNING))
    run.refresh_from_db()
    host.nudges()
    do_reset_run(run, keep_files=False)
    (reset,) = host.commands()
    assert isinstance(reset, ResetRun) and reset.files is not None
    assert path in {f.path for f in reset.files} and "extra.h" not in {f.path for f in reset.files}
    assert current(run, path).content == starter
    assert "// mine" in history(run, path), "what was reset away is still in the history"


def test_files_and_progress_come_along_to_the_next_run(run: Run, path: str, attendee: Attendee, host: FakeHost) -> None:
    do_write_file(run, path, "// mine", 1)
    check = run.checks.all()[0]
    run.checks.filter(pk=check.pk).update(passed=True, ever_passed=True)
    do_stop_run(run)
    do_host_event(RunStateChanged(run=run.pk, generation=2, at=1.0, state=RunState.STOPPED))
    do_write_file(Run.objects.get(pk=run.pk), path, "// after the end", 2)
    again = do_start_run(attendee, LAB)
    assert again.pk != run.pk
    assert (current(again, path).content, current(again, path).version) == ("// after the end", 3)
    row = again.checks.get(step=check.step, check_id=check.check_id)
    assert (row.passed, row.ever_passed) == (False, True)


def test_a_build_carries_what_was_just_saved(run: Run, path: str, host: FakeHost) -> None:
    """Saves take the fast way and builds the other: the build must not be done with the old text."""
    do_write_file(run, path, "// new", 1)
    host.nudges()
    do_build_program(run, run.spec().programs[0].name)
    ((*saves, build),) = host.nudges()
    assert isinstance(build, BuildProgram)
    assert [c.file.content for c in saves if isinstance(c, WriteFile)].count("// new") == 1


def test_a_loop_in_a_shell_does_not_fill_the_database(run: Run, path: str) -> None:
    for number in range(VERSIONS_KEPT):
        shell_saves(run, path, f"{number}\n" + "z" * 60_000, number)
    kept = history(run, path)
    assert sum(map(len, kept)) <= HISTORY_CHARS_MAX and kept[-1].startswith(f"{VERSIONS_KEPT - 1}\n")
    do_write_file(run, path, "small", current(run, path).version)
    assert len(history(run, path)) > 2


def test_starting_and_stopping_again_and_again_does_not_fill_the_database(attendee: Attendee, host: FakeHost) -> None:
    runs: list[Run] = []
    for number in range(RUNS_WITH_FILES + 3):
        again = do_start_run(attendee, LAB)
        do_write_file(again, "mine.c", f"// {number}", 0 if not runs else current(again, "mine.c").version)
        do_host_event(RunStateChanged(run=again.pk, generation=1, at=1.0, state=RunState.FAILED))
        runs.append(again)
    assert current(runs[-1], "mine.c").content == f"// {len(runs) - 1}"
    with_files = RunFile.objects.filter(run__attendee=attendee).values_list("run", flat=True).distinct()
    assert set(with_files) == {r.pk for r in runs[-RUNS_WITH_FILES:]}


def test_a_long_path_that_is_changed_on_both_sides_gets_a_name_that_can_be_kept(run: Run) -> None:
    long = "d" * 113 + "/" + "f.c"
    do_write_file(run, long, "editor", 0)
    shell_saves(run, long, "shell", 0)
    assert current(run, "d" * 113 + ".shell").content == "shell" and current(run, long).content == "editor"
