"""Topics, found by their folded name whatever the spelling, and made when an import names a new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from outreach.addresses import fold
from outreach.store.tables import topic

MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class Topic:
    id: int
    name: str
    department_id: int | None
    message_class: str


def key(name: str) -> str:
    """By which a topic is found. Folding may lengthen a name, and the column is as long as the name's."""
    return fold(name)[:MAX_NAME]


def find(connection: Connection, name: str) -> Topic | None:
    row = connection.execute(select(topic).where(topic.c.key == key(name))).one_or_none()
    return Topic(row.id, row.name, row.department_id, row.message_class) if row else None


def everyone(connection: Connection) -> list[Topic]:
    """All topics, by name."""
    rows = connection.execute(select(topic).order_by(topic.c.name))
    return [Topic(row.id, row.name, row.department_id, row.message_class) for row in rows]


def ensure(connection: Connection, names: Sequence[str]) -> list[int]:
    """The ids of topics, in the order of `names`; those that do not exist are made."""
    known: dict[str, int] = {row.key: row.id for row in connection.execute(select(topic.c.key, topic.c.id))}
    ids = []
    for name in names:
        folded = key(name)
        if folded not in known:
            made = connection.execute(insert(topic).values(name=name, key=folded)).inserted_primary_key
            assert made is not None
            known[folded] = made[0]
        ids.append(known[folded])
    return ids
