"""How far the followers of events and deliveries have read, and the lock that lets one of them write at a time.

A checkpoint moves in the transaction that wrote what was read: after a crash the follower reads on from where its
figures end, and nothing is counted twice or left out.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, bindparam, case, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from outreach.store.tables import checkpoint

_LOCK = "engagement"
"""Its position counts the batches written, so that a second follower notices the first."""


def generation(connection: Connection) -> int:
    """How many batches were written so far."""
    return connection.execute(select(checkpoint.c.position).where(checkpoint.c.name == _LOCK)).scalar() or 0


def locked_generation(connection: Connection) -> int:
    """How many batches were written so far; nobody else can write one until this transaction ends."""
    connection.execute(insert(connection, checkpoint).values(name=_LOCK, position=0).on_conflict_do_nothing())
    row = select(checkpoint.c.position).where(checkpoint.c.name == _LOCK).with_for_update()
    return int(connection.execute(row).scalar_one())


def next_generation(connection: Connection, number: int) -> None:
    move(connection, _LOCK, number + 1)


def move(connection: Connection, name: str, position: int) -> None:
    statement = insert(connection, checkpoint).values(name=name, position=position)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"position": statement.excluded["position"]})
    )


def lock(connection: Connection, name: str) -> None:
    """Wait for whoever holds this name, and keep others waiting until the transaction ends."""
    connection.execute(insert(connection, checkpoint).values(name=name, position=0).on_conflict_do_nothing())
    connection.execute(select(checkpoint.c.position).where(checkpoint.c.name == name).with_for_update()).one()


def positions(connection: Connection, prefix: str) -> dict[str, int]:
    rows = connection.execute(_POSITIONS, {"prefix": prefix})
    return {name.removeprefix(prefix): position for name, position in rows}


_POSITIONS = select(checkpoint.c.name, checkpoint.c.position).where(checkpoint.c.name.startswith(bindparam("prefix")))
"""Built once: it is asked with each batch that is claimed."""


def forget(connection: Connection, *prefixes: str) -> None:
    """Let the followers whose names begin so start over."""
    connection.execute(delete(checkpoint).where(or_(*(checkpoint.c.name.startswith(prefix) for prefix in prefixes))))


def later(column: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
    """The later of two moments. SQLite's max() and PostgreSQL's greatest() disagree about unknown ones."""
    return case((or_(column.is_(None), column < other), other), else_=column)


def insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
