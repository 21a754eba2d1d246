"""Holding the roll-up against the records it was made from, for some people drawn by chance, and putting it right.

Only what is folded is compared, so an event that came in this minute is no difference.
"""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Select, and_, func, select

from outreach.store.bulk import given
from outreach.store.checkpoints import positions
from outreach.store.database import Store
from outreach.store.deliveries import State
from outreach.store.dialects import from_ms
from outreach.store.engagement import folded_by
from outreach.store.receipts import CAMPAIGN, DEPARTMENT, EVERYTHING, RECEIVED, TOPIC, ScopeKey, pairs, scopes_of
from outreach.store.rolling import Days, Touched
from outreach.store.tables import campaign, delivery, department, engagement, engagement_day, profile, topic

SHOWN = 5
_NAMES = ("received", "opens", "clicks", "unopened", "last_sent_at", "last_open_at", "last_click_at")
Row = tuple[int, int, int, int, dt.datetime | None, dt.datetime | None, dt.datetime | None]
Day = tuple[int, int, int, int, int]
"""Kind, day, campaign, department and topic."""
Figures = tuple[dict[ScopeKey, Row], Counter[Day]]
"""By scope; and the counts of days."""
_SCOPES = {DEPARTMENT: department, TOPIC: topic, CAMPAIGN: campaign}
NOTHING: Row = (0, 0, 0, 0, None, None, None)


@dataclass(frozen=True, slots=True)
class Compared:
    """How many people were looked at, and the numbers of those whose figures are not what their records say."""

    people: int
    different: tuple[int, ...]

    def sentence(self) -> str:
        some = ", ".join(map(str, self.different[:SHOWN]))
        return (
            f"the engagement of {len(self.different):,} of {self.people:,} people differs from their events "
            f"(subscribers {some}); count again with: outreach store rebuild-engagement"
        )


def compare(store: Store, *, zone: ZoneInfo, people: int, seed: int | None = None) -> Compared:
    """Count the records of so many people in the plainest way, and compare with what rules see.

    Reads every event once. Leaves out people whose message was settled after its campaign had been counted.
    """
    with store.read() as main, store.read_events() as raw:
        drawn = _drawn(main, people, seed)
        wanted = _truth(main, raw, drawn, Days(zone))
        kept = _kept(main, drawn)
        settled_late = _settled_late(main, drawn)
    different = [one for one in sorted(drawn - settled_late) if wanted[one] != kept[one]]
    return Compared(len(drawn), tuple(different))


def _drawn(connection: Connection, people: int, seed: int | None) -> set[int]:
    highest = connection.execute(select(func.max(profile.c.subscriber_id))).scalar() or 0
    dice = random.Random(seed)  # noqa: S311 - a sample, not a secret
    tries = {dice.randint(1, highest) for _ in range(2 * people)} if highest > 2 * people else set(range(highest + 1))
    found = given(connection, ("person",), [(one,) for one in sorted(tries)])
    rows = connection.execute(select(profile.c.subscriber_id).join(found, found.c.person == profile.c.subscriber_id))
    return set(dice.sample(known, people) if len(known := sorted(rows.scalars())) > people else known)


def _truth(main: Connection, raw: Connection, people: Collection[int], days: Days) -> dict[int, Figures]:
    touches = folded_by(main, raw, people)
    scopes = scopes_of(main, {touch.campaign_id for touch, _ in touches})
    received = _received(main, people)
    mine: dict[int, list[Touched]] = defaultdict(list)
    for touch, at in touches:
        if touch.campaign_id in scopes:
            mine[touch.subscriber_id].append((touch, at))
    found: dict[int, Figures] = {}
    for person in people:
        rows: dict[ScopeKey, Row] = {}
        of_scope: dict[ScopeKey, list[Touched]] = defaultdict(list)
        seen: set[tuple[object, int]] = set()
        by_day: Counter[Day] = Counter()
        for touch, at in mine[person]:
            scope = scopes[touch.campaign_id]
            for key in (EVERYTHING, *pairs(scope), (CAMPAIGN, touch.campaign_id)):
                of_scope[key].append((touch, at))
            if (touch, days(at)) not in seen:
                seen.add((touch, days(at)))
                where = touch.campaign_id, scope.department_id or 0, scope.topic_id or 0
                by_day[touch.kind, days(at), *where] += 1
        for key in of_scope.keys() | received[person].keys():
            rows[key] = _row(of_scope[key], received[person].get(key, []))
        found[person] = ({key: row for key, row in rows.items() if row != NOTHING}, by_day)
    return found


