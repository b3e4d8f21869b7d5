"""The attendee's files: the editor's versions reach every node, a shell's changes are told, nobody's work is lost."""

import asyncio
import time

import pytest

from netlab.domain.errors import ErrorCode
from netlab.domain.lifecycle import RunState
from netlab.host.engine.files import TOLD_BYTES_PER_S
from netlab.wire.commands import FILE_BYTES_MAX, DeleteFile, LabFile, WriteFile
from netlab.wire.events import CommandDone, CommandFailed, FileChanged
from tests.contract.kit import Kit, Run

pytestmark = pytest.mark.kernel
FLOOD_S = 20.0
"""Six bursts with a second between them; the bound below is for as long as this at most."""


async def _write(run: Run, path: str, content: str, version: int) -> None:
    command = await run.send(WriteFile, file=LabFile(path=path, content=content, version=version))
    await run.kit.out.told(CommandDone, command=command.id)


async def test_files_of_the_start_and_of_the_editor_are_in_every_node(kit: Kit) -> None:
    run = await kit.start(files={"a.c": "int a;\n", "inc/b.h": "int b;\n"})
    for terminal in run.terminals:
        await run.prompt(terminal)
    await run.shell(run.terminals[1], "cat /lab/a.c /lab/inc/b.h", "int b;")
    await _write(run, "a.c", "int edited;\n", 2)
    for terminal in run.terminals:
        await run.shell(terminal, "cat /lab/a.c", "int edited;")
    await _write(run, "a.c", "int late;\n", 1)
    await run.shell(run.terminals[0], "cat /lab/a.*; stat -c '%U-%a' /lab/a.c", "root-644")
    assert b"late" not in kit.out.output[run.terminals[0]]
    command = await run.send(DeleteFile, path="a.c")
    await kit.out.told(CommandDone, command=command.id)
    await run.shell(run.terminals[1], "ls /lab/a.c 2>&1", "No such file")
    await asyncio.sleep(0.4)
    assert kit.out.of(FileChanged) == [], "what came from above is not told back"


async def test_a_shells_changes_are_told_once_with_the_version_they_are_based_on(kit: Kit) -> None:
    run = await kit.start(files={"a.c": "int a;\n"})
    client = run.terminals[0]
    await run.shell(client, "echo '// more' >> /lab/a.c; echo do''ne", "done")
    changed = await kit.out.told(FileChanged, path="a.c")
    assert (changed.content, changed.base_version, changed.problem) == ("int a;\n// more\n", 1, "")
    await run.shell(client, "mkdir -p /lab/sub/dir; echo new > /lab/sub/dir/new.txt; echo do''ne", "done")
    assert (await kit.out.told(FileChanged, path="sub/dir/new.txt")).base_version == 0
    await run.shell(client, "echo again >> /lab/sub/dir/new.txt; echo do''ne", "done")
    assert (await kit.out.told(FileChanged, path="sub/dir/new.txt", base_version=1)).content == "new\nagain\n"
    await run.shell(client, "rm /lab/a.c; echo do''ne", "done")
    assert (await kit.out.told(FileChanged, path="a.c", content=None)).base_version == 2
    assert len(kit.out.of(FileChanged)) == 4


async def test_the_database_has_the_last_word_on_a_guessed_version(kit: Kit) -> None:
    run = await kit.start(files={"a.c": "int a;\n"})
    await run.shell(run.terminals[0], "echo shell > /lab/a.c; echo do''ne", "done")
    await kit.out.told(FileChanged, path="a.c", content="shell\n")
    await _write(run, "a.c", "editor\n", 2)
    await run.shell(run.terminals[0], "cat /lab/a.c", "editor")


async def test_editors_detours_objects_and_links_are_not_told(kit: Kit) -> None:
    run = await kit.start(files={"a.c": "int a;\n"})
    line = (
        "cd /lab; vi -es -c 's/int/long/' -c wq a.c; cp /bin/true prog; touch a.o .hidden x~ '#a#' 'sp ace';"
        " ln -s /etc/passwd link.txt; ln -s /etc etc; mkfifo fifo; echo do''ne"
    )
    await run.shell(run.terminals[0], line, "done")
    await kit.out.told(FileChanged, path="a.c", content="long a;\n")
    await asyncio.sleep(0.5)
    assert [e.path for e in kit.out.of(FileChanged)] == ["a.c"]


