"""Adding what people did to the roll-up: a batch of touches becomes five statements, however many they are."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Table, and_, case, func, select, update

from outreach.events import Kind
from outreach.store.bulk import given, moment
from outreach.store.checkpoints import insert, later
from outreach.store.dialects import EPOCH, from_ms
from outreach.store.receipts import CAMPAIGN, EVERYTHING, Scope, ScopeKey, pairs, recount_unopened
from outreach.store.tables import campaign, engagement, engagement_day, profile

_QUARTER_HOUR_MS = 900_000
"""Days begin, and clocks are put forward and back, on a quarter of an hour."""
_FIGURES = ("opens", "clicks", "open_at", "click_at")
_KEY = ("scope_kind", "scope_id", "subscriber_id")
_DAY_KEY = ("kind", "day", "subscriber_id", "campaign_id")
_DAY = (*_DAY_KEY, "department_id", "topic_id")
Day = tuple[int, int, int, int, int, int]


class Touch(NamedTuple):
    """One thing a person did with one campaign; for an open the link is 0."""

    kind: int
    campaign_id: int
    subscriber_id: int
    link: int


Touched = tuple[Touch, int]
"""What, and when: milliseconds since 1970."""


class Days:
    """The day of a moment in one zone, as its number since 1970."""

    def __init__(self, zone: ZoneInfo) -> None:
        epoch = EPOCH.date()

        @lru_cache(maxsize=4096)
        def day(quarter: int) -> int:
            return (from_ms(quarter * _QUARTER_HOUR_MS).astimezone(zone).date() - epoch).days

        self._day = day

    def __call__(self, at_ms: int) -> int:
        return self._day(at_ms // _QUARTER_HOUR_MS)


def add(
    connection: Connection,
    touches: Iterable[Touched],
    *,
    earlier: Iterable[Touched],
    scopes: Mapping[int, Scope],
    days: Days,
) -> None:
    """Count these touches; `earlier` are those that the same people's figures have in them already.

    A touch of somebody erased since, or of a campaign of another database, is counted for nobody.
    """
    known: set[Touch] = set()
    known_on: set[tuple[Touch, int]] = set()
    for touch, at in earlier:
        known.add(touch)
        known_on.add((touch, days(at)))
    people: dict[int, list[int | None]] = {}
    scoped: dict[tuple[int, int, int], list[int | None]] = {}
    by_day: Counter[Day] = Counter()
    scopes_of = {number: [*pairs(scope), (CAMPAIGN, number)] for number, scope in scopes.items()}
    for touch, at in touches:
        kind, campaign_id, person, _ = touch
        if campaign_id not in scopes:
            continue
        new = touch not in known
        known.add(touch)
        _count(people.setdefault(person, [0, 0, None, None]), kind, new, at)
        for scope_kind, scope_id in scopes_of[campaign_id]:
            _count(scoped.setdefault((scope_kind, scope_id, person), [0, 0, None, None]), kind, new, at)
        day = days(at)
        if (touch, day) not in known_on:
            known_on.add((touch, day))
            scope = scopes[campaign_id]
            by_day[kind, day, person, campaign_id, scope.department_id or 0, scope.topic_id or 0] += 1
    late = _add_to_profiles(connection, people)
    late |= _add_to_scopes(connection, scoped)
    _add_days(connection, by_day)
    recount_unopened(connection, late)


def first_days(connection: Connection) -> dict[str, dt.date | None]:
    """Since which day opens, clicks and received messages are known; None: none is."""
    found: dict[str, dt.date | None] = {}
    for verb, kind in (("opened", Kind.OPEN), ("clicked", Kind.CLICK)):
        mine = select(func.min(engagement_day.c.day)).where(engagement_day.c.kind == kind.value)
        day = connection.execute(mine).scalar()
        found[verb] = None if day is None else EPOCH.date() + dt.timedelta(days=day)
    first: dt.datetime | None = connection.execute(
        select(func.min(campaign.c.started_at, type_=campaign.c.started_at.type))
    ).scalar()
    found["received"] = first.date() if first else None
    return found


def _count(figures: list[int | None], kind: int, new: bool, at: int) -> None:
    place = 0 if kind == Kind.OPEN else 1
    figures[place] = (figures[place] or 0) + new
    latest = figures[place + 2]
    figures[place + 2] = at if latest is None or at > latest else latest


def _add_to_profiles(
    connection: Connection, people: Mapping[int, list[int | None]]
) -> dict[tuple[ScopeKey, int], dt.datetime]:
    if not people:
        return {}
    new = given(connection, ("person", *_FIGURES), [(person, *people[person]) for person in sorted(people)])
    opened, clicked = (moment(connection, new.c[name]) for name in ("open_at", "click_at"))
    connection.execute(
        update(profile)
        .where(profile.c.subscriber_id == new.c.person)
        .values(
            opens=profile.c.opens + new.c.opens,
            clicks=profile.c.clicks + new.c.clicks,
            last_open_at=later(profile.c.last_open_at, opened),
            last_click_at=later(profile.c.last_click_at, clicked),
            unopened=_unopened(profile, opened),
        )
    )
    theirs = and_(profile.c.subscriber_id == new.c.person, new.c.open_at.is_not(None), profile.c.unopened > 0)
    rows = connection.execute(select(profile.c.subscriber_id, profile.c.last_open_at).join(new, theirs))
    return {(EVERYTHING, person): last for person, last in rows}


def _add_to_scopes(
    connection: Connection, scoped: Mapping[tuple[int, int, int], list[int | None]]
) -> dict[tuple[ScopeKey, int], dt.datetime]:
    if not scoped:
        return {}
    new = given(connection, (*_KEY, *_FIGURES), [(*key, *scoped[key]) for key in sorted(scoped)])
    opened, clicked = (moment(connection, new.c[name]) for name in ("open_at", "click_at"))
    names = [*_KEY, "opens", "clicks", "last_open_at", "last_click_at"]
    # Joined in the where clause: SQLite would take ON CONFLICT for the condition of a join.
    values = select(*(new.c[name] for name in (*_KEY, "opens", "clicks")), opened, clicked).where(
        profile.c.subscriber_id == new.c.subscriber_id
    )
    statement = insert(connection, engagement).from_select(names, values)
    excluded = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(_KEY),
            set_={
                "opens": engagement.c.opens + excluded["opens"],
                "clicks": engagement.c.clicks + excluded["clicks"],
                "last_open_at": later(engagement.c.last_open_at, excluded["last_open_at"]),
                "last_click_at": later(engagement.c.last_click_at, excluded["last_click_at"]),
                "unopened": _unopened(engagement, excluded["last_open_at"]),
            },
        )
    )
    same = and_(*(engagement.c[name] == new.c[name] for name in _KEY))
    theirs = and_(same, new.c.open_at.is_not(None), engagement.c.unopened > 0)
    rows = connection.execute(select(*(engagement.c[name] for name in (*_KEY, "last_open_at"))).join(new, theirs))
    return {((kind, number), person): last for kind, number, person, last in rows}


def _add_days(connection: Connection, days: Mapping[Day, int]) -> None:
    if not days:
        return
    new = given(connection, (*_DAY, "count"), [(*key, days[key]) for key in sorted(days)])
    values = select(*new.c).where(profile.c.subscriber_id == new.c.subscriber_id)
    statement = insert(connection, engagement_day).from_select([*_DAY, "count"], values)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(_DAY_KEY), set_={"count": engagement_day.c.count + statement.excluded["count"]}
        )
    )


def _unopened(table: Table, opened: ColumnElement[Any]) -> ColumnElement[int]:
    """Nearly always 0 after an open. Where a message was counted that is younger than it, it is looked up later."""
    latest = later(table.c.last_open_at, opened)
    return case((and_(opened.is_not(None), table.c.last_sent_at <= latest), 0), else_=table.c.unopened)
