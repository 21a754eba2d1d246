"""A selection of `make trust`, and that each failpoint fires in it."""

from outreach.sending.failpoints import POINTS
from tests.trust.__main__ import NAMES, runs


def test_nobody_is_lost_and_nobody_twice_whatever_goes_wrong() -> None:
    found = list(runs(full=False))
    assert [run for run in found if not run.good] == []
    assert set(POINTS) == set().union(*(run.fired for run in found))
    assert {run.fault for run in found} >= set(NAMES) - {"F-27", "F-31", "F-33"}  # these are in the full run only
