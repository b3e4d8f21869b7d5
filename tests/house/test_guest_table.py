"""docs/guest.md says what the guest's kernel has; tests/guest uses it. Neither says more than the other."""

from pathlib import Path

from tests.guest.features import features

PAGE = Path(__file__).parents[2] / "docs" / "guest.md"
HEAD = "| feature | tried by |"


def test_each_row_is_tried_and_each_trial_is_a_row() -> None:
    table = PAGE.read_text().split(HEAD)[1].split("\n\n")[0].splitlines()[2:]
    rows = [tuple(cell.strip() for cell in row.strip("|").split(" | ")) for row in table]
    assert rows == [(feature.name, feature.tried) for feature in features()]


def test_no_two_features_have_one_name() -> None:
    names = [feature.name for feature in features()]
    assert len(names) == len(set(names))
