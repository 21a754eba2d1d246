"""Addresses we will not write to, with a reason and a time.

A suppression belongs to the address, not the person: it stands whether or not we know anybody by it,
and only `release` lifts it. Of two reasons the graver stays (`GRAVITY`), so that a bounce never
covers up that somebody asked to be left alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from outreach.store.tables import subscriber, suppression


class Reason(StrEnum):
    """Why we will not write to an address."""

    ERASED = "erased"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    MANUAL = "manual"
    BOUNCE = "bounce"


GRAVITY: Final = tuple(Reason)
"""The gravest first."""
OWN_TO_LIFT: Final = frozenset({Reason.UNSUBSCRIBE, Reason.COMPLAINT})
"""What a person's own wish ends. A bounce ends with a confirmation, for that proves the mail arrived."""


@dataclass(frozen=True, slots=True)
class Suppression:
    address: str
    reason: Reason
    source: str
    at: dt.datetime
    detail: str | None
    subscriber_id: int | None


def suppress(
    connection: Connection, address: str, *, reason: Reason, source: str, at: dt.datetime, detail: str | None = None
) -> bool:
    """Never write to this (normalised) address again. True if that is new, or the reason a graver one.

    The same suppression again changes nothing, so an event may be told twice.
    """
    reason = Reason(reason)
    person = select(subscriber.c.id).where(subscriber.c.address == address).scalar_subquery()
    values = {"reason": reason.value, "source": source, "at": at, "detail": detail}
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    new = dialect.insert(suppression).values(address=address, subscriber_id=person, **values).on_conflict_do_nothing()
    if connection.execute(new.execution_options(preserve_rowcount=True)).rowcount > 0:
        return True
    known = find(connection, address)
    if known is None or GRAVITY.index(known.reason) <= GRAVITY.index(reason):
        return False
    connection.execute(
        update(suppression)
        .where(suppression.c.address == address)
        .values(subscriber_id=func.coalesce(person, known.subscriber_id), **values)
    )
    return True


def release(connection: Connection, address: str) -> bool:
    """Lift a suppression; an administrator's act or the person's own, never an import's. False: there was none."""
    return connection.execute(delete(suppression).where(suppression.c.address == address)).rowcount > 0


def find(connection: Connection, address: str) -> Suppression | None:
    row = connection.execute(select(suppression).where(suppression.c.address == address)).one_or_none()
    if row is None:
        return None
    return Suppression(row.address, Reason(row.reason), row.source, row.at, row.detail, row.subscriber_id)


def is_suppressed(connection: Connection, address: str) -> bool:
    return connection.scalar(select(suppression.c.address).where(suppression.c.address == address)) is not None


def suppressed_among(connection: Connection, addresses: Iterable[str]) -> set[str]:
    """Those of a batch (some hundreds) that are suppressed."""
    found = connection.scalars(select(suppression.c.address).where(suppression.c.address.in_(list(addresses))))
    return set(found)
