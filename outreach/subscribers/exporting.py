"""People as CSV, for a spreadsheet or another system. Formulas are defused, and the import takes it back."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final, TextIO

from sqlalchemy import ColumnElement, Connection

from outreach.store import subscribers, suppressions
from outreach.store.subscribers import Value
from outreach.subscribers.defusing import defused

_FIRST: Final = ("email", "first_name", "last_name", "district", "zip", "language", "renter", "phone", "joined")
_BATCH: Final = 500


def write_file(connection: Connection, path: Path, *, among: ColumnElement[bool] | None = None) -> int:
    """The same as a file that is there whole or not at all: CSV, or by its name JSON lines or a spreadsheet."""
    draft = path.with_name(f".{path.name}.part")
    if path.suffix == ".xlsx":
        count = _write_sheet(connection, draft, among)
    elif path.suffix == ".jsonl":
        with draft.open("w", encoding="utf-8") as file:
            count = sum(1 for row in _rows(connection, among) if file.write(f"{json.dumps(row, ensure_ascii=False)}\n"))
    else:
        # The mark at the beginning makes spreadsheets read UTF-8.
        with draft.open("w", encoding="utf-8-sig", newline="") as file:
            count = write_csv(connection, file, among=among)
    draft.replace(path)
    return count


def write_csv(connection: Connection, out: TextIO, *, among: ColumnElement[bool] | None = None) -> int:
    """Write everybody (or those of a compiled rule) in the order of their addresses; how many that were.

    Columns are the standard fields and then every other attribute we know of. The `status` column says
    `suppressed` of people who must not be written to, so that no other system does by mistake.
    """
    names = _names(connection)
    writer = csv.writer(out)
    writer.writerow(defused(name) for name in names)
    count = 0
    for row in _rows(connection, among):
        count += 1
        writer.writerow([defused(_cell(row.get(name))) for name in names])
    return count


def _write_sheet(connection: Connection, path: Path, among: ColumnElement[bool] | None) -> int:
    from openpyxl import Workbook
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = Workbook(write_only=True)
    sheet = book.create_sheet("people")
    names = _names(connection)
    sheet.append(names)
    count = 0
    for row in _rows(connection, among):
        count += 1
        sheet.append([ILLEGAL_CHARACTERS_RE.sub("", defused(_cell(row.get(name)))) for name in names])
    book.save(path)
    return count


def _names(connection: Connection) -> list[str]:
    others = [field.name for field in subscribers.fields(connection) if field.name not in _FIRST]
    return [*_FIRST, *others, "status"]


def _rows(connection: Connection, among: ColumnElement[bool] | None) -> Iterator[dict[str, Value | None]]:
    """Each person as a row, a batch at a time."""
    people = subscribers.every(connection, among)
    while batch := list(islice(people, _BATCH)):
        suppressed = suppressions.suppressed_among(connection, [person.address for person in batch])
        for person in batch:
            yield {
                **person.attributes,
                "email": person.address,
                "language": person.locale,
                "joined": person.joined_at.isoformat() if person.joined_at else None,
                "status": "suppressed" if person.address in suppressed else person.status.name.lower(),
            }


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
