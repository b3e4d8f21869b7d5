"""Sysctls: only what is weaker is changed, and the last netlab puts everything back. On a copy of the tree."""

from pathlib import Path

import pytest

from netlab.host.kernel import sysctls


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "sys"
    for name, value in {
        "net/ipv4/neigh/default/gc_thresh3": 1024, "net/ipv4/neigh/default/gc_thresh2": 999_999, "kernel/dmesg_restrict": 1,
        "kernel/unprivileged_bpf_disabled": 1, "dev/tty/ldisc_autoload": 1, "net/netfilter/nf_conntrack_max": 262_144,
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{value}\n")
    monkeypatch.setattr(sysctls, "ROOT", root)
    monkeypatch.setattr(sysctls, "RECORD", tmp_path / "run" / "sysctls.json")
    for instance in ("one", "two"):
        (tmp_path / "run" / instance).mkdir(parents=True)
    return root


def values(tree: Path) -> dict[str, int]:
    return {str(p.relative_to(tree)): int(p.read_text()) for p in sorted(tree.rglob("*")) if p.is_file()}


def test_what_is_weaker_is_changed_and_comes_back(tree: Path) -> None:
    before = values(tree)
    assert sysctls.tighten("one") == []
    now = values(tree)
    assert now["net/ipv4/neigh/default/gc_thresh3"] == 65536
    assert now["net/ipv4/neigh/default/gc_thresh2"] == 999_999, "stronger already"
    assert now["kernel/unprivileged_bpf_disabled"] == 1, "cannot be changed back"
    assert (now["dev/tty/ldisc_autoload"], now["net/netfilter/nf_conntrack_max"]) == (0, 16384)
    sysctls.put_back("one")
    assert values(tree) == before
    assert not sysctls.RECORD.exists()


def test_the_last_one_puts_back(tree: Path) -> None:
    before = values(tree)
    sysctls.tighten("one")
    sysctls.tighten("two")
    sysctls.tighten("one")
    sysctls.put_back("one")
    assert values(tree) != before
    sysctls.put_back("two")
    assert values(tree) == before


def test_one_whose_folder_was_removed_does_not_hold_the_others(tree: Path) -> None:
    before = values(tree)
    sysctls.tighten("one")
    sysctls.tighten("two")
    (sysctls.RECORD.parent / "one").rmdir()
    sysctls.put_back("two")
    assert values(tree) == before


def test_a_clean_up_without_a_start_changes_nothing(tree: Path) -> None:
    before = values(tree)
    sysctls.put_back("one")
    assert values(tree) == before and not sysctls.RECORD.exists()
