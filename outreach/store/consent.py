"""Who asked for what: subscriptions, and the append-only log that proves them.

A subscription is the present state; `consent` keeps each time somebody gave or withdrew it, with
source and evidence, and nothing ever changes or removes a line of it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from outreach.store import subscribers
from outreach.store.tables import consent, subscription, topic

PURPOSE: Final = "mail"


class SubscriptionStatus(IntEnum):
    """How one person stands to one topic. The numbers are stored: never reuse one."""

    UNCONFIRMED = 0
    CONFIRMED = 1
    UNSUBSCRIBED = 2


CONFIRMED: Final = SubscriptionStatus.CONFIRMED.value


class Frequency(IntEnum):
    """How often somebody wants to hear about a topic. The numbers are stored: never reuse one."""

    AT_ONCE = 0
    DAILY = 1
    WEEKLY = 2


@dataclass(frozen=True, slots=True)
class Subscription:
    topic: str
    status: SubscriptionStatus
    frequency: Frequency
    changed_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Consent:
    """One line of the log. `topic` None means everything."""

    topic: str | None
    purpose: str
    given: bool
    source: str
    text_version: str | None
    at: dt.datetime
    evidence: Mapping[str, Any]


def subscribe(
    connection: Connection,
    *,
    subscriber_id: int,
    topic_id: int,
    source: str,
    at: dt.datetime,
    evidence: Mapping[str, Any] | None = None,
    text_version: str | None = None,
    revive: bool = False,
) -> bool:
    """Subscribe a person to a topic and log the consent. False if nothing changed.

    Who unsubscribed stays so, unless `revive` says that this is the person's own new wish.
    """
    before = _status(connection, subscriber_id, topic_id)
    if before == SubscriptionStatus.CONFIRMED or (before == SubscriptionStatus.UNSUBSCRIBED and not revive):
        return False
    _put(connection, subscriber_id, topic_id, before, SubscriptionStatus.CONFIRMED, at)
    log(
        connection,
        subscriber_id=subscriber_id,
        topic_id=topic_id,
        given=True,
        source=source,
        at=at,
        evidence=evidence,
        text_version=text_version,
    )
    return True


def unsubscribe(
    connection: Connection,
    *,
    subscriber_id: int,
    topic_id: int,
    source: str,
    at: dt.datetime,
    evidence: Mapping[str, Any] | None = None,
) -> bool:
    """End a subscription and log that, and how it `was`. False if the person had left already.

    Who never was in is kept out too.
    """
    before = _status(connection, subscriber_id, topic_id)
    if before == SubscriptionStatus.UNSUBSCRIBED:
        return False
    _put(connection, subscriber_id, topic_id, before, SubscriptionStatus.UNSUBSCRIBED, at)
    log(
        connection,
        subscriber_id=subscriber_id,
        topic_id=topic_id,
        given=False,
        source=source,
        at=at,
        evidence={**(evidence or {}), "was": before},
    )
    return True


def choose(
    connection: Connection,
    *,
    subscriber_id: int,
    topic_id: int,
    often: Frequency | None,
    source: str,
    at: dt.datetime,
    evidence: Mapping[str, Any] | None = None,
    text_version: str | None = None,
) -> None:
    """A person's own wish: this topic, and how often; None: not this topic. No older export overrules it."""
    if connection.scalar(select(topic.c.id).where(topic.c.id == topic_id)) is None:
        return
    if often is None:
        if _status(connection, subscriber_id, topic_id) is not None:
            unsubscribe(
                connection,
                subscriber_id=subscriber_id,
                topic_id=topic_id,
                source=source,
                at=at,
                evidence=evidence,
            )
            subscribers.touch(connection, subscriber_id)
        return
    subscribe(
        connection,
        subscriber_id=subscriber_id,
        topic_id=topic_id,
        source=source,
        at=at,
        evidence=evidence,
        text_version=text_version,
        revive=True,
    )
    mine = (subscription.c.subscriber_id == subscriber_id) & (subscription.c.topic_id == topic_id)
    connection.execute(update(subscription).where(mine).values(frequency=often.value, frequency_at=at))
    subscribers.touch(connection, subscriber_id)


def log(
    connection: Connection,
    *,
    subscriber_id: int,
    topic_id: int | None,
    given: bool,
    source: str,
    at: dt.datetime,
    evidence: Mapping[str, Any] | None = None,
    text_version: str | None = None,
) -> None:
    """Append one line; `topic_id` None means everything."""
    row = {"subscriber_id": subscriber_id, "topic_id": topic_id, "purpose": PURPOSE, "given": given, "source": source}
    connection.execute(insert(consent).values(**row, at=at, evidence=dict(evidence or {}), text_version=text_version))


def subscriptions_of(connection: Connection, subscriber_id: int) -> list[Subscription]:
    """By the topic's name."""
    rows = connection.execute(
        select(topic.c.name, subscription.c.status, subscription.c.frequency, subscription.c.changed_at)
        .join(topic, topic.c.id == subscription.c.topic_id)
        .where(subscription.c.subscriber_id == subscriber_id)
        .order_by(topic.c.name)
    )
    return [Subscription(name, SubscriptionStatus(status), Frequency(often), at) for name, status, often, at in rows]


def history_of(connection: Connection, subscriber_id: int) -> list[Consent]:
    """In the order in which it was logged."""
    rows = connection.execute(
        select(consent, topic.c.name.label("topic"))
        .outerjoin(topic, topic.c.id == consent.c.topic_id)
        .where(consent.c.subscriber_id == subscriber_id)
        .order_by(consent.c.id)
    )
    return [
        Consent(row.topic, row.purpose, row.given, row.source, row.text_version, row.at, row.evidence or {})
        for row in rows
    ]


def _status(connection: Connection, subscriber_id: int, topic_id: int) -> int | None:
    mine = (subscription.c.subscriber_id == subscriber_id) & (subscription.c.topic_id == topic_id)
    return connection.scalar(select(subscription.c.status).where(mine))


def _put(
    connection: Connection,
    subscriber_id: int,
    topic_id: int,
    before: int | None,
    after: SubscriptionStatus,
    at: dt.datetime,
) -> None:
    if before is None:
        row = {"subscriber_id": subscriber_id, "topic_id": topic_id, "status": after.value, "changed_at": at}
        connection.execute(insert(subscription).values(**row))
        return
    mine = (subscription.c.subscriber_id == subscriber_id) & (subscription.c.topic_id == topic_id)
    connection.execute(update(subscription).where(mine).values(status=after.value, changed_at=at))
