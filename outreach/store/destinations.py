"""Where an audience's mail goes, and how fast it went last time: what an estimate is made of."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, func, select

from outreach.store.campaigns import OURS
from outreach.store.tables import campaign, delivery, subscriber

ENOUGH = 500
"""People of a campaign whose speed tells anything."""
LOOKED_AT = 5
"""Campaigns; the fastest of them had the fewest retries and the least night in it."""


def by_domain(connection: Connection, campaign_id: int) -> dict[str, int]:
    """How many of a campaign's people have their address at each domain."""
    domain = _domain(connection)
    rows = connection.execute(
        select(domain, func.count())
        .select_from(delivery.join(subscriber, subscriber.c.id == delivery.c.subscriber_id))
        .where(delivery.c.campaign_id == campaign_id)
        .group_by(domain)
    )
    return {name: count for name, count in rows}  # noqa: C416 - a result has keys(), which dict() would take


def pace(connection: Connection) -> float | None:
    """Messages a second of the fastest among the latest campaigns; None while none was large enough to tell."""
    rows = connection.execute(
        select(campaign.c.frozen, campaign.c.started_at, campaign.c.finished_at)
        .where(OURS, campaign.c.finished_at.is_not(None), campaign.c.started_at.is_not(None))
        .where(campaign.c.frozen >= ENOUGH)
        .order_by(campaign.c.id.desc())
        .limit(LOOKED_AT)
    )
    speeds = [row.frozen / max((row.finished_at - row.started_at).total_seconds(), 1.0) for row in rows]
    return max(speeds, default=None)


def _domain(connection: Connection) -> ColumnElement[str]:
    address = subscriber.c.address
    if connection.dialect.name == "sqlite":
        return func.substr(address, func.instr(address, "@") + 1)
    return func.split_part(address, "@", 2)
