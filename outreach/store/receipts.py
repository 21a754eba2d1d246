"""Who received what: the share of the engagement roll-up that comes from the ledger, not from events.

When a campaign has ended, everyone whose message was accepted gets `received` + 1, their `last_sent_at`, and, unless
they opened something since, `unopened` + 1: overall, for the campaign's department and for its topic. In slices, each
one transaction that also moves `received:<campaign>` to the last person counted.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, case, literal, or_, select, update

from outreach.store.bulk import given
from outreach.store.checkpoints import insert, later, locked_generation, move, positions
from outreach.store.database import Store
from outreach.store.deliveries import State
from outreach.store.tables import campaign, delivery, engagement, profile

DEPARTMENT, TOPIC, CAMPAIGN = 1, 2, 3
"""The values of engagement.scope_kind. Of one campaign only opens and clicks are kept: `delivery` has the rest."""
ScopeKey = tuple[int, int]
"""engagement.scope_kind and engagement.scope_id."""
EVERYTHING: ScopeKey = (0, 0)
"""Not a row of `engagement`: these figures are on the profile."""
RECEIVED = "received:"

_PEOPLE_A_SLICE = 20_000
_FINISHED = 2**62


class Scope(NamedTuple):
    """What a campaign counts for besides everything."""

    department_id: int | None
    topic_id: int | None


def fold_campaigns(store: Store) -> int:
    with store.read() as connection:
        waiting = finished(connection)
    for campaign_id in waiting:
        more = True
        while more:
            with store.write() as connection:
                locked_generation(connection)
                more = fold_slice(connection, campaign_id)
    return len(waiting)


def finished(connection: Connection) -> list[int]:
    """Campaigns that ended and are not, or not wholly, counted."""
    counted = positions(connection, RECEIVED)
    ended = connection.execute(
        select(campaign.c.id).where(campaign.c.finished_at.is_not(None)).order_by(campaign.c.finished_at, campaign.c.id)
    ).scalars()
    return [number for number in ended if counted.get(str(number), 0) < _FINISHED]


def fold_slice(connection: Connection, campaign_id: int) -> bool:
    """Count the next people who received this campaign; True if there are more after them."""
    done = positions(connection, RECEIVED).get(str(campaign_id), 0)
    last = connection.execute(
        select(delivery.c.subscriber_id)
        .where(delivery.c.campaign_id == campaign_id, delivery.c.subscriber_id > done)
        .order_by(delivery.c.subscriber_id)
        .offset(_PEOPLE_A_SLICE - 1)
        .limit(1)
    ).scalar()
    received = and_(
        delivery.c.campaign_id == campaign_id,
        delivery.c.subscriber_id > done,
        delivery.c.subscriber_id <= (_FINISHED if last is None else last),
        delivery.c.state == State.ACCEPTED.value,
    )
    connection.execute(
        update(profile)
        .where(profile.c.subscriber_id == delivery.c.subscriber_id, received)
        .values(
            received=profile.c.received + 1,
            unopened=profile.c.unopened + _unopened(profile.c.last_open_at, delivery.c.at),
            last_sent_at=later(profile.c.last_sent_at, delivery.c.at),
        )
    )
    for scope_kind, scope_id in pairs(scopes_of(connection, {campaign_id})[campaign_id]):
        _receive_in_scope(connection, received, scope_kind, scope_id)
    move(connection, f"{RECEIVED}{campaign_id}", _FINISHED if last is None else last)
    return last is not None


def _receive_in_scope(connection: Connection, received: ColumnElement[bool], scope_kind: int, scope_id: int) -> None:
    names = ["scope_kind", "scope_id", "subscriber_id", "received", "unopened", "last_sent_at"]
    statement = insert(connection, engagement).from_select(
        names,
        select(literal(scope_kind), literal(scope_id), delivery.c.subscriber_id, literal(1), literal(1), delivery.c.at)
        .join(profile, profile.c.subscriber_id == delivery.c.subscriber_id)
        .where(received),
    )
    sent = statement.excluded["last_sent_at"]
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=names[:3],
            set_={
                "received": engagement.c.received + 1,
                "unopened": engagement.c.unopened + _unopened(engagement.c.last_open_at, sent),
                "last_sent_at": later(engagement.c.last_sent_at, sent),
            },
        )
    )


def recount_unopened(connection: Connection, late: Mapping[tuple[ScopeKey, int], dt.datetime]) -> None:
    """Set `unopened` right for people who opened something after a younger message of that scope was counted.

    `late` has each one's last open. Their messages since then are looked up one by one.
    """
    if not late:
        return
    received = _received_by(connection, {person for _, person in late}, since=min(late.values()))
    rows = [
        (*scope, person, sum(at > opened and scope in scopes for scopes, at in received[person]))
        for (scope, person), opened in sorted(late.items())
    ]
    new = given(connection, ("scope_kind", "scope_id", "person", "unopened"), rows)
    connection.execute(
        update(profile)
        .where(profile.c.subscriber_id == new.c.person, new.c.scope_kind == 0)
        .values(unopened=new.c.unopened)
    )
    connection.execute(
        update(engagement)
        .where(
            engagement.c.scope_kind == new.c.scope_kind,
            engagement.c.scope_id == new.c.scope_id,
            engagement.c.subscriber_id == new.c.person,
        )
        .values(unopened=new.c.unopened)
    )


def _received_by(
    connection: Connection, people: set[int], *, since: dt.datetime
) -> dict[int, list[tuple[set[ScopeKey], dt.datetime]]]:
    """What each of these people received since then, of what is counted already: in which scopes, and when."""
    counted = positions(connection, RECEIVED)
    recent = connection.execute(select(campaign.c.id).where(campaign.c.finished_at >= since)).scalars()
    numbers = [number for number in recent if str(number) in counted]
    wanted = given(connection, ("campaign", "person"), [(number, person) for number in numbers for person in people])
    rows = connection.execute(
        select(delivery.c.subscriber_id, campaign.c.id, campaign.c.department_id, campaign.c.topic_id, delivery.c.at)
        .join(wanted, and_(wanted.c.campaign == delivery.c.campaign_id, wanted.c.person == delivery.c.subscriber_id))
        .join(campaign, campaign.c.id == delivery.c.campaign_id)
        .where(delivery.c.state == State.ACCEPTED.value)
    )
    received: dict[int, list[tuple[set[ScopeKey], dt.datetime]]] = defaultdict(list)
    for person, campaign_id, department_id, topic_id, at in rows:
        if person <= counted[str(campaign_id)]:
            received[person].append(({EVERYTHING, *pairs(Scope(department_id, topic_id))}, at))
    return received


def scopes_of(connection: Connection, campaigns: Iterable[int]) -> dict[int, Scope]:
    rows = connection.execute(
        select(campaign.c.id, campaign.c.department_id, campaign.c.topic_id).where(campaign.c.id.in_(list(campaigns)))
    )
    return {number: Scope(department_id, topic_id) for number, department_id, topic_id in rows}


def pairs(scope: Scope) -> list[ScopeKey]:
    both = ((DEPARTMENT, scope.department_id), (TOPIC, scope.topic_id))
    return [(kind, number) for kind, number in both if number is not None]


def _unopened(opened: ColumnElement[Any], sent: ColumnElement[Any]) -> ColumnElement[int]:
    return case((or_(opened.is_(None), opened < sent), 1), else_=0)
