"""One guest is booted and everything that docs/guest.md promises of its kernel is used in it, one test a row of the table."""

import pytest

from tests.guest.boot import LIMIT_S, Guest, Guests, Report
from tests.guest.features import Feature, features, files, script

pytestmark = pytest.mark.kernel
FEATURES = features()
GUEST = Guest(script(), files)


@pytest.fixture(scope="module")
def report(guests: Guests) -> Report:
    return guests.report(GUEST)


@pytest.mark.timeout(LIMIT_S + 60)
@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_feature(report: Report, feature: Feature) -> None:
    number = str(FEATURES.index(feature))
    assert number in report.passed, report.failed.get(number) or report.explain()
