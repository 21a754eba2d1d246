"""Who is sending what right now: workers, claims, and what to do when one dies.

A claim leases a batch of deliveries to one worker. Its id only ever grows and is the fence: an
outcome is written only where the delivery still carries the claim that produced it, so a worker
that slept through its lease cannot overwrite what others did since. Suppression and consent are
read together with the claim, because this is the last look before the message leaves.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, exists, func, insert, or_, select, update

from outreach.errors import OutreachError
from outreach.store import digests, facts, seeding
from outreach.store.consent import CONFIRMED
from outreach.store.deliveries import State
from outreach.store.dialects import Prepared
from outreach.store.facts import Claimed as Claimed  # part of what this module offers
from outreach.store.tables import (
    campaign,
    claim,
    delivery,
    retry,
    strike,
    turn,
    worker,
)
from outreach.store.topics import EMERGENCY

SENDING = "sending"
STOPPED = "stopped"


class FenceLost(OutreachError):
    """Another worker took these deliveries over; this one must stop without writing."""


class Written(NamedTuple):
    """How one claimed delivery ended: its next state, and when to try again if that is WAITING."""

    claim_id: int
    subscriber_id: int
    state: State
    reason: str
    due_at: dt.datetime | None = None
    tried: bool = True
    """False if nothing was attempted after all: then it does not count."""
    at: dt.datetime | None = None
    """When that became known, which is before it is written; None if nobody can say: then the time of the claim stays,
    which nothing that came of the message can be older than."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A sending process, as the store knows it."""

    id: int
    host: str
    boot: str
    pid: int
    started: str
    journal: str
    heartbeat_at: dt.datetime


def register(
    connection: Connection, *, host: str, boot: str, pid: int, started: str, journal: str, now: dt.datetime
) -> Worker:
    """Make this process known, so that others can tell whether it is alive."""
    values = {"host": host, "boot": boot, "pid": pid, "started": started, "journal": journal, "heartbeat_at": now}
    identity = connection.execute(insert(worker).values(**values)).inserted_primary_key
    assert identity is not None
    return Worker(identity[0], host, boot, pid, started, journal, now)


def workers(connection: Connection) -> list[Worker]:
    return [Worker(**row) for row in connection.execute(select(worker).order_by(worker.c.id)).mappings()]


def heartbeat(connection: Connection, worker_id: int, *, now: dt.datetime, lease: dt.timedelta) -> None:
    """Say "still here" and extend this worker's leases. FenceLost if it was declared dead."""
    if connection.execute(update(worker).where(worker.c.id == worker_id).values(heartbeat_at=now)).rowcount == 0:
        raise FenceLost("this worker was taken for dead and its work handed on; it stops here")
    connection.execute(update(claim).where(claim.c.worker_id == worker_id).values(lease_until=now + lease))


def take(
    connection: Connection,
    campaign_id: int,
    worker_id: int,
    *,
    limit: int,
    now: dt.datetime,
    lease: dt.timedelta,
) -> list[Claimed]:
    """Claim up to `limit` deliveries that are due; empty if none is, or if the campaign is not sending."""
    row = connection.execute(_PLACE, {"campaign": campaign_id}).one()
    if row.status != SENDING:
        return []
    again = _due(connection, campaign_id, limit=limit, now=now)
    held = seeding.held(connection, campaign_id)
    fresh = _fresh(connection, campaign_id, after=row.claim_cursor, limit=limit - len(again), held=held)
    if held:
        passed = fresh[-1] if fresh else row.claim_cursor
        again += seeding.release(connection, campaign_id, held, passed=None if not (fresh or again) else passed)
    if not again and not fresh:
        return []
    values = {"campaign_id": campaign_id, "worker_id": worker_id, "lease_until": now + lease}
    identity = connection.execute(insert(claim).values(size=len(again) + len(fresh), **values)).inserted_primary_key
    assert identity is not None
    claim_id: int = identity[0]
    if fresh:
        connection.execute(_PASS, {"campaign": campaign_id, "last": fresh[-1]})
    found: list[Claimed] = []
    moment = {"claim_id": claim_id, "campaign": campaign_id, "moment": now}
    if again:
        connection.execute(_BEGIN_THESE, {**moment, "people": again})
        found += facts.of(connection, campaign_id, claim_id, topic_id=row.topic_id, people=again)
    if fresh:
        span = {**moment, "first": fresh[0], "last": fresh[-1]}
        connection.execute(
            _BEGIN_RANGE.where(delivery.c.subscriber_id.not_in(list(held))) if held else _BEGIN_RANGE, span
        )
        spanned = facts.in_range(
            connection, campaign_id, claim_id, topic_id=row.topic_id, first=fresh[0], last=fresh[-1]
        )
        # Whoever's turn came by a place that was drawn may have their number in the range, and is there already.
        found += [each for each in spanned if each.subscriber_id not in held] if held else spanned
    return _with_items(connection, campaign_id, found) if row.message_class == digests.MESSAGE_CLASS else found


