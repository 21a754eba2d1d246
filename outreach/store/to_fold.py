"""People of a file whom it takes thought to know: they have several rows, or we hold something else of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Result, Select, Table, and_, func, or_, select

from outreach.store import tables
from outreach.store.staging import Fate, SlotValue, Stage

AT_ONCE: Final = 5_000
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


def people_to_fold(stage: Stage) -> Iterator[tuple[int, Held | None, list[Staged]]]:
    """Each with what the store holds of them, and their rows."""

    def streamed(query: Select[*tuple[Any, ...]]) -> Result[*tuple[Any, ...]]:
        return stage.connection.execute(query.execution_options(yield_per=AT_ONCE))

    with streamed(_to_fold(stage)) as people, streamed(_further_rows(stage)) as further:
        for person_id, fate, place, count, *said in people:
            staged = [_staged(*said[6:])]
            while len(staged) < count:
                row = next(further)
                if row[0] >= place + len(staged):  # those of people who are not to be folded at all are passed over
                    staged.append(_staged(*row[1:]))
            yield person_id, _held(*said[:6]) if fate == Fate.FOLDED else None, staged


def _to_fold(stage: Stage) -> Select[*tuple[Any, ...]]:
    """What the store holds of each, and what their first row says."""
    person = stage.person
    known, profile, provenance = tables.subscriber, tables.profile, tables.provenance
    return (
        select(
            person.c.id,
            person.c.fate,
            person.c.place,
            person.c.rows,
            stage.json_text(known.c.attributes).label("held"),
            profile.c.locale.label("held_locale"),
            stage.milliseconds(profile.c.joined_at).label("held_joined"),
            # Without a note of their age, values are as old as the person's row.
            stage.milliseconds(func.coalesce(provenance.c.as_of, known.c.created_at)).label("as_of"),
            func.coalesce(provenance.c.source, "").label("source"),
            stage.json_text(provenance.c.dates).label("dates"),
            *_said(stage, person),
        )
        .select_from(
            person.outerjoin(known, known.c.id == person.c.id)
            .outerjoin(profile, profile.c.subscriber_id == person.c.id)
            .outerjoin(provenance, provenance.c.subscriber_id == person.c.id)
        )
        .where(or_(person.c.fate == Fate.FOLDED, and_(person.c.fate == Fate.NEW, person.c.rows > 1)))
        .order_by(person.c.place)
    )


def _further_rows(stage: Stage) -> Select[*tuple[Any, ...]]:
    return select(stage.row.c.place, *_said(stage, stage.row)).order_by(stage.row.c.place)


def _said(stage: Stage, row: Table) -> list[ColumnElement[Any]]:
    return [row.c[name] for name in ("attributes", "locale", "joined", "at", *stage.slots)]


def _staged(written: str, locale: str | None, joined: int | None, at: int, *slots: SlotValue) -> Staged:
    return Staged(_load(written), locale, joined, at, slots, written)


def _held(attributes: str, locale: str | None, joined: int | None, as_of: int, source: str, dates: str | None) -> Held:
    exceptions = {field: (at, origin) for field, (at, origin) in _load(dates).items()} if dates else {}
    return Held(_load(attributes), locale, joined, as_of, source, exceptions)


def _load(document: str) -> dict[str, Any]:
    """JSON that a database or we ourselves have written."""
    found: dict[str, Any] = _scan(document)[0]
    return found
