"""Events held for a person's eye, never lost.

Unsubscribes amid a burst of clicks on everything in the mail look like a scanner's. Nobody has to look:
after HOLD_DAYS they take effect. Complaints and bounces beyond MOST_SHARE of the list within an hour look
like a service gone mad, or somebody who got hold of a secret: these wait until a person has decided.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Connection, func, or_, select, update

from outreach.events import Event, Kind
from outreach.store import tables
from outreach.store.dialects import to_ms
from outreach.store.events import Held, take_effect

HOLD_DAYS = 3
"""So long it may wait; then it takes effect: better one who has to come back than one who cannot leave."""


MOST_SHARE, MOST_PEOPLE = 0.02, 50
"""Complaints and bounces an hour that take effect by themselves: the larger of the two."""
_SUPPRESSING = (Kind.COMPLAINT.value, Kind.BOUNCE.value)


@dataclass(frozen=True, slots=True)
class HeldEvent:
    """An event that waits for review."""

    id: int
    kind: Kind
    at: dt.datetime
    address: str
    campaign: str


def held(connection: Connection) -> list[HeldEvent]:
    """Events that wait for review, oldest first."""
    feedback, subscriber, campaign = tables.feedback, tables.subscriber, tables.campaign
    rows = connection.execute(
        select(feedback.c.id, feedback.c.kind, feedback.c.at, subscriber.c.address, campaign.c.name)
        .outerjoin(subscriber, subscriber.c.id == feedback.c.subscriber_id)
        .outerjoin(campaign, campaign.c.id == feedback.c.campaign_id)
        .where(feedback.c.held == Held.WAITING.value)
        .order_by(feedback.c.at, feedback.c.id)
    )
    return [HeldEvent(row.id, Kind(row.kind), row.at, row.address or "", row.name or "") for row in rows]


def settle_held(connection: Connection, number: int, *, accept: bool) -> bool:
    """Let a held event take effect, or dismiss it. False if it does not wait (any more)."""
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
    overdue = [one for one in held(connection) if one.kind is Kind.UNSUBSCRIBE and one.at < before]
    return sum(settle_held(connection, one.id, accept=True) for one in overdue)


def too_many(connection: Connection, event: Event, *, now: dt.datetime) -> bool:
    """Whether so many complaints and bounces took effect within the last hour that this one has to wait."""
    if event.kind not in _SUPPRESSING:
        return False
    feedback = tables.feedback
    lately = connection.execute(
        select(func.count(feedback.c.subscriber_id.distinct())).where(
            feedback.c.kind.in_(_SUPPRESSING),
            feedback.c.at > now - dt.timedelta(hours=1),
            or_(feedback.c.held.is_(None), feedback.c.held == Held.ACCEPTED.value),
        )
    ).scalar_one()
    if lately < MOST_PEOPLE:
        return False
    people = connection.execute(select(func.count()).select_from(tables.subscriber)).scalar_one()
    return bool(lately >= MOST_SHARE * people)


def held_suppressions(connection: Connection) -> int:
    """Complaints and bounces that wait for a person."""
    return sum(one.kind.value in _SUPPRESSING for one in held(connection))
