"""The history and the tables are the same thing, on both databases."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.schema import SchemaItem

from outreach.store import migrations, tables
from outreach.store.database import Store


def differences(store: Store, database: str) -> list:
    """What alembic would have to change to make this database equal to the tables."""
    transaction = store.write if database == "main" else store.write_events
    metadata = tables.main if database == "main" else tables.events

    def ours(one: SchemaItem, name: str, kind: str, _reflected: bool, _other: object) -> bool:
        # On PostgreSQL both live together: the other's tables, partitions and version tables are not strangers.
        here = "sqlite" if store.is_sqlite else "postgresql"
        return one.info.get("only", here) == here and (kind != "table" or name in metadata.tables)

    with transaction() as connection:
        return compare_metadata(MigrationContext.configure(connection, opts={"include_object": ours}), metadata)


def test_all_revisions_together_make_exactly_the_tables(store: Store) -> None:
    assert (differences(store, "main"), differences(store, "events")) == ([], [])


def test_upgrading_again_changes_nothing_and_the_check_agrees(store: Store) -> None:
    migrations.upgrade(store)
    migrations.check(store)
    assert differences(store, "main") == []
