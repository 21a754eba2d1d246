"""Databases as released versions wrote them: `releases/NNNN.json.gz`, by the revision that the release ended with.

A file holds every row of a practice run (invented people only), as JSON that both databases can be filled with, and
what the release itself answered about it. `releases/revisions.txt` has the fingerprint of each released revision.
`record_release.py` writes both.
"""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import JSONB

from outreach.store import migrations
from outreach.store.database import Store
from outreach.store.dialects import Instant

FOLDER = Path(__file__).parent / "releases"
REVISIONS = FOLDER / "revisions.txt"
Row = list[Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """How a value is kept in a database, as JSON, and made of JSON again. Apart from the tables, which may change."""

    type: sa.types.TypeEngine[Any]
    saved: Callable[[Any], Any]
    loaded: Callable[[Any], Any]


KINDS = {
    "": Kind(sa.types.NullType(), lambda value: value, lambda value: value),
    "boolean": Kind(sa.Boolean(), lambda value: value, lambda value: value),
    "instant": Kind(Instant(), lambda at: at.astimezone(dt.UTC).isoformat(), dt.datetime.fromisoformat),
    "date": Kind(sa.Date(), lambda day: day.isoformat(), dt.date.fromisoformat),
    "bytes": Kind(sa.LargeBinary(), lambda content: bytes(content).hex(), bytes.fromhex),
    # In a list, for JSON's null is a value; read as text, for the drivers take it for none.
    "document": Kind(
        sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql"),
        lambda text: [json.loads(text)],
        lambda listed: sa.JSON.NULL if listed == [None] else listed[0],
    ),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A table of a released database. `database` is main or events; each of `columns` has a kind."""

    database: str
    name: str
    columns: dict[str, str]
    rows: list[Row]

    def of(self, names: Collection[str]) -> Kept:
        """Only these columns."""
        chosen = [place for place, name in enumerate(self.columns) if name in names]
        columns = {name: kind for name, kind in self.columns.items() if name in names}
        return Kept(self.database, self.name, columns, in_order([row[place] for place in chosen] for row in self.rows))

    def each(self) -> Iterator[dict[str, Any]]:
        """The rows as JSON has them, by the names of their columns."""
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows)

    def now(self, store: Store) -> list[Row]:
        """These columns of every row that is there now."""
        with self._transaction(store) as connection:
            return rows_of(connection, self.name, self.columns)

    def clear(self, store: Store) -> None:
        with self._transaction(store) as connection:
            connection.execute(sa.delete(sa.table(self.name)))

    def fill(self, store: Store) -> None:
        """Put the rows into their table, which is empty."""
        table = sa.table(self.name, *(sa.column(name, KINDS[kind].type) for name, kind in self.columns.items()))
        loads = [(name, KINDS[kind].loaded) for name, kind in self.columns.items()]
        rows = [
            {name: value if value is None else loaded(value) for (name, loaded), value in zip(loads, row, strict=True)}
            for row in self.rows
        ]
        with self._transaction(store) as connection:
            if rows:
                connection.execute(sa.insert(table), rows)
            if rows and not store.is_sqlite and "id" in self.columns:
                _count_on(connection, self.name)

    def _transaction(self, store: Store) -> AbstractContextManager[Connection]:
        return store.write() if self.database == "main" else store.write_events()


@dataclass(frozen=True, slots=True)
class Release:
    """`counts` are rules and how many people each chose; `report` is what was said of one campaign."""

    revision: str
    tables: tuple[Kept, ...]
    counts: dict[str, int]
    report: dict[str, Any]


def fill(store: Store, tables: Iterable[Kept]) -> None:
    """Fill tables, parents first, in place of what the revisions themselves put there."""
    wanted = list(tables)
    for table in reversed(wanted):
        table.clear(store)
    for table in wanted:
        table.fill(store)


def rows_of(connection: Connection, name: str, columns: dict[str, str]) -> list[Row]:
    """Every row as JSON keeps it, in an order that does not depend on the database."""
    asked = [
        sa.cast(sa.column(column), sa.Text) if kind == "document" else sa.column(column, KINDS[kind].type)
        for column, kind in columns.items()
    ]
    saves = [KINDS[kind].saved for kind in columns.values()]
    found = connection.execute(sa.select(*asked).select_from(sa.table(name)))
    return in_order(
        [value if value is None else saved(value) for saved, value in zip(saves, row, strict=True)] for row in found
    )


def in_order(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


@cache
def releases() -> dict[str, Release]:
    """Each by its revision."""
    return {found.revision: found for found in map(_read, sorted(FOLDER.glob("*.json.gz")))}


def _read(path: Path) -> Release:
    document = json.loads(gzip.decompress(path.read_bytes()))
    kept = tuple(Kept(**table) for table in document.pop("tables"))
    return Release(**document, tables=kept)


def upgrade_to(store: Store, revision: str) -> None:
    """Bring the schema to a revision of before."""
    for database, transaction in (("main", store.write), ("events", store.write_events)):
        with transaction() as connection:
            config = migrations._config()
            config.attributes.update(connection=connection, database=database)
            command.upgrade(config, revision)


def tables_in(store: Store) -> dict[str, set[str]]:
    """The tables there are now, with their columns."""
    found: dict[str, set[str]] = {}
    for transaction in (store.read, store.read_events):
        with transaction() as connection:
            inspector = sa.inspect(connection)
            for name in inspector.get_table_names():
                found[name] = {column["name"] for column in inspector.get_columns(name)}
    return found


def revision_files() -> dict[str, Path]:
    return {path.name: path for path in sorted((migrations._folder() / "versions").glob("[0-9]*.py"))}


def fingerprint(path: Path) -> str:
    """A hash of what a revision says: not of its empty lines, and lines of remarks."""
    lines = map(str.rstrip, path.read_text("utf-8").splitlines())
    said = [line for line in lines if line and not line.lstrip().startswith("#")]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def _count_on(connection: Connection, name: str) -> None:
    """What PostgreSQL counts goes on after the highest number there is."""
    sequence = connection.execute(sa.text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": name}).scalar()
    if sequence:
        highest = sa.select(sa.func.max(sa.column("id"))).select_from(sa.table(name)).scalar_subquery()
        connection.execute(sa.select(sa.func.setval(sequence, highest)))
