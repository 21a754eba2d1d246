"""People: found by address, written one at a time. (Files of them are merged by `imports`.)

A person is two rows: `subscriber` holds every attribute as JSON, `profile` what rules scan. An
attribute that rules use has a slot there (`field.slot`), and whoever writes attributes fills it:
`slot_reader` says with what.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, insert, select, update

from outreach.store import tables
from outreach.store.dialects import from_ms, to_ms

Value = str | int | float | bool
SlotValue = str | float | int | None
SlotReader = Callable[[Mapping[str, Value]], tuple[SlotValue, ...]]


class Status(IntEnum):
    """How a person stands to us. The numbers are stored: never reuse one."""

    UNCONFIRMED = 0
    ACTIVE = 1
    PAUSED = 2
    ERASED = 3


ACTIVE: Final = Status.ACTIVE.value


@dataclass(frozen=True, slots=True)
class Field:
    """An attribute we know of: its type (text number date yesno choice), and its slot if rules use it."""

    name: str
    type: str
    slot: str | None


@dataclass(frozen=True, slots=True)
class Subscriber:
    id: int
    address: str
    attributes: Mapping[str, Value]
    status: Status
    locale: str | None
    joined_at: dt.datetime | None
    created_at: dt.datetime


def find(connection: Connection, address: str) -> Subscriber | None:
    """The person of a normalised address."""
    found = connection.execute(_people().where(tables.subscriber.c.address == address)).one_or_none()
    return _subscriber(found) if found else None


def every(connection: Connection, among: ColumnElement[bool] | None = None) -> Iterator[Subscriber]:
    """People in the order of their addresses; `among` is a condition on profile or subscriber, such as a compiled rule.

    Streams: memory does not grow with the number of people.
    """
    query = _people().order_by(tables.subscriber.c.address)
    if among is not None:
        query = query.where(among)
    # The option is this statement's alone: a whole connection that streams would keep cursors open.
    for found in connection.execute(query.execution_options(yield_per=1000)):
        yield _subscriber(found)


def upsert(
    connection: Connection,
    address: str,
    *,
    attributes: Mapping[str, Value],
    now: dt.datetime,
    locale: str | None = None,
    joined_at: dt.datetime | None = None,
    status: Status = Status.ACTIVE,
    source: str = "",
) -> int:
    """Make a person, or add to what we know of one; the id. Attributes not named stay, `status` of a known one too."""
    known = find(connection, address)
    together = {**(known.attributes if known else {}), **attributes}
    slots = _slot_columns(connection, together)
    if known is None:
        made = connection.execute(
            insert(tables.subscriber).values(address=address, attributes=together, created_at=now)
        ).inserted_primary_key
        assert made is not None
        person_id: int = made[0]
        row = {"subscriber_id": person_id, "status": status.value, "locale": locale, "joined_at": joined_at or now}
        connection.execute(insert(tables.profile).values(**row, **slots))
        connection.execute(insert(tables.provenance).values(subscriber_id=person_id, as_of=now, source=source))
        # The address may have been suppressed before we knew whose it is.
        mine = tables.suppression.c.address == address
        connection.execute(update(tables.suppression).where(mine).values(subscriber_id=person_id))
        return person_id
    said = [*attributes, *(["language"] if locale else [])]
    mine = tables.subscriber.c.id == known.id
    connection.execute(update(tables.subscriber).where(mine).values(attributes=together))
    connection.execute(
        update(tables.profile)
        .where(tables.profile.c.subscriber_id == known.id)
        .values(locale=locale or known.locale, joined_at=joined_at or known.joined_at, **slots)
    )
    date(connection, known.id, said, at=now, source=source)
    return known.id


def touch(connection: Connection, subscriber_id: int) -> None:
    """Note that a person has been changed by other than an import, so that undoing one does not overrule it."""
    provenance = tables.provenance
    connection.execute(update(provenance).where(provenance.c.subscriber_id == subscriber_id).values(import_id=None))


def restore(
    connection: Connection,
    subscriber_id: int,
    *,
    attributes: Mapping[str, Value],
    locale: str | None,
    joined_at: dt.datetime | None,
) -> None:
    """Put back what an import had replaced: all attributes, not only those named, and their slots."""
    connection.execute(
        update(tables.subscriber).where(tables.subscriber.c.id == subscriber_id).values(attributes=dict(attributes))
    )
    connection.execute(
        update(tables.profile)
        .where(tables.profile.c.subscriber_id == subscriber_id)
        .values(locale=locale, joined_at=joined_at, **_slot_columns(connection, attributes))
    )


def date(connection: Connection, subscriber_id: int, names: Iterable[str], *, at: dt.datetime, source: str) -> None:
    """Note that these values (attributes, or `language`) were given now, so that an older export cannot undo them."""
    provenance = tables.provenance
    mine = provenance.c.subscriber_id == subscriber_id
    known = connection.execute(select(provenance.c.dates).where(mine)).one_or_none()
    dates = {**((known.dates if known else None) or {}), **{name: [to_ms(at), source] for name in names}}
    if known is None:
        connection.execute(insert(provenance).values(subscriber_id=subscriber_id, as_of=at, source=source, dates=dates))
    else:
        connection.execute(update(provenance).where(mine).values(dates=dates, import_id=None))


# --- attributes and their slots ---------------------------------------------------------------------------------


def fields(connection: Connection) -> tuple[Field, ...]:
    rows = connection.execute(select(tables.field).order_by(tables.field.c.name))
    return tuple(Field(row.name, row.type, row.slot) for row in rows)


def declare(connection: Connection, types: Mapping[str, str]) -> None:
    """Make attributes known by name and type; one that is known stays as it is."""
    known = {field.name for field in fields(connection)}
    rows = [{"name": name, "type": kind} for name, kind in sorted(types.items()) if name not in known]
    if rows:
        connection.execute(insert(tables.field), rows)


def slot_reader(known: Iterable[Field]) -> tuple[tuple[str, ...], SlotReader]:
    """The slots in use, and a function from attributes to what they hold, in that order (dates in milliseconds)."""
    used = [(field.slot, field.name) for field in known if field.slot]

    def read(attributes: Mapping[str, Value]) -> tuple[SlotValue, ...]:
        return tuple([as_slot(slot, attributes.get(name)) for slot, name in used])

    return tuple(slot for slot, _ in used), read


def as_slot(slot: str, value: Value | None) -> SlotValue:
    """A value as its slot holds it: t text, n number (yes and no are 1 and 0), d milliseconds; None if it cannot."""
    if value is None:
        return None
    if slot[0] == "t":
        return value if type(value) is str else str(value).lower() if type(value) is bool else str(value)
    try:
        if slot[0] == "n":
            return float(value)
        moment = dt.datetime.fromisoformat(str(value))
    except (ValueError, OverflowError):
        return None
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC))


def _slot_columns(connection: Connection, attributes: Mapping[str, Value]) -> dict[str, Any]:
    """The same as the profile's columns take it: dates as moments."""
    slots, read = slot_reader(fields(connection))
    return {
        slot: from_ms(value) if slot[0] == "d" and isinstance(value, int) else value
        for slot, value in zip(slots, read(attributes), strict=True)
    }


def _people() -> Any:
    subscriber, profile = tables.subscriber, tables.profile
    return select(
        subscriber.c.id,
        subscriber.c.address,
        subscriber.c.attributes,
        subscriber.c.created_at,
        profile.c.status,
        profile.c.locale,
        profile.c.joined_at,
    ).join(profile, profile.c.subscriber_id == subscriber.c.id)


def _subscriber(row: Any) -> Subscriber:
    return Subscriber(
        row.id, row.address, row.attributes, Status(row.status), row.locale, row.joined_at, row.created_at
    )
