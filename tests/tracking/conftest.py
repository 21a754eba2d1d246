"""A running service, and a store with residents in it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from sqlalchemy import insert

from outreach.store import tables
from outreach.store.database import Store
from tracking.testing import Service, running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for a module's tests; each test uses subscribers of its own."""
    with running(tmp_path_factory.mktemp("service")) as found:
        yield found


@pytest.fixture
def city(store: Store) -> Store:
    """Three residents who get mail about parking (topic 3) and parks (topic 4); campaign 1 is about parking."""
    seed(store)
    return store


@pytest.fixture
def sqlite_city(sqlite_store: Store) -> Store:
    seed(sqlite_store)
    return sqlite_store


def seed(store: Store, *, people: int = 3) -> None:
    at = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    names = ["ada@example.com", "grace@example.com", "mary@example.com"]
    names += [f"resident{number}@example.com" for number in range(len(names) + 1, people + 1)]
    with store.write() as connection:
        for number, name in ((3, "Parking & street sweeping"), (4, "Parks")):
            connection.execute(insert(tables.topic).values(id=number, name=name, key=name.lower()))
        connection.execute(
            insert(tables.subscriber),
            [{"id": n, "address": name, "attributes": {}, "created_at": at} for n, name in enumerate(names, 1)],
        )
        connection.execute(
            insert(tables.subscription),
            [
                {"topic_id": topic, "subscriber_id": n, "status": 1, "changed_at": at}
                for topic in (3, 4)
                for n in range(1, len(names) + 1)
            ],
        )
        connection.execute(
            insert(tables.campaign).values(
                id=1,
                name="sweeping-1",
                file="campaigns/sweeping.md",
                topic_id=3,
                status="sent",
                rule="",
                plan={},
                plan_hash="",
                frozen=3,
                planned_at=at,
            )
        )
