"""Topics, found by their folded name whatever the spelling, and made when an import names a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from outreach.addresses import fold
from outreach.store.acting import current, require
from outreach.store.permissions import Object, Verb
from outreach.store.tables import department, topic

MAX_NAME = 200
REGULAR: Final = "regular"
STATUTORY: Final = "statutory"
EMERGENCY: Final = "emergency"
"""The classes a topic's messages can have."""
MANDATORY: Final = (STATUTORY, EMERGENCY)
"""They go to people without a subscription, at once: the law or their safety asks for it."""


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
    """The ids of topics, in the order of `names`; those that do not exist are made. ApprovalMissing for who may not."""
    known: dict[str, int] = {row.key: row.id for row in connection.execute(select(topic.c.key, topic.c.id))}
    ids = []
    for name in names:
        folded = key(name)
        if folded not in known:
            made = connection.execute(insert(topic).values(name=name, key=folded)).inserted_primary_key
            assert made is not None
            known[folded] = made[0]
        ids.append(known[folded])
    _permit(connection, ids)
    return ids


def _permit(connection: Connection, ids: Sequence[int]) -> None:
    """ApprovalMissing for who would add people to topics of a department that is not theirs."""
    if not current().is_person:
        return
    for row in connection.execute(select(topic.c.name, topic.c.department_id).where(topic.c.id.in_(ids))):
        require((Verb.CHANGE, Object.PEOPLE), department=row.department_id, what=f"adding people to {row.name}")


def describe(
    connection: Connection, name: str, *, message_class: str, owner: str | None, document: Mapping[str, Any]
) -> bool:
    """Give a topic its class, department and names in other languages; it is made if need be. False: it had them."""
    (topic_id,) = ensure(connection, [name])
    department_id = _department(connection, owner) if owner else None
    wanted = {
        "name": name,
        "message_class": message_class,
        "department_id": department_id,
        "document": dict(document),
    }
    row = connection.execute(select(topic).where(topic.c.id == topic_id)).one()
    if all(getattr(row, column) == value for column, value in wanted.items()):
        return False
    connection.execute(update(topic).where(topic.c.id == topic_id).values(**wanted))
    return True


def _department(connection: Connection, name: str) -> int:
    known = connection.scalar(select(department.c.id).where(department.c.name == name))
    if known is not None:
        return int(known)
    made = connection.execute(insert(department).values(name=name)).inserted_primary_key
    assert made is not None
    number: int = made[0]
    return number
