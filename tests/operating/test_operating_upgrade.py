"""An upgrade from an early schema with data in it keeps every row, on both databases."""

from __future__ import annotations

import pytest
from alembic import command
from sqlalchemy import text

from outreach.errors import ConfigurationError
from outreach.store import migrations
from outreach.store.database import Store

EARLY = "0002"
"""People and campaigns: what there was before anything came back, was rolled up, scheduled or signed."""


@pytest.fixture(params=["sqlite", "postgres"])
def early(request, tmp_path):
    """A store at the early schema."""
    if request.param == "sqlite":
        store = Store.open(f"sqlite:///{tmp_path}/outreach.db")
    else:
        store = Store.open(request.getfixturevalue("postgres_database"))
        with store.write() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    for database, transaction in (("main", store.write), ("events", store.write_events)):
        with transaction() as connection:
            config = migrations._config()
            config.attributes.update(connection=connection, database=database)
            command.upgrade(config, EARLY)
    yield store
    store.close()


def test_every_row_is_kept(early):
    with early.write() as connection:
        for number in range(1, 201):
            person = {"id": number, "address": f"resident{number}@example.org", "attributes": '{"zip": "90210"}'}
            connection.execute(
                text(
                    "INSERT INTO subscriber (id, address, attributes, created_at) "
                    "VALUES (:id, :address, :attributes, :at)"
                ),
                person | {"at": _moment(early)},
            )
            connection.execute(
                text("INSERT INTO profile (subscriber_id, status, locale) VALUES (:id, 1, 'es')"), {"id": number}
            )
        connection.execute(
            text(
                "INSERT INTO campaign (id, name, file, status, rule, plan, plan_hash, frozen, planned_at) "
                "VALUES (1, 'news-1', 'news', 'finished', 'everyone', '{}', '', 200, :at)"
            ),
            {"at": _moment(early)},
        )
        for number in range(1, 201):
            connection.execute(
                text("INSERT INTO delivery (campaign_id, subscriber_id, state, attempts) VALUES (1, :id, 3, 1)"),
                {"id": number},
            )
        before = {
            table: _rows(connection, table) for table in ("subscriber", "profile", "campaign", "delivery", "field")
        }
    assert migrations.revision(early) == EARLY
    migrations.upgrade(early)
    migrations.check(early)
    with early.read() as connection:
        after = {table: _rows(connection, table) for table in before}
    assert after == before
    assert [len(rows) for rows in after.values()] == [200, 200, 1, 200, 3]


def test_a_command_says_what_to_do_until_then(early):
    with pytest.raises(ConfigurationError, match="run `outreach db upgrade`"):
        migrations.check(early)


def _moment(store: Store) -> object:
    return 1_700_000_000_000 if store.is_sqlite else "2026-01-01T00:00:00Z"


def _rows(connection, table: str) -> list[str]:
    return sorted(repr(tuple(row)) for row in connection.execute(text(f"SELECT * FROM {table}")))
