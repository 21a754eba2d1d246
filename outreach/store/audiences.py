"""An audience before it is frozen: who is in it, its people one by one for a gate that renders each, its figures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Select,
    SmallInteger,
    Table,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
)

from outreach.store.dialects import BigId, mapped
from outreach.store.tables import consent, profile, subscriber

BLOCK = 2_000
"""Rows read at a time."""
_sorted = Table(
    "staged_audience",
    MetaData(),
    Column("subscriber_id", BigId, primary_key=True, autoincrement=False),
    Column("reason", SmallInteger),  # the place of the reason that keeps this person out; NULL: none does
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)


@dataclass(frozen=True, slots=True)
class Person:
    """What a message is made of, for one person."""

    subscriber_id: int
    address: str
    attributes: Mapping[str, Any]
    locale: str | None
    joined_at: dt.datetime | None


def sort_out(
    connection: Connection, chosen: ColumnElement[bool], reasons: Mapping[str, ColumnElement[bool]]
) -> tuple[Select[tuple[int]], dict[str, int]]:
    """Whom a test of the profile chooses and no reason keeps out; and how many each reason does, the first that holds.

    Each person is asked once, and the answers are kept aside in this connection until it asks again: who is then
    frozen, counted or rendered is who was sorted here.
    """
    mapped(connection)
    _sorted.drop(connection, checkfirst=True)
    _sorted.create(connection, checkfirst=False)
    why = case(*((test, literal(place)) for place, test in enumerate(reasons.values())))
    asked = select(profile.c.subscriber_id, why).where(chosen).order_by(profile.c.subscriber_id)
    connection.execute(insert(_sorted).from_select(["subscriber_id", "reason"], asked))
    if connection.dialect.name == "postgresql":  # which never looks at temporary tables by itself
        connection.exec_driver_sql("ANALYZE staged_audience")
    kept_out = select(_sorted.c.reason, func.count()).where(_sorted.c.reason.is_not(None)).group_by(_sorted.c.reason)
    counted: dict[int, int] = dict(connection.execute(kept_out).all())
    found = {reason: counted[place] for place, reason in enumerate(reasons) if place in counted}
    # An outer join goes from those sorted to their profiles, never the other way, and to none where none is asked.
    beside = _sorted.outerjoin(profile, profile.c.subscriber_id == _sorted.c.subscriber_id)
    return select(_sorted.c.subscriber_id).select_from(beside).where(_sorted.c.reason.is_(None)), found


def people(connection: Connection, chosen: Select[tuple[int]]) -> Iterator[Person]:
    """Everybody of an audience, in order; memory stays flat."""
    ids = chosen.order_by(None).subquery()
    rows = connection.execute(
        select(subscriber.c.id, subscriber.c.address, subscriber.c.attributes, profile.c.locale, profile.c.joined_at)
        .select_from(subscriber.join(ids, ids.c[0] == subscriber.c.id).join(profile))
        .order_by(subscriber.c.id)
        .execution_options(yield_per=BLOCK)
    )
    for row in rows:
        yield Person(row.id, row.address, row.attributes or {}, row.locale, row.joined_at)


def locales(connection: Connection, chosen: Select[tuple[int]]) -> dict[str, int]:
    """How many people of an audience read each language; those we do not know are not counted."""
    ids = chosen.order_by(None).subquery()
    rows = connection.execute(
        select(profile.c.locale, func.count())
        .select_from(profile.join(ids, ids.c[0] == profile.c.subscriber_id))
        .where(profile.c.locale.is_not(None))
        .group_by(profile.c.locale)
    )
    return {locale: count for locale, count in rows}  # noqa: C416 - a result has keys(), which dict() would take


def without_evidence(connection: Connection, chosen: Select[tuple[int]], *, topic_id: int) -> int:
    """How many people of an audience have no consent on record for a topic (or for everything)."""
    ids = chosen.order_by(None).subquery()
    recorded = exists(
        select(1).where(
            consent.c.subscriber_id == ids.c[0],
            consent.c.given,
            or_(consent.c.topic_id == topic_id, consent.c.topic_id.is_(None)),
        )
    )
    return connection.execute(select(func.count()).select_from(ids).where(~recorded)).scalar_one()
