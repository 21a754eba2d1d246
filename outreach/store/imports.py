"""What an import would change: people, subscriptions, and how its rows are counted.

Every staged row is counted once. The first row of a person (in the order of the file) carries that
person's fate: suppressed, new, changed or unchanged; each further row of the same person is a
duplicate, though what it says is folded in and the topics it names are subscribed to.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    null,
    or_,
    select,
    text,
    update,
)

from outreach.store import bulk, erasing, tables
from outreach.store.consent import SubscriptionStatus
from outreach.store.staging import FREQUENCIES, Fate, SlotValue, Stage, dump
from outreach.store.suspects import is_disposable, is_role

_AT_ONCE: Final = 5_000
_scan: Final = json.JSONDecoder().raw_decode


class Staged(NamedTuple):
    """One row of a person that has to be folded."""

    attributes: dict[str, Any]
    locale: str | None
    joined: int | None
    at: int
    slots: tuple[SlotValue, ...]
    written: str
    """The attributes, as JSON."""


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
    slots: tuple[SlotValue, ...]
    written: str
    """The attributes, as JSON."""


FoldPerson = Callable[[Held | None, Sequence[Staged]], Folded]


@dataclass(frozen=True, slots=True)
class Difference:
    """People by what the import does to them, and the further rows of people counted already."""

    new: int
    changed: int
    unchanged: int
    suppressed: int
    duplicates: int
    roles: int
    disposable: int
    fields: dict[str, int]
    """How many people we knew each field changes of."""

    def counts(self) -> dict[str, int]:
        named = ("new", "changed", "unchanged", "suppressed", "duplicates", "roles", "disposable")
        return {name: getattr(self, name) for name in named}


def compare(
    stage: Stage,
    topic_ids: Sequence[int],
    *,
    system: str,
    fold: FoldPerson,
    hashed: erasing.Hash | None = None,
) -> Difference:
    """What an import from `system` would do. `topic_ids` are those of the staged topics, by their numbers from 0."""
    _gather_people(stage, system)
    erased = _leave_out_erased(stage, hashed) if hashed else Counter()
    fields = _fold_people(stage, fold)
    _gather_subscriptions(stage, topic_ids)
    found = _count(stage)
    return replace(
        found,
        fields=fields,
        suppressed=found.suppressed + erased["people"],
        duplicates=found.duplicates + erased["rows"] - erased["people"],
    )


def _gather_people(stage: Stage, system: str) -> None:
    """One row for each person, in the order of addresses, with what is to be done about them."""
    stage.sort()
    row, person = stage.row, stage.person
    known, profile, provenance = tables.subscriber, tables.profile, tables.provenance
    group = (
        select(
            row.c.address,
            func.min(row.c.place).label("place"),
            func.count().label("rows"),
            func.min(row.c.suppress).label("suppress"),
        )
        .group_by(row.c.address)
        .subquery()
    )
    first = row.alias()
    joined, at = stage.moment(first.c.joined), stage.moment(first.c.at)
    same = and_(
        group.c.rows == 1,
        provenance.c.dates.is_(None),
        stage.says_the_same(first.c.attributes, known.c.attributes),
        first.c.locale.is_not_distinct_from(profile.c.locale),
        or_(first.c.joined.is_(None), func.coalesce(profile.c.joined_at <= joined, False)),
    )
    as_of = provenance.c.as_of
    own = and_(at == as_of, provenance.c.source == system)
    fate = case(
        (known.c.id.is_(None), Fate.NEW.value),
        (and_(same, or_(at < as_of, own)), Fate.LEFT.value),
        (and_(same, at > as_of), Fate.DATED.value),
        else_=Fate.FOLDED.value,
    )
    found = (
        select(
            group.c.place,
            group.c.address,
            func.coalesce(known.c.id, _new_id(stage)),
            group.c.rows,
            fate,
            group.c.suppress,
            literal(0),
        )
        .select_from(
            group.join(first, first.c.place == group.c.place)
            .outerjoin(known, known.c.address == group.c.address)
            .outerjoin(profile, profile.c.subscriber_id == known.c.id)
            .outerjoin(provenance, provenance.c.subscriber_id == known.c.id)
        )
        .order_by(group.c.place)
    )
    stage.connection.execute(insert(person).from_select(list(person.columns.keys()), found))
    stage.analyze(person)


def _leave_out_erased(stage: Stage, hashed: erasing.Hash) -> Counter[str]:
    """People who were erased do not come back with a file: how many they are, and their rows."""
    gone = erasing.hashes(stage.connection)
    if not gone:
        return Counter()
    person = stage.person
    strangers = stage.connection.execute(
        select(person.c.address, person.c.id, person.c.rows)
        .where(person.c.fate == Fate.NEW)
        .execution_options(yield_per=_AT_ONCE)
    )
    erased = [(person_id, rows) for address, person_id, rows in strangers if hashed(address) in gone]
    if erased:
        numbers = bulk.given(stage.connection, ["id"], [(person_id,) for person_id, _ in erased])
        stage.connection.execute(delete(person).where(person.c.id.in_(select(numbers.c.id))))
    return Counter(people=len(erased), rows=sum(rows for _, rows in erased))


def _new_id(stage: Stage) -> ColumnElement[int]:
    """Ids ascend with the address, so that both its indexes are written from left to right."""
    if not stage.is_sqlite:
        sequence = stage.connection.scalar(select(func.pg_get_serial_sequence("subscriber", "id")))
        return func.nextval(literal_column(f"'{sequence}'::regclass"))  # looked up once, not for every person
    highest = stage.connection.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = 'subscriber'"))
    stage.numbered(highest or 0)
    return func.next_id()


def _fold_people(stage: Stage, fold: FoldPerson) -> dict[str, int]:
    """Work out those with several rows and those known already, and note whether anything about them changes."""
    batch: list[tuple[Any, ...]] = []
    fields: Counter[str] = Counter()
    for person_id, held, rows in _people_to_fold(stage):
        after, slots, written = fold(held, rows)
        changed = _changed(held, after) if held else ()
        fields.update(changed)
        _, locale, joined, as_of, source, exceptions = after
        dates = dump(exceptions) if exceptions else None
        is_changed = changed or not held
        said = (written, locale, joined, as_of, source, dates)
        batch.append((person_id, *said, 1 if held else 0, 1 if is_changed else 0, *slots))
        if len(batch) >= _AT_ONCE:
            stage.pour(stage.folded, batch)
            batch.clear()
    stage.pour(stage.folded, batch)
    stage.analyze(stage.folded)
    changed_ids = select(stage.folded.c.id).where(stage.folded.c.changed == 1)
    stage.connection.execute(update(stage.person).where(stage.person.c.id.in_(changed_ids)).values(changed=1))
    return dict(fields.most_common())


def _changed(held: Held, after: Held) -> list[str]:
    changed = []
    if held.attributes != after.attributes:
        before = held.attributes.get
        changed = [name for name, value in after.attributes.items() if before(name) != value]
    if held.locale != after.locale:
        changed.append("language")
    if held.joined != after.joined:
        changed.append("joined")
    return changed


def _people_to_fold(stage: Stage) -> Iterator[tuple[int, Held | None, list[Staged]]]:
    """Each with what the store holds of them, and their rows."""
    result = stage.connection.execute(_to_fold(stage).execution_options(yield_per=_AT_ONCE))
    staged: list[Staged] = []
    for person_id, fate, count, written, locale, joined, at, *more in result:
        staged.append(Staged(_load(written), locale, joined, at, tuple(more[6:]), written))
        if len(staged) == count:
            yield person_id, _held(*more[:6]) if fate == Fate.FOLDED else None, staged
            staged = []


def _to_fold(stage: Stage) -> Select[Any]:
    row, person = stage.row, stage.person
    known, profile, provenance = tables.subscriber, tables.profile, tables.provenance
    return (
        select(
            person.c.id,
            person.c.fate,
            person.c.rows,
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
            stage.json_text(provenance.c.dates).label("dates"),
            *(row.c[slot] for slot in stage.slots),
        )
        .select_from(
            person.join(row, row.c.address == person.c.address)
            .outerjoin(known, known.c.id == person.c.id)
            .outerjoin(profile, profile.c.subscriber_id == person.c.id)
            .outerjoin(provenance, provenance.c.subscriber_id == person.c.id)
        )
        .where(or_(person.c.fate == Fate.FOLDED, and_(person.c.fate == Fate.NEW, person.c.rows > 1)))
        .order_by(person.c.place, row.c.place)
    )


def _gather_subscriptions(stage: Stage, topic_ids: Sequence[int]) -> None:
    """One row for each person and topic, and a mark on everybody for whom it is news."""
    if not topic_ids:
        return
    stage.find_people()
    stage.analyze(stage.wish)
    stage.pour(stage.topic, list(enumerate(topic_ids)))
    wish, person, staged, now = stage.wish, stage.person, stage.subscription, tables.subscription
    found = (
        select(
            stage.topic.c.topic_id,
            person.c.id,
            func.coalesce(func.min(_if_confirmed(wish, wish.c.at)), func.min(wish.c.at)),
            func.max(wish.c.frequency),
            func.max(wish.c.confirmed),
            func.coalesce(func.min(_if_confirmed(wish, wish.c.number)), func.min(wish.c.number)),
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
                and_(now.c.status == SubscriptionStatus.UNCONFIRMED, staged.c.confirmed == 1),
                and_(_is_newer_frequency(stage), now.c.frequency != staged.c.frequency % FREQUENCIES),
            )
        )
    )
    stage.connection.execute(update(person).where(person.c.id.in_(news)).values(changed=1))


def _if_confirmed(wish: Table, column: ColumnElement[int]) -> ColumnElement[int]:
    return case((wish.c.confirmed == 1, column), else_=null())


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
        (suppressed, "suppressed"),
        (person.c.fate == Fate.NEW, "new"),
        (person.c.changed == 1, "changed"),
        else_="unchanged",
    ).label("fate")
    such = [func.sum(case((is_such, 1), else_=0)) for is_such in (is_role(stage), is_disposable(stage))]
    counted = select(fate, func.count(), func.sum(person.c.rows - 1), *such).group_by(fate)
    people: dict[str, int] = {}
    totals = [0, 0, 0]
    for name, number, *more in stage.connection.execute(counted):
        people[name] = number
        totals = [total + int(each) for total, each in zip(totals, more, strict=True)]
    return Difference(
        new=people.get("new", 0),
        changed=people.get("changed", 0),
        unchanged=people.get("unchanged", 0),
        suppressed=people.get("suppressed", 0),
        duplicates=totals[0],
        roles=totals[1],
        disposable=totals[2],
        fields={},
    )


def _held(attributes: str, locale: str | None, joined: int | None, as_of: int, source: str, dates: str | None) -> Held:
    exceptions = {field: (at, origin) for field, (at, origin) in _load(dates).items()} if dates else {}
    return Held(_load(attributes), locale, joined, as_of, source, exceptions)


def _load(document: str) -> dict[str, Any]:
    """JSON that a database or we ourselves have written."""
    found: dict[str, Any] = _scan(document)[0]
    return found
