"""The real import of the city's files, in either order, comes to the truth that the city knows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from outreach.practice.city import make_exports
from outreach.store import tables
from outreach.store.database import Store
from outreach.subscribers.importing import import_file


@pytest.fixture
def store(tmp_path) -> Iterator[Store]:
    """Made from the tables as they are declared: this is about the city, not about migrations."""
    store = Store.open(f"sqlite:///{tmp_path}/outreach.db")
    tables.main.create_all(store.main)
    tables.events.create_all(store.events)
    yield store
    store.close()


@pytest.mark.parametrize("turn", [1, -1])
def test_an_import_of_all_files_comes_to_the_truth(turn, store, tmp_path, now):
    city = make_exports(tmp_path / "exports", 600, seed=5)
    for path in city.files[::turn]:
        import_file(store, path, now=now, rejects_folder=tmp_path / "rejects")
    person, suppression, topic, subscription = (
        tables.subscriber,
        tables.suppression,
        tables.topic,
        tables.subscription,
    )
    with store.read() as connection:
        known = set(connection.scalars(select(person.c.address)))
        suppressed = set(connection.scalars(select(suppression.c.address)))
        wanted = connection.execute(
            select(topic.c.name, person.c.address)
            .select_from(subscription)
            .join(topic, topic.c.id == subscription.c.topic_id)
            .join(person, person.c.id == subscription.c.subscriber_id)
            .where(subscription.c.status == 1, person.c.address.not_in(city.opted_out))
        ).all()
    assert known == city.reachable
    assert suppressed == city.opted_out
    assert set(wanted) == {(name, address) for name, everybody in city.subscribed.items() for address in everybody}
