"""How the list grows: who joined, returned, left, died, was erased or sunset, adding up to the person.

On the list is whoever may be written to: confirmed for some topic, and not suppressed. A count holds the list
beside the one of the last count and notes each person who came or went since, with the reason that stands at
that moment. So what is added and taken away always makes the list as it is; whoever came and went between two
counts was never on it. A count is cheap: `outreach cron` makes one a night, and whoever asks makes another.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, case, delete, exists, func, insert, literal, select

from outreach.store import tables
from outreach.store.consent import CONFIRMED
from outreach.store.dialects import Instant
from outreach.store.suppressions import Reason
from outreach.store.undoing import UNDONE

SUNSET_SOURCE: Final = "sunset"  # as bounces.sunset writes it into the log of consent


class Kind(IntEnum):
    """How somebody came onto the list, or went from it. The numbers are stored: never reuse one."""

    JOINED = 1
    RETURNED = 2  # had been on it before
    LEFT = 3  # unsubscribed, complained, or was suppressed by hand
    DEAD = 4  # the address does not work any more
    ERASED = 5
    SUNSET = 6  # silent for so long that we stopped
    TAKEN_BACK = 7  # an import was undone

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", " ")


COMING: Final = frozenset({Kind.JOINED, Kind.RETURNED})


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` up to, not including, `end`: `before` and what came and went make `after`."""

    start: dt.datetime
    end: dt.datetime
    before: int
    people: dict[Kind, int]
    after: int


def count(connection: Connection, *, now: dt.datetime) -> int:
    """Note who came and who went since the last count; how many are on the list."""
    _one_at_a_time(connection)
    listed, movement = tables.listed, tables.movement
    before = connection.scalar(select(func.coalesce(func.max(movement.c.id), 0)))
    here = on_the_list().subquery()
    was = exists(select(1).where(listed.c.subscriber_id == here.c.id))
    _note(connection, select(here.c.id, _how_they_came(here.c.id)).where(~was), now)
    is_here = on_the_list().with_only_columns(literal(1)).where(tables.subscriber.c.id == listed.c.subscriber_id)
    gone = select(listed.c.subscriber_id).where(~exists(is_here.correlate(listed)))
    _note(connection, gone.add_columns(_why_they_went(listed.c.subscriber_id)), now)
    # What was noted is what changes, not what a second look would find: people come and go meanwhile.
    noted = select(movement.c.subscriber_id).where(movement.c.id > before)
    connection.execute(delete(listed).where(listed.c.subscriber_id.in_(noted.where(movement.c.kind.not_in(COMING)))))
    connection.execute(insert(listed).from_select(["subscriber_id"], noted.where(movement.c.kind.in_(COMING))))
    return connection.scalar(select(func.count()).select_from(listed)) or 0


def on_the_list() -> Select[Any]:
    """The numbers of all who may be written to."""
    person, subscription, suppression = tables.subscriber, tables.subscription, tables.suppression
    confirmed = select(1).where(subscription.c.subscriber_id == person.c.id, subscription.c.status == CONFIRMED)
    suppressed = select(1).where(suppression.c.address == person.c.address)
    return select(person.c.id).where(exists(confirmed), ~exists(suppressed))


def periods(connection: Connection, bounds: Sequence[dt.datetime]) -> list[Period]:
    """What came and went between each two moments, which ascend."""
    movement = tables.movement
    place = sum((case((movement.c.at >= bound, 1), else_=0) for bound in bounds), start=literal(0))
    counted = select(place.label("place"), movement.c.kind, func.count()).group_by("place", movement.c.kind)
    people: list[dict[Kind, int]] = [dict.fromkeys(Kind, 0) for _ in range(len(bounds) + 1)]
    for number, kind, several in connection.execute(counted):
        people[number][Kind(kind)] = several
    found = []
    size = _growth(people[0])
    for start, end, moved in zip(bounds, bounds[1:], people[1:], strict=False):
        after = size + _growth(moved)
        found.append(Period(start, end, size, moved, after))
        size = after
    return found


def first(connection: Connection) -> dt.datetime | None:
    """When the list was first counted with somebody on it."""
    found: dt.datetime | None = connection.scalar(select(func.min(tables.movement.c.at)))
    return found


def _growth(people: dict[Kind, int]) -> int:
    return sum(number if kind in COMING else -number for kind, number in people.items())


def _note(connection: Connection, people: Select[Any], now: dt.datetime) -> None:
    rows = people.add_columns(literal(now, Instant))
    connection.execute(
        insert(tables.movement).from_select(["subscriber_id", "kind", "at"], rows, include_defaults=False)
    )


def _how_they_came(person_id: ColumnElement[int]) -> ColumnElement[int]:
    before = exists(select(1).where(tables.movement.c.subscriber_id == person_id))
    return case((before, Kind.RETURNED.value), else_=Kind.JOINED.value)


def _why_they_went(person_id: ColumnElement[int]) -> ColumnElement[int]:
    person, suppression, consent = tables.subscriber, tables.suppression, tables.consent
    erased = exists(
        select(1).where(suppression.c.subscriber_id == person_id, suppression.c.reason == Reason.ERASED.value)
    )
    reason = (
        select(suppression.c.reason)
        .join(person, person.c.address == suppression.c.address)
        .where(person.c.id == person_id)
        .scalar_subquery()
    )
    last_word = (
        select(consent.c.source)
        .where(consent.c.subscriber_id == person_id)
        .order_by(consent.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return case(
        (erased, Kind.ERASED.value),
        (reason == Reason.BOUNCE.value, Kind.DEAD.value),
        (reason.is_not(None), Kind.LEFT.value),
        (last_word.like(UNDONE.format("%")), Kind.TAKEN_BACK.value),
        (last_word == SUNSET_SOURCE, Kind.SUNSET.value),
        else_=Kind.LEFT.value,
    )


def _one_at_a_time(connection: Connection) -> None:
    """Two counts at once would note the same people twice. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE listed IN SHARE ROW EXCLUSIVE MODE")
