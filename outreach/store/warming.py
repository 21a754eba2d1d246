"""How much a new sending domain or address has sent to each provider, day by day."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Connection, select

from outreach.store.checkpoints import insert
from outreach.store.tables import warmup


@dataclass(frozen=True, slots=True)
class Day:
    """One day's attempts, and how many of them the provider put off."""

    day: dt.date
    sent: int
    deferred: int


def days(connection: Connection, source: str, provider: str) -> list[Day]:
    """Every day on which something was sent, in order."""
    rows = connection.execute(
        select(warmup.c.day, warmup.c.sent, warmup.c.deferred)
        .where(warmup.c.source == source, warmup.c.provider == provider)
        .order_by(warmup.c.day)
    )
    return [Day(*row) for row in rows]


def count(
    connection: Connection, source: str, provider: str, day: dt.date, *, sent: int = 0, deferred: int = 0
) -> None:
    """Add to a day's figures; negative where what was counted did not happen after all."""
    statement = insert(connection, warmup).values(
        source=source, provider=provider, day=day, sent=max(0, sent), deferred=deferred
    )
    more = {"sent": warmup.c.sent + sent, "deferred": warmup.c.deferred + deferred}
    connection.execute(statement.on_conflict_do_update(index_elements=["source", "provider", "day"], set_=more))
