"""What the deliverability report reads: deliveries, refusals and complaints by the receiving domain."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from outreach.events import Kind
from outreach.store.deliveries import State
from outreach.store.tables import campaign, delivery, feedback, mail_domain, seed_placement, subscriber

MOST_ROWS = 400_000
"""Deliveries whose time to acceptance is looked at, the latest campaigns first."""


@dataclass(slots=True)
class Domain:
    """One receiving domain's deliveries over some days."""

    accepted: int = 0
    waiting: int = 0
    """Tried and deferred, still to come."""
    deferred: int = 0
    """Accepted after more than one attempt."""
    bounced: int = 0
    minutes: list[float] = field(default_factory=list)
    """From the campaign's start to acceptance."""


def deliveries(connection: Connection, *, since: dt.datetime) -> dict[str, Domain]:
    """By receiving domain, for campaigns that began since then."""
    found: dict[str, Domain] = defaultdict(Domain)
    domain = _domain(connection)
    mine = (delivery.c.campaign_id == campaign.c.id) & (campaign.c.started_at >= since)
    joined = delivery.join(campaign, mine).join(subscriber, subscriber.c.id == delivery.c.subscriber_id)
    again = delivery.c.attempts > 1
    rows = connection.execute(
        select(domain, delivery.c.state, again, func.count())
        .select_from(joined)
        .where(delivery.c.attempts > 0)
        .group_by(domain, delivery.c.state, again)
    )
    for name, state, tried_again, count in rows:
        entry = found[name]
        if state == State.ACCEPTED:
            entry.accepted += count
            entry.deferred += count if tried_again else 0
        elif state == State.BOUNCED:
            entry.bounced += count
        elif state in (State.WAITING, State.EXPIRED):
            entry.waiting += count
    times = connection.execute(
        select(domain, campaign.c.started_at, delivery.c.at)
        .select_from(joined)
        .where(delivery.c.state == State.ACCEPTED.value, delivery.c.at.is_not(None))
        .order_by(campaign.c.id.desc())
        .limit(MOST_ROWS)
        .execution_options(yield_per=10_000)
    )
    for name, begun, at in times:
        found[name].minutes.append(max(0.0, (at - begun).total_seconds() / 60))
    return dict(found)


def bounces(connection: Connection, *, since: dt.datetime, until: dt.datetime) -> dict[tuple[str, str, str], int]:
    """By provider, reason and group, as the bounces say themselves."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for detail in _details(connection, Kind.BOUNCE, since, until):
        if detail.get("action") == "failed":
            counts[detail.get("provider", ""), detail.get("reason", ""), detail.get("group", "")] += 1
    return dict(counts)


def complaints(connection: Connection, *, since: dt.datetime, until: dt.datetime) -> dict[str, int]:
    """By receiving domain."""
    domain = _domain(connection)
    rows = connection.execute(
        select(domain, func.count())
        .select_from(feedback.join(subscriber, subscriber.c.id == feedback.c.subscriber_id))
        .where(feedback.c.kind == int(Kind.COMPLAINT), feedback.c.at >= since, feedback.c.at < until)
        .group_by(domain)
    )
    return {name: int(count) for name, count in rows}


def accepted_between(connection: Connection, *, since: dt.datetime, until: dt.datetime) -> dict[str, int]:
    """Accepted or returned later, by receiving domain, in a span of time."""
    domain = _domain(connection)
    began = (campaign.c.started_at >= since - dt.timedelta(days=3)) & (campaign.c.started_at < until)
    mine = (delivery.c.campaign_id == campaign.c.id) & began
    rows = connection.execute(
        select(domain, func.count())
        .select_from(delivery.join(campaign, mine).join(subscriber, subscriber.c.id == delivery.c.subscriber_id))
        .where(
            delivery.c.state.in_((State.ACCEPTED.value, State.BOUNCED.value)),
            delivery.c.at >= since,
            delivery.c.at < until,
        )
        .group_by(domain)
    )
    return {name: int(count) for name, count in rows}


def provider_of(connection: Connection, domain: str) -> str | None:
    """Which provider takes a domain's mail, whenever that was looked up; None if nobody has."""
    return connection.scalar(select(mail_domain.c.provider).where(mail_domain.c.domain == domain))


# --- seeds ------------------------------------------------------------------------------------------------------


def place(
    connection: Connection,
    *,
    campaign_id: int,
    address: str,
    minutes: int,
    provider: str,
    placement: str,
    at: dt.datetime,
) -> None:
    """Where a message to a mailbox of our own lay after so many minutes."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    values = {"provider": provider, "placement": placement, "at": at}
    query = dialect.insert(seed_placement).values(campaign_id=campaign_id, address=address, minutes=minutes, **values)
    keys = ["campaign_id", "address", "minutes"]
    connection.execute(query.on_conflict_do_update(index_elements=keys, set_=values))


def looked_at(connection: Connection, campaign_id: int) -> set[tuple[str, int]]:
    """Address and minutes that were read already."""
    rows = connection.execute(
        select(seed_placement.c.address, seed_placement.c.minutes).where(seed_placement.c.campaign_id == campaign_id)
    )
    return {(row.address, row.minutes) for row in rows}


def placements(connection: Connection, *, since: dt.datetime) -> dict[str, Counter[str]]:
    """By provider: each message at its last look, pooled over campaigns."""
    rows = connection.execute(
        select(seed_placement).where(seed_placement.c.at >= since).order_by(seed_placement.c.minutes)
    )
    last = {(row.campaign_id, row.address): (row.provider, row.placement) for row in rows}
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for provider, placement in last.values():
        found[provider][placement] += 1
    return dict(found)


def _details(connection: Connection, kind: Kind, since: dt.datetime, until: dt.datetime) -> list[dict[str, Any]]:
    rows = connection.execute(
        select(feedback.c.detail).where(feedback.c.kind == int(kind), feedback.c.at >= since, feedback.c.at < until)
    )
    return [json.loads(detail or "{}") for detail in rows.scalars()]


def _domain(connection: Connection) -> ColumnElement[str]:
    if connection.dialect.name == "sqlite":
        return func.substr(subscriber.c.address, func.instr(subscriber.c.address, "@") + 1)
    return func.split_part(subscriber.c.address, "@", 2)
