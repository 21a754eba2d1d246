"""What is poured into a staging table is what stands there, whatever the letters."""

from __future__ import annotations

from sqlalchemy import select

from outreach.store.database import Store
from outreach.store.staging import importing

HOSTILE = ["\\", "\\N", "a\tb", "a\nb", "a\r\nb", "\\.", "", "é😀", "'\"", '{"a":"\\\\n"}']


def test_texts_numbers_and_nothing_arrive_as_they_are(store: Store) -> None:
    rows = [
        (number, f"p{number}@x.example", text, text if number % 2 else None, None, -number, None, text, 0.1 * number)
        for number, text in enumerate(HOSTILE)
    ]
    with importing(store, slots=["t1", "n1"]) as stage:
        stage.pour_rows(rows)
        stage.pour_rows(rows[:1])
        found = stage.connection.execute(select(*stage.read.columns)).all()
    assert [tuple(row) for row in found] == [*rows, rows[0]]
