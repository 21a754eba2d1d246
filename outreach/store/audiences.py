"""An audience before it is frozen: its people one by one, for a gate that renders every row, and its figures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, exists, func, or_, select

from outreach.store.tables import consent, profile, subscriber

BLOCK = 2_000
"""Rows read at a time."""


@dataclass(frozen=True, slots=True)
class Person:
    """What a message is made of, for one person."""

    subscriber_id: int
    address: str
    attributes: Mapping[str, Any]
    locale: str | None
    joined_at: dt.datetime | None


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
