"""Putting an attribute to use in rules: it gets a typed column of the profile that stands ready. No table changes.

Every value stays in the subscriber's attributes; the slot is a copy that rules can scan. One transaction fills it for
everybody, so a rule never sees it half full.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, select, update

from outreach.errors import UsageError
from outreach.store.dialects import from_ms
from outreach.store.subscribers import as_slot
from outreach.store.tables import DATE_SLOTS, NUMBER_SLOTS, TEXT_SLOTS, field, profile, subscriber

SLOTS = {
    "text": TEXT_SLOTS,
    "choice": TEXT_SLOTS,
    "number": NUMBER_SLOTS,
    "yesno": NUMBER_SLOTS,
    "date": DATE_SLOTS,
}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_OWN_COLUMNS = ("email", "language", "joined")
_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Used:
    """What `use` did: the slot, how many people have a value in it, and how many values were of another type."""

    slot: str
    filled: int
    unreadable: int


def use(connection: Connection, name: str, *, kind: str | None = None, choices: Sequence[str] = ()) -> Used:
    """Give an attribute a slot, or fill the one it has anew. UsageError if it cannot have one."""
    known = connection.execute(select(field).where(field.c.name == name)).one_or_none()
    given_kind = bool(kind or choices)
    kind = kind or ("choice" if choices else known.type if known else "text")
    if name in _OWN_COLUMNS:
        raise UsageError(f"{name} is in use already: it has a column of its own")
    if known is None and (not given_kind or not _NAME.fullmatch(name)):
        raise UsageError(
            f"nobody has a value called {name!r}; look with: outreach fields list. To make room for one that comes "
            "later, name its --type (small letters, digits and _ only, a letter first)"
        )
    _hold_off_writers(connection)
    slot = known.slot if known and known.slot in SLOTS[kind] else None
    if known and known.slot and not slot:
        free(connection, name)
    slot = slot or _free_slot(connection, kind)
    row = {"type": kind, "slot": slot, "choices": list(choices) or None}
    if known is None:
        connection.execute(insert(field).values(name=name, **row))
    else:
        connection.execute(update(field).where(field.c.name == name).values(**row))
    return _fill(connection, name, slot)


def free(connection: Connection, name: str) -> bool:
    """Take an attribute out of use: its slot is emptied for another. False if it had none."""
    slot = connection.execute(select(field.c.slot).where(field.c.name == name)).scalar()
    if slot is None:
        return False
    connection.execute(update(profile).where(profile.c[slot].is_not(None)).values({slot: None}))
    connection.execute(update(field).where(field.c.name == name).values(slot=None))
    return True


def _free_slot(connection: Connection, kind: str) -> str:
    taken = set(connection.execute(select(field.c.slot).where(field.c.slot.is_not(None))).scalars())
    for slot in SLOTS[kind]:
        if slot not in taken:
            return slot
    names = connection.execute(select(field.c.name).where(field.c.slot.in_(SLOTS[kind])).order_by(field.c.name))
    raise UsageError(
        f"all {len(SLOTS[kind])} places for fields of this type are taken, by {', '.join(names.scalars())}; "
        "take one out of use first: outreach fields free NAME"
    )


def _hold_off_writers(connection: Connection) -> None:
    """Who writes attributes must wait until the slot is filled and known. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE subscriber IN SHARE ROW EXCLUSIVE MODE")


def _fill(connection: Connection, name: str, slot: str) -> Used:
    connection.execute(update(profile).where(profile.c[slot].is_not(None)).values({slot: None}))
    value = subscriber.c.attributes[name]
    filled = unreadable = last = 0
    while True:
        rows = connection.execute(
            select(subscriber.c.id, value).where(subscriber.c.id > last).order_by(subscriber.c.id).limit(_BATCH)
        ).all()
        if not rows:
            return Used(slot, filled, unreadable)
        last = rows[-1][0]
        values = [(person, found, as_slot(slot, found)) for person, found in rows if found is not None]
        changes = [{"person": person, "value": _moment(slot, kept)} for person, _, kept in values if kept is not None]
        filled, unreadable = filled + len(changes), unreadable + len(values) - len(changes)
        if changes:
            connection.execute(
                update(profile)
                .where(profile.c.subscriber_id == bindparam("person"))
                .values({slot: bindparam("value", type_=profile.c[slot].type)}),
                changes,
            )


def _moment(slot: str, value: object) -> object:
    return from_ms(value) if slot[0] == "d" and isinstance(value, int) else value
