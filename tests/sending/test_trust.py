"""A selection of `make trust`, and that each failpoint fires in it."""

from types import ModuleType

import pytest

from outreach.sending.failpoints import POINTS
from tests.trust import kills
from tests.trust.__main__ import FAMILIES, runs


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__.rpartition(".")[2])
def test_nobody_is_lost_and_nobody_twice_whatever_goes_wrong(family: ModuleType) -> None:
    found = list(runs(family, full=False))
    assert found
    assert [run for run in found if not run.good] == []
    if family is kills:
        assert set(POINTS) == set().union(*(run.fired for run in found))