# Statements that are needed for each batch are built once: that costs as much as running them.
_PLACE = (
    select(campaign.c.status, campaign.c.claim_cursor, campaign.c.topic_id, campaign.c.message_class)
    .where(campaign.c.id == bindparam("campaign"))
    .with_for_update()
)
_PASS = update(campaign).where(campaign.c.id == bindparam("campaign")).values(claim_cursor=bindparam("last"))
_BEGIN = (
    update(delivery)
    .where(delivery.c.campaign_id == bindparam("campaign"), delivery.c.state == State.WAITING)
    .values(
        state=State.SENDING.value,
        claim_id=bindparam("claim_id"),
        attempts=delivery.c.attempts + 1,
        at=bindparam("moment", type_=delivery.c.at.type),
    )
)
_BEGIN_THESE = _BEGIN.where(delivery.c.subscriber_id.in_(bindparam("people", expanding=True)))
_BEGIN_RANGE = _BEGIN.where(delivery.c.subscriber_id.between(bindparam("first"), bindparam("last")))
"""Who waits among those beyond the cursor has never been claimed: a range names them without a list."""


def _with_items(connection: Connection, campaign_id: int, claimed: list[Claimed]) -> list[Claimed]:
    """A digest is about what its items are about: whoever has left all of their topics has left it."""
    carried = digests.carried(connection, campaign_id, [each.subscriber_id for each in claimed])
    return [
        each._replace(attributes={**each.attributes, **flags}, subscription=CONFIRMED if flags else None)
        for each in claimed
        for flags in (carried.get(each.subscriber_id, {}),)
    ]


def _due(connection: Connection, campaign_id: int, *, limit: int, now: dt.datetime) -> list[int]:
    rows = connection.execute(_DUE, {"campaign": campaign_id, "moment": now, "limit": limit}).all()
    if rows:
        connection.execute(
            delete(retry).where(
                retry.c.campaign_id == campaign_id,
                retry.c.due_at == bindparam("due"),
                retry.c.subscriber_id == bindparam("person"),
            ),
            [{"due": due_at, "person": subscriber_id} for subscriber_id, due_at in rows],
        )
    return [subscriber_id for subscriber_id, _ in rows]


def _fresh(
    connection: Connection, campaign_id: int, *, after: int, limit: int, held: Collection[int] = ()
) -> list[int]:
    if limit <= 0:
        return []
    free = _FRESH.where(delivery.c.subscriber_id.not_in(list(held))) if held else _FRESH
    return list(connection.execute(free, {"campaign": campaign_id, "after": after, "limit": limit}).scalars())


_DUE = (
    select(retry.c.subscriber_id, retry.c.due_at)
    .where(
        retry.c.campaign_id == bindparam("campaign"), retry.c.due_at <= bindparam("moment", type_=retry.c.due_at.type)
    )
    .order_by(retry.c.due_at)
    .limit(bindparam("limit"))
)
_FRESH = (
    select(delivery.c.subscriber_id)
    .where(
        delivery.c.campaign_id == bindparam("campaign"),
        delivery.c.subscriber_id > bindparam("after"),
        delivery.c.state == State.WAITING,
    )
    .order_by(delivery.c.subscriber_id)
    .limit(bindparam("limit"))
)


def write_down(connection: Connection, campaign_id: int, results: Sequence[Written], *, now: dt.datetime) -> None:
    """Record how deliveries ended. All or nothing: FenceLost if any of them is no longer ours.

    What would wait again is cancelled where the campaign was stopped meanwhile; without a time it is due now.
    """
    if not results:
        return
    status = connection.execute(_PLACE, {"campaign": campaign_id}).one().status
    if status == STOPPED:
        results = [
            item._replace(state=State.CANCELLED, reason="stopped") if item.state is State.WAITING else item
            for item in results
        ]
    written = _WRITE_DOWN.run(
        connection,
        [
            (item.subscriber_id, item.claim_id, item.state.value, item.reason, 0 if item.tried else 1, item.at)
            for item in results
        ],
        campaign=campaign_id,
    )
    if written != len(results):
        raise FenceLost(f"{len(results) - written} deliveries were taken over by another worker; this one stops here")
    again = [item for item in results if item.state is State.WAITING]
    if again:
        connection.execute(
            insert(retry),
            [
                {"campaign_id": campaign_id, "due_at": item.due_at or now, "subscriber_id": item.subscriber_id}
                for item in again
            ],
        )


