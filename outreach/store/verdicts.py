"""What was concluded about opens and clicks: reading what rules look at, and writing their verdicts beside the hits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, select, update

from outreach.events import Kind
from outreach.store import tables
from outreach.store.deliveries import State
from outreach.store.dialects import Instant, to_ms
from outreach.store.events import Verdict
from outreach.store.past_events import SPOOL

_CHUNK = 500
_event = tables.event


class Hit(NamedTuple):
    """A stored open or click: what it is known by, what it has been judged, and what was recorded."""

    spool: str
    sequence: int
    at: dt.datetime
    verdict: int
    reason: int
    rules: int
    kind: int
    subscriber_id: int
    link: int
    agent_class: int
    network_class: int
    prefix_hash: bytes
    flags: int

    @property
    def at_ms(self) -> int:
        return to_ms(self.at)


class Judged(NamedTuple):
    """A verdict to be written."""

    hit: Hit
    verdict: int
    reason: int


def waiting(connection: Connection, *, before: dt.datetime) -> dict[int, dt.datetime]:
    """Campaigns with hits older than `before` that nobody has judged, each with the time of the first."""
    rows = connection.execute(
        select(_event.c.campaign_id, func.min(_event.c.at, type_=_event.c.at.type))
        .where(_event.c.verdict == Verdict.UNJUDGED.value, _event.c.at < before)
        .group_by(_event.c.campaign_id)
    )
    return {campaign_id: first for campaign_id, first in rows}  # noqa: C416 - dict() would lose the types


def campaigns(connection: Connection) -> list[int]:
    """Every campaign with opens or clicks."""
    ours = _event.c.spool != SPOOL  # what another system counted was judged there
    return list(connection.execute(select(_event.c.campaign_id).where(ours).distinct()).scalars())


def links(connection: Connection, campaign_id: int) -> int:
    """How many links of a campaign have been followed by anybody."""
    return connection.execute(
        select(func.count(_event.c.link.distinct())).where(
            _event.c.campaign_id == campaign_id, _event.c.kind == Kind.CLICK.value
        )
    ).scalar_one()


def hits(connection: Connection, campaign_id: int, *, since: dt.datetime | None = None) -> Iterator[Hit]:
    """A campaign's opens and clicks, at or after `since`, in the order of time."""
    query = select(
        _event.c.spool,
        _event.c.sequence,
        _event.c.at,
        _event.c.verdict,
        _event.c.reason,
        _event.c.rules,
        _event.c.kind,
        _event.c.subscriber_id,
        _event.c.link,
        _event.c.agent_class,
        _event.c.network_class,
        _event.c.prefix_hash,
        _event.c.flags,
    ).where(_event.c.campaign_id == campaign_id)
    if since is not None:
        query = query.where(_event.c.at >= since)
    for row in connection.execute(query.order_by(_event.c.at, _event.c.spool, _event.c.sequence)):
        found = Hit._make(row)
        yield found._replace(prefix_hash=bytes(found.prefix_hash or b""))


def write(connection: Connection, judged: Collection[Judged], *, version: int) -> None:
    """Write verdicts beside their hits, with the version of the rules that say so."""
    if judged:
        connection.execute(
            update(_event)
            .where(
                _event.c.spool == bindparam("in_spool"),
                _event.c.sequence == bindparam("number"),
                _event.c.at == bindparam("moment", type_=Instant()),
            )
            .values(verdict=bindparam("now"), reason=bindparam("why"), rules=version),
            [
                {
                    "in_spool": one.hit.spool,
                    "number": one.hit.sequence,
                    "moment": one.hit.at,
                    "now": int(one.verdict),
                    "why": int(one.reason),
                }
                for one in judged
            ],
        )


def domains(connection: Connection, subscribers: Iterable[int]) -> dict[int, str]:
    """The domain of each subscriber's address."""
    found: dict[int, str] = {}
    wanted = sorted(subscribers)
    columns: tuple[Any, ...] = (tables.subscriber.c.id, tables.subscriber.c.address)
    for start in range(0, len(wanted), _CHUNK):
        query = select(*columns).where(tables.subscriber.c.id.in_(wanted[start : start + _CHUNK]))
        found |= {number: address.rpartition("@")[2] for number, address in connection.execute(query)}
    return found


def finished_at(connection: Connection, campaign_id: int) -> dt.datetime | None:
    """When the last message of a campaign had been handed over; None while it is being sent."""
    campaign = tables.campaign
    return connection.execute(select(campaign.c.finished_at).where(campaign.c.id == campaign_id)).scalar()


def accepted(connection: Connection, campaign_id: int, subscribers: Iterable[int]) -> dict[int, int]:
    """When the receiving server took each one's message, in milliseconds since 1970.

    Only where its own answer says so (2yz): a doubt is settled hours later, in words of ours. What recovery found in a
    dead worker's journal has the time of its claim: the message was taken after it.
    """
    found: dict[int, int] = {}
    wanted = sorted(subscribers)
    delivery = tables.delivery
    for start in range(0, len(wanted), _CHUNK):
        query = select(delivery.c.subscriber_id, delivery.c.at).where(
            delivery.c.campaign_id == campaign_id,
            delivery.c.subscriber_id.in_(wanted[start : start + _CHUNK]),
            delivery.c.state == State.ACCEPTED.value,
            delivery.c.reason.startswith("2"),
        )
        found |= {number: to_ms(at) for number, at in connection.execute(query)}
    return found


def first_unjudged(connection: Connection) -> dict[str, int]:
    """The sequence of each spool's first hit that nobody has judged yet."""
    rows = connection.execute(
        select(_event.c.spool, func.min(_event.c.sequence))
        .where(_event.c.verdict == Verdict.UNJUDGED.value)
        .group_by(_event.c.spool)
    )
    return {spool: sequence for spool, sequence in rows}  # noqa: C416


def summary(connection: Connection) -> dict[tuple[int, int, int], int]:
    """How many hits there are of each (kind, verdict, reason)."""
    rows = connection.execute(
        select(_event.c.kind, _event.c.verdict, _event.c.reason, func.count()).group_by(
            _event.c.kind, _event.c.verdict, _event.c.reason
        )
    )
    return {(kind, verdict, reason): count for kind, verdict, reason, count in rows}