def _row(touches: list[Touched], received: list[dt.datetime]) -> Row:
    opens = [(touch, at) for touch, at in touches if touch.kind == 1]
    clicks = [(touch, at) for touch, at in touches if touch.kind == 2]
    opened = from_ms(max(at for _, at in opens)) if opens else None
    clicked = from_ms(max(at for _, at in clicks)) if clicks else None
    unopened = sum(opened is None or at > opened for at in received)
    last = max(received, default=None)
    return (
        len(received),
        len({one for one, _ in opens}),
        len({one for one, _ in clicks}),
        unopened,
        last,
        opened,
        clicked,
    )


def _received(connection: Connection, people: Collection[int]) -> dict[int, dict[ScopeKey, list[dt.datetime]]]:
    """When each person received something, by scope, of the campaigns that are counted."""
    counted = positions(connection, RECEIVED)
    rows = connection.execute(
        _deliveries(connection, people, counted).where(delivery.c.state == State.ACCEPTED.value)
    ).all()
    scopes = scopes_of(connection, {row.campaign_id for row in rows})
    found: dict[int, dict[ScopeKey, list[dt.datetime]]] = defaultdict(lambda: defaultdict(list))
    for campaign_id, person, at in rows:
        if person <= counted[str(campaign_id)]:
            for key in (EVERYTHING, *pairs(scopes[campaign_id])):
                found[person][key].append(at)
    return found


def _settled_late(connection: Connection, people: Collection[int]) -> set[int]:
    counted = positions(connection, RECEIVED)
    query = _deliveries(connection, people, counted).join(
        campaign, and_(campaign.c.id == delivery.c.campaign_id, delivery.c.at > campaign.c.finished_at)
    )
    return {person for _, person, _ in connection.execute(query)}


def _deliveries(connection: Connection, people: Collection[int], campaigns: Collection[str]) -> Select[Any]:
    asked = given(connection, ("campaign", "person"), [(int(one), person) for one in campaigns for person in people])
    return select(delivery.c.campaign_id, delivery.c.subscriber_id, delivery.c.at).join(
        asked, and_(asked.c.campaign == delivery.c.campaign_id, asked.c.person == delivery.c.subscriber_id)
    )


def _kept(connection: Connection, people: Collection[int]) -> dict[int, Figures]:
    found: dict[int, Figures] = {person: ({}, Counter()) for person in people}
    asked = given(connection, ("person",), [(one,) for one in people])
    overall = select(profile.c.subscriber_id, *(profile.c[name] for name in _NAMES))
    for person, *row in connection.execute(overall.join(asked, asked.c.person == profile.c.subscriber_id)):
        _keep(found[person], EVERYTHING, row)
    keys = [(kind, number, person) for kind, table in _SCOPES.items()
            for number in connection.execute(select(table.c.id)).scalars() for person in people]  # fmt: skip
    asked = given(connection, ("kind", "number", "person"), keys)
    theirs = and_(
        engagement.c.scope_kind == asked.c.kind,
        engagement.c.scope_id == asked.c.number,
        engagement.c.subscriber_id == asked.c.person,
    )
    names = ("scope_kind", "scope_id", "subscriber_id", *_NAMES)
    for kind, number, person, *row in connection.execute(
        select(*(engagement.c[name] for name in names)).join(asked, theirs)
    ):
        _keep(found[person], (kind, number), row)
    asked = given(connection, ("person",), [(one,) for one in people])
    days = select(engagement_day).join(asked, asked.c.person == engagement_day.c.subscriber_id)
    for kind, day, person, campaign_id, department_id, topic_id, count in connection.execute(days):
        found[person][1][kind, day, campaign_id, department_id, topic_id] = count
    return found


def _keep(figures: Figures, scope: ScopeKey, values: Sequence[Any]) -> None:
    received, opens, clicks, unopened, sent, opened, clicked = values
    row: Row = (received, opens, clicks, unopened, sent, opened, clicked)
    if row != NOTHING:
        figures[0][scope] = row
