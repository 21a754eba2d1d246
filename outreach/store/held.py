"""Unsubscribes that look like a scanner's: held for a person's eye, never lost.

They came amid a burst of clicks on everything in the mail. Nobody has to look: after HOLD_DAYS they take effect.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from outreach.events import Event, Kind
from outreach.store import tables
from outreach.store.dialects import to_ms
from outreach.store.events import Held, take_effect

HOLD_DAYS = 3
"""So long it may wait; then it takes effect: better one who has to come back than one who cannot leave."""


@dataclass(frozen=True, slots=True)
class HeldUnsubscribe:
    """An unsubscribe that waits for review."""

    id: int
    at: dt.datetime
    address: str
    campaign: str


def held(connection: Connection) -> list[HeldUnsubscribe]:
    """Unsubscribes that wait for review, oldest first."""
    feedback, subscriber, campaign = tables.feedback, tables.subscriber, tables.campaign
    rows = connection.execute(
        select(feedback.c.id, feedback.c.at, subscriber.c.address, campaign.c.name)
        .outerjoin(subscriber, subscriber.c.id == feedback.c.subscriber_id)
        .outerjoin(campaign, campaign.c.id == feedback.c.campaign_id)
        .where(feedback.c.held == Held.WAITING.value)
        .order_by(feedback.c.at, feedback.c.id)
    )
    return [HeldUnsubscribe(row.id, row.at, row.address or "", row.name or "") for row in rows]


def settle_held(connection: Connection, number: int, *, accept: bool) -> bool:
    """Let a held unsubscribe take effect, or dismiss it as a scanner's. False if it does not wait (any more)."""
    feedback = tables.feedback
    state = Held.ACCEPTED if accept else Held.DISMISSED
    mine = (feedback.c.id == number) & (feedback.c.held == Held.WAITING.value)
    row = connection.execute(select(feedback).where(mine).with_for_update()).first()
    if row is None:
        return False
    connection.execute(update(feedback).where(mine).values(held=state.value))
    if accept:
        event = Event(
            spool=row.spool,
            sequence=row.sequence,
            kind=Kind(row.kind),
            at_ms=to_ms(row.at),
            campaign_id=row.campaign_id,
            subscriber_id=row.subscriber_id,
            flags=row.flags,
            detail=row.detail or "",
        )
        take_effect(connection, event)
    return True


def accept_overdue(connection: Connection, *, now: dt.datetime) -> int:
    """Let unsubscribes take effect that nobody has looked at for HOLD_DAYS. How many."""
    before = now - dt.timedelta(days=HOLD_DAYS)
    return sum(settle_held(connection, one.id, accept=True) for one in held(connection) if one.at < before)
