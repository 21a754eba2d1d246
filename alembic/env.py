"""How alembic reaches our two databases. `outreach db upgrade` runs this; so does `alembic` in a checkout.

Every revision is applied twice, to the main database and to the events database, each with its own
version table; `database` in the migration context says which of the two it is. A released revision is
never edited: a new one is added, and keeps every row (docs/administration.md, "An upgrade").
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from outreach.store import tables

METADATA = {"main": tables.main, "events": tables.events}
VERSION_TABLE = {"main": "alembic_version", "events": "alembic_version_events"}


def run(connection: Connection, database: str) -> None:
    context.configure(
        connection=connection,
        target_metadata=METADATA[database],
        version_table=VERSION_TABLE[database],
        database=database,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes
if "connection" in given:
    run(given["connection"], given["database"])
else:
    from outreach.settings import load_settings
    from outreach.store.database import Store

    store = Store.open(load_settings().database_url)
    for database, transaction in (("main", store.write), ("events", store.write_events)):
        with transaction() as connection:
            run(connection, database)
