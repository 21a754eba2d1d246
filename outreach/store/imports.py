"""What an import would change: people, subscriptions, and how its rows are counted.

Every staged row is counted once. The first row of a person (in the order of the file) carries that
person's fate: suppressed, new, changed or unchanged; each further row of the same person is a
duplicate, though what it says is folded in and the topics it names are subscribed to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, and_, case, exists, func, insert, literal, or_, select, text, update

from outreach.store import tables
from outreach.store.staging import FREQUENCIES, Stage, dump

_AT_ONCE: Final = 5_000


class Staged(NamedTuple):
    """One row of a person that has to be folded."""

    attributes: dict[str, Any]
    locale: str | None
    joined: int | None
    at: int


class Held(NamedTuple):
    """What the store holds of that person."""

    attributes: dict[str, Any]
    locale: str | None
    joined: int | None
    as_of: int
    source: str
    dates: dict[str, tuple[int, str]]


class Folded(NamedTuple):
    """The person afterwards."""

    held: Held
    slots: tuple[str | float | int | None, ...]


FoldPerson = Callable[[Held | None, Sequence[Staged]], Folded]


@dataclass(frozen=True, slots=True)
class Difference:
    """People by what the import does to them, and the further rows of people counted already."""

    new: int
    changed: int
    unchanged: int
    suppressed: int
    duplicates: int


def compare(stage: Stage, topic_ids: Sequence[int], *, system: str, fold: FoldPerson) -> Difference:
    """What an import from `system` would do. `topic_ids` are those of the staged topics, by their numbers from 0."""
    _gather_people(stage)
    _fold_people(stage, system, fold)
    _gather_subscriptions(stage, topic_ids)
    return _count(stage)


def _gather_people(stage: Stage) -> None:
    row, person, known = stage.row, stage.person, tables.subscriber
    stage.connection.execute(text("CREATE INDEX staged_row_address ON staged_row (address)"))
    stage.analyze(row)
    found = (
        select(
            row.c.address,
            func.coalesce(known.c.id, _new_id(stage, row.c.address)),
            func.min(row.c.number),
            func.count(),
            case((known.c.id.is_(None), 0), else_=1),
            literal(0),
            func.min(row.c.suppress),
        )
        .select_from(row.outerjoin(known, known.c.address == row.c.address))
        .group_by(row.c.address, known.c.id)
        .order_by(row.c.address)
    )
    stage.connection.execute(insert(person).from_select(list(person.columns.keys()), found))
    stage.analyze(person)


def _new_id(stage: Stage, order: ColumnElement[str]) -> ColumnElement[int]:
    """Ids ascend with the address, so that both its indexes are written from left to right."""
    if not stage.is_sqlite:
        return func.nextval(func.pg_get_serial_sequence("subscriber", "id"))
    # Not subscriber's own maximum alone: an erased person's number lives on in consent and in old links.
    owners = (tables.subscriber.c.id, tables.consent.c.subscriber_id, tables.suppression.c.subscriber_id)
    highest = max(stage.connection.scalar(select(func.max(owner))) or 0 for owner in owners)
    return literal(highest) + func.row_number().over(order_by=order)


def _fold_people(stage: Stage, system: str, fold: FoldPerson) -> None:
    """Work out those with several rows and those known already, and note whether anything about them changes."""
    batch: list[tuple[Any, ...]] = []
    for person_id, held, rows in _people_to_fold(stage, system):
        after, slots = fold(held, rows)
        changed = held is None or (after.attributes, after.locale, after.joined) != (
            held.attributes,
            held.locale,
            held.joined,
        )
        dates = dump(after.dates) if after.dates else None
        values = (dump(after.attributes), after.locale, after.joined, after.as_of, after.source, dates)
        batch.append((person_id, *values, int(changed), *slots))
        if len(batch) >= _AT_ONCE:
            stage.pour(stage.folded, batch)
            batch.clear()
    stage.pour(stage.folded, batch)
    stage.analyze(stage.folded)
    changed_ids = select(stage.folded.c.id).where(stage.folded.c.changed == 1)
    stage.connection.execute(update(stage.person).where(stage.person.c.id.in_(changed_ids)).values(changed=1))


def _people_to_fold(stage: Stage, system: str) -> Iterator[tuple[int, Held | None, list[Staged]]]:
    row, person = stage.row, stage.person
    known, profile, provenance = tables.subscriber, tables.profile, tables.provenance
    query = (
        select(
            person.c.id,
            person.c.known,
            row.c.attributes,
            row.c.locale,
            row.c.joined,
            row.c.at,
            stage.json_text(known.c.attributes).label("held"),
            profile.c.locale.label("held_locale"),
            stage.milliseconds(profile.c.joined_at).label("held_joined"),
            # Without a note of their age, values are as old as the person's row.
            stage.milliseconds(func.coalesce(provenance.c.as_of, known.c.created_at)).label("as_of"),
            func.coalesce(provenance.c.source, "").label("source"),
            provenance.c.dates,
        )
        .select_from(
            person.join(row, row.c.address == person.c.address)
            .outerjoin(known, known.c.id == person.c.id)
            .outerjoin(profile, profile.c.subscriber_id == person.c.id)
            .outerjoin(provenance, provenance.c.subscriber_id == person.c.id)
        )
        .where(or_(person.c.known == 1, person.c.rows > 1))
        .order_by(person.c.address, row.c.number)
    )
    result = stage.connection.execute(query.execution_options(yield_per=_AT_ONCE))
    for person_id, rows in groupby(result, key=attrgetter("id")):
        group = list(rows)
        if len(group) == 1 and _says_nothing_new(group[0], system):
            continue
        staged = [Staged(json.loads(found.attributes), found.locale, found.joined, found.at) for found in group]
        yield person_id, _held(group[0]) if group[0].known else None, staged


def _says_nothing_new(found: Any, system: str) -> bool:
    """The row says, letter for letter, what we hold from the same system of the same date: most of a monthly export."""
    return (
        found.attributes == found.held
        and (found.at, system, found.locale, found.joined)
        == (found.as_of, found.source, found.held_locale, found.held_joined)
        and not found.dates
    )


def _gather_subscriptions(stage: Stage, topic_ids: Sequence[int]) -> None:
    """One row for each person and topic, and a mark on everybody for whom it is news."""
    stage.analyze(stage.wish)
    stage.pour(stage.topic, list(enumerate(topic_ids)))
    wish, person, staged, now = stage.wish, stage.person, stage.subscription, tables.subscription
    found = (
        select(
            stage.topic.c.topic_id,
            person.c.id,
            func.min(wish.c.at),
            func.max(wish.c.frequency),
            func.min(wish.c.number),
        )
        .select_from(
            wish.join(person, person.c.address == wish.c.address).join(
                stage.topic, stage.topic.c.number == wish.c.topic
            )
        )
        .group_by(stage.topic.c.topic_id, person.c.id)
    )
    stage.connection.execute(insert(staged).from_select(list(staged.columns.keys()), found))
    stage.analyze(staged)
    news = (
        select(staged.c.subscriber_id)
        .select_from(
            staged.outerjoin(
                now, and_(now.c.topic_id == staged.c.topic_id, now.c.subscriber_id == staged.c.subscriber_id)
            )
        )
        .where(
            or_(
                now.c.topic_id.is_(None),
                and_(_is_newer_frequency(stage), now.c.frequency != staged.c.frequency % FREQUENCIES),
            )
        )
    )
    stage.connection.execute(update(person).where(person.c.id.in_(news)).values(changed=1))


def _is_newer_frequency(stage: Stage) -> ColumnElement[bool]:
    """Somebody asked for this frequency later than for the one that stands; of the same day, the rarer one."""
    staged, now = stage.subscription.c, tables.subscription.c
    at = stage.moment(staged.frequency // FREQUENCIES)
    rarer = and_(at == now.frequency_at, staged.frequency % FREQUENCIES > now.frequency)
    return and_(staged.frequency.is_not(None), or_(now.frequency_at.is_(None), at > now.frequency_at, rarer))


def _count(stage: Stage) -> Difference:
    person, suppression = stage.person, tables.suppression
    suppressed = or_(person.c.suppress.is_not(None), exists(select(1).where(suppression.c.address == person.c.address)))
    fate = case(
        (suppressed, "suppressed"), (person.c.known == 0, "new"), (person.c.changed == 1, "changed"), else_="unchanged"
    ).label("fate")
    counted = select(fate, func.count(), func.sum(person.c.rows - 1)).group_by(fate)
    people: dict[str, int] = {}
    duplicates = 0
    for name, number, further in stage.connection.execute(counted):
        people[name] = number
        duplicates += int(further)
    return Difference(
        new=people.get("new", 0),
        changed=people.get("changed", 0),
        unchanged=people.get("unchanged", 0),
        suppressed=people.get("suppressed", 0),
        duplicates=duplicates,
    )


def _held(found: Any) -> Held:
    dates = {field: (at, source) for field, (at, source) in (found.dates or {}).items()}
    return Held(json.loads(found.held), found.held_locale, found.held_joined, found.as_of, found.source, dates)
