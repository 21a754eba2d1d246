"""The engagement roll-up: what each person did, kept so that a rule never has to read raw events.

People's events only. Everything here is a count of different things, or a latest moment, so it does not matter in
which order events arrive or how often a fold is cut short:

* `opens` is the number of campaigns a person opened, `clicks` the number of links they followed. Opening one campaign
  five times is one open.
* `engagement_day` counts the same for one day: a campaign opened on Monday and read again on Thursday is on both days.
* `received` counts finished campaigns whose message was accepted; `unopened` those accepted after the last open.

Exactly once: how far a fold has read (`checkpoint` rows `engagement:<spool>` and `received:<campaign>`) moves in the
same transaction as the figures. `fold` is for cron, often; `rebuild` starts over and must find the same.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, delete, select, update

from outreach.events import Kind
from outreach.store.checkpoints import (
    forget,
    generation,
    insert,
    later,
    locked_generation,
    move,
    next_generation,
    positions,
)
from outreach.store.database import Store
from outreach.store.dialects import EPOCH, Instant
from outreach.store.events import Verdict
from outreach.store.receipts import (
    EVERYTHING,
    RECEIVED,
    ScopeKey,
    finished,
    fold_campaigns,
    fold_slice,
    pairs,
    recount_unopened,
    scopes_of,
)
from outreach.store.tables import engagement, engagement_day, event, event_position, profile

_EVENTS_A_BATCH = 5_000
_SPOOL = "engagement:"
_COUNTED = {Kind.OPEN: ("opens", "last_open_at"), Kind.CLICK: ("clicks", "last_click_at")}


@dataclass(frozen=True, slots=True)
class Folded:
    """What one run added: people's events read, and campaigns whose receipt was counted."""

    events: int
    campaigns: int


class _Touch(NamedTuple):
    """One thing a person did with one campaign; for an open the link is 0."""

    kind: Kind
    campaign_id: int
    subscriber_id: int
    link: int


@dataclass(frozen=True, slots=True)
class _Batch:
    generation: int
    touches: list[tuple[_Touch, dt.datetime]]
    earlier: list[tuple[_Touch, dt.datetime]]
    """What the same people did with the same campaigns, and was folded before."""
    reached: dict[str, int]


def by_a_person() -> ColumnElement[bool]:
    """Whether a row of `event` counts as a person's: it was judged so, or not judged yet."""
    return event.c.verdict.in_([Verdict.UNJUDGED.value, Verdict.PERSON.value])


def fold(store: Store, *, zone: ZoneInfo, batch: int = _EVENTS_A_BATCH) -> Folded:
    """Add every event and every finished campaign that is new since the last fold.

    Days are those of `zone`, the organisation's. Safe to kill, to repeat, and to run twice at once.
    """
    events = 0
    while True:
        with store.read() as main, store.read_events() as raw:
            found = _read(main, raw, batch)
        if found is None:
            break
        with store.write() as connection:
            if locked_generation(connection) == found.generation:  # else another folder was here: read again
                _write(connection, found, zone)
                events += len(found.touches)
    return Folded(events, fold_campaigns(store))


def rebuild(store: Store, *, zone: ZoneInfo) -> Folded:
    """Count everything again from the raw events, in one transaction: rules see the old figures until it is done."""
    events = campaigns = 0
    with store.write() as connection, store.read_events() as raw:
        next_generation(connection, locked_generation(connection))
        _forget(connection)
        while found := _read(connection, raw, _EVENTS_A_BATCH):
            _write(connection, found, zone)
            events += len(found.touches)
        for campaign_id in finished(connection):
            campaigns += 1
            while fold_slice(connection, campaign_id):
                pass
    return Folded(events, campaigns)


def _read(main: Connection, raw: Connection, limit: int) -> _Batch | None:
    """The next events not folded yet, or None when there are none."""
    number = generation(main)  # first: what another folder writes after this makes our batch void, never wrong
    folded = positions(main, _SPOOL)
    touches: list[tuple[_Touch, dt.datetime]] = []
    reached: dict[str, int] = {}
    for spool, loaded in sorted(_loaded(raw).items()):
        room = limit - len(touches)
        done = folded.get(spool, 0)
        if loaded <= done or room <= 0:
            continue
        rows = raw.execute(
            _people()
            .where(event.c.spool == spool, event.c.sequence > done, event.c.sequence <= loaded)
            .order_by(event.c.sequence)
            .limit(room)
        ).all()
        touches += [(_touch(row), row.at) for row in rows]
        reached[spool] = rows[-1].sequence if len(rows) == room else loaded
    if not reached:
        return None
    return _Batch(number, touches, _earlier(raw, touches, folded), reached)


def _loaded(raw: Connection) -> dict[str, int]:
    """How far each spool is in the events database.

    Positions are kept for each file of a spool: `ID`, then `ID.1` and so on, which the loader reads in that order.
    """
    loaded: dict[str, int] = {}
    for file, sequence in raw.execute(select(event_position.c.spool, event_position.c.sequence)):
        spool = file.partition(".")[0]
        loaded[spool] = max(sequence, loaded.get(spool, 0))
    return loaded


def _earlier(
    raw: Connection, touches: list[tuple[_Touch, dt.datetime]], folded: Mapping[str, int]
) -> list[tuple[_Touch, dt.datetime]]:
    if not touches or not folded:
        return []
    rows = raw.execute(
        _people().where(
            event.c.campaign_id.in_({touch.campaign_id for touch, _ in touches}),
            event.c.subscriber_id.in_({touch.subscriber_id for touch, _ in touches}),
        )
    )
    return [(_touch(row), row.at) for row in rows if row.sequence <= folded.get(row.spool, 0)]


