"""Segments beside one another: how many people they share, and who would come and go between two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, case, func, not_, select

from outreach.segmentation.counting import limited
from outreach.store.subscribers import ACTIVE
from outreach.store.tables import profile, subscriber

Pattern = tuple[bool, ...]


def patterns(
    connection: Connection, expressions: Sequence[ColumnElement[bool]], *, seconds: float | None = None
) -> Counter[Pattern]:
    """How many active people are in exactly these segments and no other, for each combination that occurs.

    Each rule is asked once, in one pass over the people. TooSlow if that takes longer than `seconds`.
    """
    inside = (
        select(*(case((one, 1), else_=0).label(f"s{number}") for number, one in enumerate(expressions)))
        .where(profile.c.status == ACTIVE)
        .subquery()
    )
    counting = select(*inside.c, func.count()).group_by(*inside.c)
    with limited(connection, seconds):
        rows = connection.execute(counting).all()
    return Counter({tuple(bool(one) for one in row[:-1]): int(row[-1]) for row in rows})


def matrix(found: Counter[Pattern], size: int) -> list[list[int]]:
    """For each pair of segments how many people are in both; on the diagonal, how many are in one."""
    return [
        [sum(count for pattern, count in found.items() if pattern[row] and pattern[column]) for column in range(size)]
        for row in range(size)
    ]


def only_in(
    connection: Connection, first: ColumnElement[bool], second: ColumnElement[bool], *, limit: int
) -> list[str]:
    """Addresses of some who are in the first and not in the second."""
    return people(connection, and_(first, not_(second)), limit=limit)


def people(connection: Connection, expression: ColumnElement[bool], *, limit: int) -> list[str]:
    """Addresses of some whom a rule chooses, always the same ones."""
    chosen = (
        select(profile.c.subscriber_id)
        .where(profile.c.status == ACTIVE, expression)
        .order_by(profile.c.subscriber_id)
        .limit(limit)
        .subquery()
    )
    rows = connection.execute(
        select(subscriber.c.address).join(chosen, chosen.c.subscriber_id == subscriber.c.id).order_by(subscriber.c.id)
    )
    return list(rows.scalars())
