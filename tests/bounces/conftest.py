"""A small city whose mail comes back, and the desk where it is taken."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from outreach.bounces.policy import Limits
from outreach.store.database import Store
from tests.bounces.returned_mail import KEYS, NearReader, seed
from tracking.bounces.taking import Desk


@pytest.fixture
def city(store: Store) -> Store:
    seed(store)
    return store


@pytest.fixture
def make_desk(tmp_path: Path, now: dt.datetime) -> Callable[[Store], Desk]:
    def make(store: Store) -> Desk:
        return Desk(
            store=store,
            keys=KEYS,
            limits=Limits(),
            domain="city.example",
            folder=tmp_path / "kept",
            clock=lambda: now,
            reader=NearReader(),
        )

    return make