async def test_what_cannot_be_kept_is_told_with_the_reason(kit: Kit) -> None:
    run = await kit.start()
    big = f"head -c {FILE_BYTES_MAX + 1} /dev/zero | tr '\\0' x > /lab/.big; mv /lab/.big /lab/big.txt"  # there at once
    line = f"{big}; printf '\\377\\376' > /lab/raw.bin; echo do''ne"
    await run.shell(run.terminals[0], line, "done")
    told = await kit.out.told(FileChanged, path="big.txt")
    raw = await kit.out.told(FileChanged, path="raw.bin")
    assert told.content is None and "64 KiB" in told.problem
    assert raw.content is None and "not text" in raw.problem
    await run.shell(run.terminals[0], "for i in $(seq 80); do echo $i > /lab/f$i.txt; done; echo re''ady", "ready")
    def kept() -> int:
        return sum(e.content is not None for e in kit.out.of(FileChanged))

    await kit.out.until(lambda: kept() >= 63, "as many files as are kept")
    await asyncio.sleep(0.6)
    assert kept() == 63, "64 with the starter's"


async def test_a_locked_file_does_not_hide_the_others(kit: Kit, caplog: pytest.LogCaptureFixture) -> None:
    run = await kit.start()
    lease = '$SIG{IO} = "IGNORE"; open(F, "+>", "/lab/a.c"); fcntl(F, 1024, 1) or die; print "he" . "ld\\n"; sleep 60'
    await run.shell(run.terminals[0], f"perl -e '$| = 1; {lease}' &", "held")
    await run.shell(run.terminals[0], "echo 1 > /lab/b.c; echo do''ne", "done")
    assert (await kit.out.told(FileChanged, path="b.c")).content == "1\n"
    assert not [record for record in caplog.records if record.exc_info], "no traceback for an attendee's prank"


async def test_a_flood_of_changes_is_told_at_a_bounded_rate(kit: Kit) -> None:
    """One loop in a shell must fill neither Redis nor the database, nor keep the projector from everybody else."""
    run = await kit.start()
    loop = 'for (1..6) { for $i (1..50) { open(F, ">", "/lab/x$i.c"); print F $_ . "z" x 64000 } sleep 1 } print "do" . "ne\\n"'
    began = time.monotonic()
    run.type(run.terminals[0], f"perl -e '{loop}'\n")
    await kit.out.said(run.terminals[0], b"done")
    told = sum(len(e.content or "") for e in kit.out.of(FileChanged))
    late_s = max(time.monotonic() - began - FLOOD_S, 0)  # who takes longer has paid for more
    assert told <= 3 * 50 * 64_010 + late_s * TOLD_BYTES_PER_S, "two bursts at most; the last state is told when it is paid for"


async def test_a_link_swapped_in_does_not_lead_a_write_out_of_the_folder(kit: Kit) -> None:
    run = await kit.start(files={"inc/b.h": "int b;\n", "a.c": "int a;\n"})
    await run.shell(run.terminals[0], "cd /lab; rm -r inc a.c; ln -s /tmp inc; ln -s /etc/hostname a.c; echo do''ne", "done")
    refused = await run.send(WriteFile, file=LabFile(path="inc/b.h", content="int out;\n", version=5))
    assert (await kit.out.told(CommandFailed, command=refused.id)).error.code is ErrorCode.FILE_CONFLICT
    await _write(run, "a.c", "int in;\n", 5)
    await run.shell(run.terminals[0], "cat /lab/a.c; ls /tmp; stat -c %F /lab/a.c", "regular file")


async def test_a_full_folder_is_told_and_the_old_file_stays(kit: Kit) -> None:
    run = await kit.start(files={"a.c": "int a;\n"})
    await run.shell(run.terminals[0], "cat /dev/zero > /lab/.fill 2>/dev/null; echo do''ne", "done")
    command = await run.send(WriteFile, file=LabFile(path="a.c", content="x" * 60_000, version=2))
    failed = await kit.out.told(CommandFailed, command=command.id)
    assert failed.error.code is ErrorCode.FILES_FULL and "MiB" in failed.error.hint
    await run.shell(run.terminals[0], "cat /lab/a.c", "int a;")


async def test_the_last_edit_is_told_before_the_folder_goes(kit: Kit) -> None:
    run = await kit.start()
    run.type(run.terminals[0], "echo last > /lab/last.txt; echo do''ne\n")
    await kit.out.said(run.terminals[0], b"done")
    await run.stop()
    kinds = [e.kind for e in kit.out.events if e.kind == "file_changed" or getattr(e, "state", None) is RunState.STOPPED]
    assert kinds == ["file_changed", "run_state"]
