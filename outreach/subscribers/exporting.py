"""People as CSV, for a spreadsheet or another system. Formulas are defused, and the import takes it back."""

from __future__ import annotations

import csv
import json
from typing import Final, TextIO

from sqlalchemy import ColumnElement, Connection

from outreach.store import subscribers, suppressions
from outreach.store.subscribers import Subscriber, Value
from outreach.subscribers.defusing import defused

_FIRST: Final = ("email", "first_name", "last_name", "district", "zip", "language", "renter", "phone", "joined")
_BATCH: Final = 500


def write_csv(connection: Connection, out: TextIO, *, among: ColumnElement[bool] | None = None) -> int:
    """Write everybody (or those of a compiled rule) in the order of their addresses; how many that were.

    Columns are the standard fields and then every other attribute we know of. The `status` column says
    `suppressed` of people who must not be written to, so that no other system does by mistake.
    """
    others = [field.name for field in subscribers.fields(connection) if field.name not in _FIRST]
    names = [*_FIRST, *others, "status"]
    writer = csv.writer(out)
    writer.writerow(defused(name) for name in names)
    count = 0
    batch: list[Subscriber] = []
    for person in subscribers.every(connection, among):
        batch.append(person)
        count += 1
        if len(batch) == _BATCH:
            _write(connection, writer, batch, names)
            batch.clear()
    _write(connection, writer, batch, names)
    return count


def _write(connection: Connection, writer: object, batch: list[Subscriber], names: list[str]) -> None:
    suppressed = suppressions.suppressed_among(connection, [person.address for person in batch])
    for person in batch:
        row: dict[str, Value | None] = {
            **person.attributes,
            "email": person.address,
            "language": person.locale,
            "joined": person.joined_at.isoformat() if person.joined_at else None,
            "status": "suppressed" if person.address in suppressed else person.status.name.lower(),
        }
        writer.writerow([defused(_cell(row.get(name))) for name in names])  # type: ignore[attr-defined]  # csv names no type


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)
