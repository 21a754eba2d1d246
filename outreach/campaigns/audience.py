"""Whom a campaign reaches: its rule, less everybody who must not or does not want to be written to.

What was approved is what is sent: the audience is frozen when planned, one row for each person.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, false, func, not_, or_, select, true

from outreach.store.tables import profile, subscription, suppression

ACTIVE = 1
CONFIRMED = 1


@dataclass(frozen=True, slots=True)
class Audience:
    """The people to freeze, and how many the rule matched that are left out, by reason."""

    people: Select[tuple[int]]
    excluded: dict[str, int]


def choose(connection: Connection, rule: ColumnElement[bool], *, topic_id: int, needs_consent: bool) -> Audience:
    """Everybody active whom `rule` matches, without the suppressed and those who did not ask for the topic.

    Statutory and emergency messages need no subscription (`needs_consent` False); a suppressed address is
    never written to.
    """
    suppressed = exists(select(1).where(suppression.c.subscriber_id == profile.c.subscriber_id))
    subscribed = exists(
        select(1).where(
            subscription.c.topic_id == topic_id,
            subscription.c.subscriber_id == profile.c.subscriber_id,
            subscription.c.status == CONFIRMED,
        )
    )
    wanted: ColumnElement[bool] = subscribed if needs_consent else true()
    unwanted: ColumnElement[bool] = not_(subscribed) if needs_consent else false()
    matched = and_(profile.c.status == ACTIVE, rule)
    counted = connection.execute(
        select(
            func.count().filter(suppressed).label("suppressed"),
            func.count().filter(and_(not_(suppressed), unwanted)).label("no_consent"),
        )
        .select_from(profile)
        .where(matched, or_(suppressed, unwanted))
    ).one()
    excluded = {"suppressed": counted.suppressed, "not subscribed to the topic": counted.no_consent}
    people = select(profile.c.subscriber_id).where(matched, wanted, not_(suppressed))
    return Audience(people, {reason: count for reason, count in excluded.items() if count})
