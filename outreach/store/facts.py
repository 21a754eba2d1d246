"""What is read about people together with the claim: the last look before their message leaves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, bindparam, func, literal, select

from outreach.store.tables import delivery, profile, strike, subscriber, subscription, suppression


class Claimed(NamedTuple):
    """One delivery to make, with everything the gate and the composer look at."""

    claim_id: int
    subscriber_id: int
    attempts: int
    """How often it was tried, this time included."""
    language: str
    address: str | None
    """None if the person was erased since the plan."""
    attributes: Mapping[str, Any]
    locale: str | None
    joined_at: dt.datetime | None
    status: int | None
    suppressed: str | None
    """The reason of the suppression, if there is one."""
    subscription: int | None
    """The status of the subscription to the campaign's topic."""
    strikes: int | None
    """How many workers died while this message was being made; None: none did."""
    timezone: str | None
    tracking: int | None = None
    """events.Choice of this person; None: the organisation's default."""
    capped: str | None = None
    """The cap on messages that this person has reached since the plan, by its name."""


def in_range(
    connection: Connection, campaign_id: int, claim_id: int, *, topic_id: int | None, first: int, last: int
) -> list[Claimed]:
    """The people of a claim among those from `first` to `last`, in their order."""
    return _read(connection, _IN_RANGE, campaign=campaign_id, claim=claim_id, topic=topic_id, first=first, last=last)


def of(
    connection: Connection, campaign_id: int, claim_id: int, *, topic_id: int | None, people: Sequence[int]
) -> list[Claimed]:
    """The people of a claim among these, in the order of their ids."""
    return _read(connection, _OF, campaign=campaign_id, claim=claim_id, topic=topic_id, people=people)


def _read(connection: Connection, statement: Select[Any], **values: object) -> list[Claimed]:
    return [Claimed(*row) for row in connection.execute(statement, values).all()]


def _facts() -> Select[Any]:
    """Built once: putting a statement of this size together costs as much as running it for a hundred people."""
    campaign = bindparam("campaign", type_=delivery.c.campaign_id.type)
    source = (
        delivery.outerjoin(subscriber, subscriber.c.id == delivery.c.subscriber_id)
        .outerjoin(profile, profile.c.subscriber_id == delivery.c.subscriber_id)
        .outerjoin(suppression, suppression.c.address == subscriber.c.address)
        .outerjoin(
            subscription,
            and_(
                subscription.c.topic_id == bindparam("topic"), subscription.c.subscriber_id == delivery.c.subscriber_id
            ),
        )
        .outerjoin(strike, and_(strike.c.campaign_id == campaign, strike.c.subscriber_id == delivery.c.subscriber_id))
    )
    return (
        select(
            delivery.c.claim_id,
            delivery.c.subscriber_id,
            delivery.c.attempts,
            delivery.c.language,
            subscriber.c.address,
            func.coalesce(subscriber.c.attributes, literal({}, subscriber.c.attributes.type)),
            profile.c.locale,
            profile.c.joined_at,
            profile.c.status,
            suppression.c.reason,
            subscription.c.status,
            strike.c.count,
            profile.c.timezone,
            profile.c.tracking,
        )
        .select_from(source)
        .where(delivery.c.campaign_id == campaign, delivery.c.claim_id == bindparam("claim"))
        .order_by(delivery.c.subscriber_id)
    )


_IN_RANGE = _facts().where(delivery.c.subscriber_id.between(bindparam("first"), bindparam("last")))
_OF = _facts().where(delivery.c.subscriber_id.in_(bindparam("people", expanding=True)))