_WRITE_DOWN = Prepared(
    update(delivery)
    .where(
        delivery.c.campaign_id == bindparam("campaign"),
        delivery.c.subscriber_id == bindparam("person"),
        delivery.c.claim_id == bindparam("fence"),
        delivery.c.state == State.SENDING.value,
    )
    .values(
        state=bindparam("outcome"),
        reason=bindparam("why"),
        at=func.coalesce(bindparam("moment", type_=delivery.c.at.type), delivery.c.at),
        claim_id=None,
        attempts=delivery.c.attempts - bindparam("untried"),
    ),
    "person", "fence", "outcome", "why", "untried", "moment",
)  # fmt: skip


def close(connection: Connection, claim_ids: Iterable[int]) -> None:
    """Forget claims whose deliveries have all been written down."""
    for claim_id in claim_ids:
        connection.execute(_CLOSE, {"claim": claim_id})


_CLOSE = delete(claim).where(claim.c.id == bindparam("claim"))


def leave(connection: Connection, worker_id: int) -> None:
    """Forget a worker that has no claims left, and let others have its turns."""
    connection.execute(delete(turn).where(turn.c.worker_id == worker_id))
    connection.execute(delete(worker).where(worker.c.id == worker_id))


def open_deliveries(connection: Connection, worker_id: int) -> list[tuple[int, int, int]]:
    """(campaign, claim, subscriber) of everything a worker has claimed and not written down."""
    found: list[tuple[int, int, int]] = []
    for claim_id, campaign_id in connection.execute(
        select(claim.c.id, claim.c.campaign_id).where(claim.c.worker_id == worker_id)
    ).all():
        rows = connection.execute(
            select(delivery.c.subscriber_id).where(
                delivery.c.campaign_id == campaign_id,
                delivery.c.claim_id == claim_id,
                delivery.c.state == State.SENDING,
            )
        )
        found.extend((campaign_id, claim_id, subscriber_id) for subscriber_id in rows.scalars())
    return found


def forget(connection: Connection, worker_id: int) -> None:
    """Remove a dead worker and its claims, after its deliveries were settled."""
    connection.execute(delete(claim).where(claim.c.worker_id == worker_id))
    leave(connection, worker_id)


def strike_all(connection: Connection, campaign_id: int, people: Sequence[int]) -> dict[int, int]:
    """A worker died while it made these people's messages; returns each one's strikes so far."""
    mine = and_(strike.c.campaign_id == campaign_id, strike.c.subscriber_id.in_(people))
    rows = connection.execute(select(strike.c.subscriber_id, strike.c.count).where(mine)).all()
    known = {person: count for person, count in rows}  # noqa: C416 - a row is no pair to the type checker
    connection.execute(delete(strike).where(mine))
    counts = {person: known.get(person, 0) + 1 for person in people}
    connection.execute(
        insert(strike),
        [{"campaign_id": campaign_id, "subscriber_id": person, "count": count} for person, count in counts.items()],
    )
    return counts


def overtaken(connection: Connection, campaign_id: int, *, since: dt.datetime) -> bool:
    """True while an emergency is being sent, or was started after `since`: everybody else's connections are for it."""
    emergency = (
        select(campaign.c.id)
        .where(
            campaign.c.status == SENDING,
            campaign.c.message_class == EMERGENCY,
            campaign.c.id != campaign_id,
            or_(campaign.c.started_at >= since, exists().where(claim.c.campaign_id == campaign.c.id)),
        )
        .limit(1)
    )
    return connection.execute(emergency).first() is not None


def neighbours(connection: Connection, campaign_id: int) -> int:
    """How many other campaigns are being sent at this moment."""
    others = select(func.count(claim.c.campaign_id.distinct())).where(claim.c.campaign_id != campaign_id)
    return int(connection.execute(others).scalar_one())


@dataclass(frozen=True, slots=True)
class Remaining:
    """What a campaign still has to do."""

    unclaimed: bool
    """Somebody has never been claimed, or waits for their place."""
    claims: int
    next_due: dt.datetime | None
    """When the next retry is due."""

    @property
    def done(self) -> bool:
        return not self.unclaimed and self.claims == 0 and self.next_due is None


def remaining(connection: Connection, campaign_id: int) -> Remaining:
    cursor = connection.execute(select(campaign.c.claim_cursor).where(campaign.c.id == campaign_id)).scalar_one()
    claims = connection.execute(select(func.count()).where(claim.c.campaign_id == campaign_id)).scalar_one()
    due = connection.execute(select(func.min(retry.c.due_at)).where(retry.c.campaign_id == campaign_id)).scalar()
    held = seeding.held(connection, campaign_id)
    fresh = bool(_fresh(connection, campaign_id, after=cursor, limit=1, held=held)) or seeding.any_waits(held)
    return Remaining(fresh, claims, due)
