"""The people who work with Outreach. Their token is theirs alone: the store holds what verifies it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

from outreach.addresses import fold
from outreach.errors import UsageError
from outreach.store.tables import staff

ROLES = ("reader", "author", "approver", "administrator")


@dataclass(frozen=True, slots=True)
class Member:
    """One of the staff."""

    id: int
    name: str
    address: str
    role: str
    public_key: bytes


_COLUMNS = [staff.c[name] for name in Member.__slots__]


def add(connection: Connection, name: str, *, address: str, role: str, public_key: bytes, now: dt.datetime) -> Member:
    """UsageError when somebody of that name is there already."""
    if find(connection, name):
        raise UsageError(f"{name} is one of the staff already; see `outreach users list`")
    made = connection.execute(
        insert(staff).values(
            name=name, key=fold(name), address=address, role=role, public_key=public_key, created_at=now
        )
    ).inserted_primary_key
    assert made is not None
    return Member(made[0], name, address, role, public_key)


def find(connection: Connection, name: str) -> Member | None:
    """By name, whatever the spelling; who has left is not found."""
    row = connection.execute(
        select(*_COLUMNS).where(staff.c.key == fold(name), staff.c.left_at.is_(None))
    ).one_or_none()
    return Member(**row._mapping) if row else None


def holder(connection: Connection, public_key: bytes) -> Member | None:
    """Whose token has this public key."""
    row = connection.execute(
        select(*_COLUMNS).where(staff.c.public_key == public_key, staff.c.left_at.is_(None))
    ).one_or_none()
    return Member(**row._mapping) if row else None


def key_of(connection: Connection, name: str) -> bytes | None:
    """What verifies somebody's signatures, also after they have left."""
    return connection.execute(select(staff.c.public_key).where(staff.c.key == fold(name))).scalar_one_or_none()


def since(connection: Connection) -> dt.datetime | None:
    """When the first of the staff was added; None while there is nobody."""
    first: dt.datetime | None = connection.execute(select(func.min(staff.c.created_at))).scalar_one()
    return first


def everyone(connection: Connection) -> list[Member]:
    rows = connection.execute(select(*_COLUMNS).where(staff.c.left_at.is_(None)).order_by(staff.c.name))
    return [Member(**row._mapping) for row in rows]


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(staff).where(staff.c.left_at.is_(None))).scalar_one()


def leave(connection: Connection, member: Member, *, now: dt.datetime) -> None:
    """Their token is worth nothing from now on; what they signed stays signed."""
    connection.execute(update(staff).where(staff.c.id == member.id).values(left_at=now))
