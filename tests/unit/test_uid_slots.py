"""Ranges of uids: each run has its own, however often it asks; nothing else lies beside them."""

import os
from pathlib import Path

import pytest

from netlab.host.kernel import uid_slots


@pytest.fixture(autouse=True)
def slots_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(uid_slots, "SLOTS_DIR", tmp_path / "slots")
    return tmp_path / "slots"


def test_each_run_has_one_range_of_its_own(slots_dir: Path) -> None:
    assert [uid_slots.take("here", run, 3).number for run in ("a", "b", "a")] == [0, 1, 0]
    assert uid_slots.take("elsewhere", "a", 3).number == 2
    assert {slot.owner for slot in uid_slots.taken("here")} == {"here a", "here b"}
    with pytest.raises(uid_slots.NoSlotFree):
        uid_slots.take("here", "c", 3)
    assert sorted(os.listdir(slots_dir)) == ["0", "1", "2"]


def test_what_is_given_back_is_free(slots_dir: Path) -> None:
    uid_slots.take("here", "a", 2)
    uid_slots.take("here", "b", 2)
    uid_slots.release("here", "a")
    assert uid_slots.take("here", "c", 2).number == 0
    uid_slots.release("here", "b")
    uid_slots.release("here", "c")
    assert not slots_dir.exists() and not uid_slots.any_taken()
