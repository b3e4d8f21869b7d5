"""Run files: what was accepted is found again, whatever happened in between."""

import asyncio
import time
from pathlib import Path

from netlab.domain.ids import new_command_id, new_run_id
from netlab.domain.lifecycle import RunState
from netlab.host.engine.state import ENDED_KEPT_S, REMEMBERED_COMMANDS, FileState, RunRecord, RunStore
from netlab.wire.commands import OpenStep, StopRun


def record(**more: object) -> RunRecord:
    return RunRecord.model_validate({"run": new_run_id(), "generation": 1, "state": RunState.RUNNING, **more})


async def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    kept = record(files={"a.c": FileState(version=3, content="żółć\n", guessed=True)})
    kept.pending = [
        OpenStep(id=new_command_id(), run=kept.run, generation=1, step="one"),
        StopRun(id=new_command_id(), run=kept.run, generation=2),
    ]
    store = RunStore(tmp_path)
    await store.save(kept)
    assert RunStore(tmp_path).load_all() == [kept]
    assert (tmp_path / f"{kept.run}.json").stat().st_mode & 0o777 == 0o600


async def test_saves_of_one_run_never_overtake_each_other(tmp_path: Path) -> None:
    store, kept = RunStore(tmp_path), record()

    async def save(generation: int) -> None:
        kept.generation = generation
        await store.save(kept, durable=generation % 2 == 0)

    await asyncio.gather(*(save(generation) for generation in range(2, 40)))
    assert store.load_all()[0].generation == 39
    assert not list(tmp_path.glob("*.new"))


async def test_a_broken_file_is_set_aside_and_the_others_are_read(tmp_path: Path) -> None:
    store, kept = RunStore(tmp_path), record()
    await store.save(kept)
    (tmp_path / "r0123456789.json").write_text('{"run": "r01')
    assert [r.run for r in store.load_all()] == [kept.run]
    assert (tmp_path / "r0123456789.unreadable").exists()


async def test_ended_runs_are_remembered_for_a_day(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    yesterday = record(state=RunState.STOPPED, changed_at=time.time() - ENDED_KEPT_S - 1)
    today = record(state=RunState.FAILED)
    long_running = record(changed_at=time.time() - 10 * ENDED_KEPT_S)
    for each in (yesterday, today, long_running):
        await store.save(each)
    assert {r.run for r in store.load_all()} == {today.run, long_running.run}
    assert not (tmp_path / f"{yesterday.run}.json").exists()


def test_only_the_newest_commands_are_remembered() -> None:
    kept = record()
    for number in range(REMEMBERED_COMMANDS + 5):
        kept.remember(f"c{number}")
    assert len(kept.commands) == REMEMBERED_COMMANDS and kept.commands[-1] == f"c{REMEMBERED_COMMANDS + 4}"
