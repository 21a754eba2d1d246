"""One person's facts from the store, for `explain` to hold a rule against."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select

from outreach.events import Kind
from outreach.segmentation.fields import Catalogue
from outreach.segmentation.person import ActiveDay, Engagement, Mail, Person
from outreach.segmentation.questions import CAMPAIGN, DEPARTMENT, TOPIC
from outreach.store.consent import CONFIRMED
from outreach.store.deliveries import State
from outreach.store.dialects import EPOCH
from outreach.store.engagement import days_of
from outreach.store.tables import (
    campaign,
    delivery,
    engagement,
    engagement_day,
    profile,
    subscriber,
    subscription,
    suppression,
)

_FIGURES = ("received", "opens", "clicks", "unopened", "last_sent_at", "last_open_at", "last_click_at")


def load_person(connection: Connection, subscriber_id: int, catalogue: Catalogue) -> Person | None:
    """Everything a rule can ask about this person, or None if there is nobody of that number.

    Some look-ups by key for each topic, department and campaign: for one person, not for a list of them.
    """
    row = connection.execute(
        select(subscriber.c.address, subscriber.c.attributes, profile)
        .join(profile, profile.c.subscriber_id == subscriber.c.id)
        .where(subscriber.c.id == subscriber_id)
    ).one_or_none()
    if row is None:
        return None
    reason = connection.execute(select(suppression.c.reason).where(suppression.c.address == row.address))
    topics = connection.execute(
        select(subscription.c.topic_id).where(
            subscription.c.subscriber_id == subscriber_id, subscription.c.status == CONFIRMED
        )
    )
    return Person(
        values=_values(row, catalogue),
        topics=frozenset(topics.scalars()),
        suppressed=reason.scalar_one_or_none(),
        engagement={(0, 0): _figures(row)} | _scopes(connection, subscriber_id, catalogue),
        days=_days(connection, subscriber_id),
        mails=_mails(connection, subscriber_id),
    )


def find_person(connection: Connection, address: str) -> int | None:
    """The number of the subscriber with this (normalised) address."""
    return connection.execute(select(subscriber.c.id).where(subscriber.c.address == address)).scalar_one_or_none()


def _values(row: Row[Any], catalogue: Catalogue) -> dict[str, object]:
    columns = row._mapping  # the documented way to ask a Row by name
    values: dict[str, object] = {}
    for name, one in catalogue.fields.items():
        if one.is_address:
            values[name] = row.address
        elif one.column is not None:
            values[name] = columns[one.column]
        else:
            values[name] = row.attributes.get(name)
    return {name: value for name, value in values.items() if value is not None}


def _figures(row: Row[Any]) -> Engagement:
    return Engagement(**{name: row._mapping[name] for name in _FIGURES})


def _scopes(connection: Connection, subscriber_id: int, catalogue: Catalogue) -> dict[tuple[int, int], Engagement]:
    scopes = {
        DEPARTMENT: list(catalogue.departments.values()),
        TOPIC: [topic.id for topic in catalogue.topics],
        CAMPAIGN: list(catalogue.campaigns.values()),
    }
    wanted = [
        and_(engagement.c.scope_kind == kind, engagement.c.scope_id.in_(ids)) for kind, ids in scopes.items() if ids
    ]
    if not wanted:
        return {}
    rows = connection.execute(select(engagement).where(engagement.c.subscriber_id == subscriber_id, or_(*wanted)))
    return {(row.scope_kind, row.scope_id): _figures(row) for row in rows}


def _days(connection: Connection, subscriber_id: int) -> tuple[ActiveDay, ...]:
    rows = connection.execute(select(engagement_day).where(days_of(connection, subscriber_id)))
    return tuple(
        ActiveDay(
            Kind(row.kind),
            EPOCH.date() + dt.timedelta(row.day),
            row.campaign_id,
            row.department_id,
            row.topic_id,
            row._mapping["count"],
        )
        for row in rows
    )


def _mails(connection: Connection, subscriber_id: int) -> tuple[Mail, ...]:
    rows = connection.execute(
        select(campaign.c.id, campaign.c.department_id, campaign.c.topic_id, delivery.c.at)
        .join(delivery, and_(delivery.c.campaign_id == campaign.c.id, delivery.c.subscriber_id == subscriber_id))
        .where(delivery.c.state == int(State.ACCEPTED), delivery.c.at.is_not(None))
    )
    return tuple(Mail(row.id, row.department_id, row.topic_id, row.at) for row in rows)