def _people() -> Select[Any]:
    return select(
        event.c.spool,
        event.c.sequence,
        event.c.kind,
        event.c.campaign_id,
        event.c.subscriber_id,
        event.c.link,
        event.c.at,
    ).where(event.c.kind.in_([int(kind) for kind in _COUNTED]), by_a_person())


def _touch(row: Row[Any]) -> _Touch:
    kind = Kind(row.kind)
    return _Touch(kind, row.campaign_id, row.subscriber_id, row.link if kind is Kind.CLICK else 0)


def _write(connection: Connection, batch: _Batch, zone: ZoneInfo) -> None:
    scopes = scopes_of(connection, {touch.campaign_id for touch, _ in batch.touches})
    present = _present(connection, {touch.subscriber_id for touch, _ in batch.touches})
    known = {touch for touch, _ in batch.earlier}
    known_on = {(touch, _day(at, zone)) for touch, at in batch.earlier}
    overall: dict[tuple[Kind, int], _Tally] = defaultdict(_Tally)
    scoped: dict[tuple[Kind, int, int, int], _Tally] = defaultdict(_Tally)
    days: Counter[tuple[Kind, int, int, int, int]] = Counter()
    for touch, at in batch.touches:
        if touch.subscriber_id not in present or touch.campaign_id not in scopes:
            continue  # erased since, or a campaign of another database: kept as an event, counted for nobody
        scope, day = scopes[touch.campaign_id], _day(at, zone)
        new = touch not in known
        known.add(touch)
        overall[touch.kind, touch.subscriber_id].add(new, at)
        for scope_kind, scope_id in pairs(scope):
            scoped[touch.kind, scope_kind, scope_id, touch.subscriber_id].add(new, at)
        if (touch, day) not in known_on:
            known_on.add((touch, day))
            days[touch.kind, day, touch.subscriber_id, scope.department_id or 0, scope.topic_id or 0] += 1
    for kind in _COUNTED:
        _add_to_profiles(connection, kind, overall)
        _add_to_scopes(connection, kind, scoped)
    _add_days(connection, days)
    recount_unopened(connection, _openers(overall, scoped))
    for spool, sequence in batch.reached.items():
        move(connection, _SPOOL + spool, sequence)
    next_generation(connection, batch.generation)


@dataclass(slots=True)
class _Tally:
    new: int = 0
    latest: dt.datetime = EPOCH

    def add(self, new: bool, at: dt.datetime) -> None:
        self.new += new
        self.latest = max(self.latest, at)


def _add_to_profiles(connection: Connection, kind: Kind, overall: Mapping[tuple[Kind, int], _Tally]) -> None:
    count, latest = _COUNTED[kind]
    rows = [
        {"person": person, "new": tally.new, "latest": tally.latest}
        for (of, person), tally in sorted(overall.items())
        if of is kind
    ]
    if rows:
        connection.execute(
            update(profile)
            .where(profile.c.subscriber_id == bindparam("person"))
            .values({count: profile.c[count] + bindparam("new"), latest: later(profile.c[latest], _moment("latest"))}),
            rows,
        )


def _add_to_scopes(connection: Connection, kind: Kind, scoped: Mapping[tuple[Kind, int, int, int], _Tally]) -> None:
    count, latest = _COUNTED[kind]
    rows = [
        {
            "scope_kind": scope_kind,
            "scope_id": scope_id,
            "subscriber_id": person,
            count: tally.new,
            latest: tally.latest,
        }
        for (of, scope_kind, scope_id, person), tally in sorted(scoped.items())
        if of is kind
    ]
    if rows:
        statement = insert(connection, engagement)
        excluded = statement.excluded
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["scope_kind", "scope_id", "subscriber_id"],
                set_={
                    count: engagement.c[count] + excluded[count],
                    latest: later(engagement.c[latest], excluded[latest]),
                },
            ),
            rows,
        )


def _openers(
    overall: Mapping[tuple[Kind, int], _Tally], scoped: Mapping[tuple[Kind, int, int, int], _Tally]
) -> dict[ScopeKey, set[int]]:
    openers: dict[ScopeKey, set[int]] = defaultdict(set)
    for kind, person in overall:
        if kind is Kind.OPEN:
            openers[EVERYTHING].add(person)
    for kind, scope_kind, scope_id, person in scoped:
        if kind is Kind.OPEN:
            openers[scope_kind, scope_id].add(person)
    return openers


def _add_days(connection: Connection, days: Mapping[tuple[Kind, int, int, int, int], int]) -> None:
    names = ("kind", "day", "subscriber_id", "department_id", "topic_id")
    rows = [dict(zip(names, map(int, key), strict=True)) | {"count": count} for key, count in sorted(days.items())]
    if rows:
        statement = insert(connection, engagement_day)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=list(names), set_={"count": engagement_day.c.count + statement.excluded["count"]}
            ),
            rows,
        )


def _forget(connection: Connection) -> None:
    connection.execute(delete(engagement_day))
    connection.execute(delete(engagement))
    nothing = dict.fromkeys(("received", "opens", "clicks", "unopened"), 0)
    never = dict.fromkeys(("last_sent_at", "last_open_at", "last_click_at"))
    connection.execute(update(profile).values({**nothing, **never}))
    forget(connection, _SPOOL, RECEIVED)


def _present(connection: Connection, people: set[int]) -> set[int]:
    return set(connection.execute(select(profile.c.subscriber_id).where(profile.c.subscriber_id.in_(people))).scalars())


def _day(at: dt.datetime, zone: ZoneInfo) -> int:
    return (at.astimezone(zone).date() - EPOCH.date()).days


def _moment(name: str) -> ColumnElement[dt.datetime]:
    return bindparam(name, type_=Instant())
