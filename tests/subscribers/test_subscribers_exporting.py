"""The same people as CSV, JSON lines and a spreadsheet; an import takes each of them back unchanged."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from outreach.store import subscribers
from outreach.store.database import Store
from outreach.subscribers.exporting import write_file
from outreach.subscribers.importing import import_file

NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize("name", ["people.csv", "people.jsonl", "people.xlsx"])
def test_an_export_can_be_imported_again_and_changes_nobody(sqlite_store: Store, tmp_path: Path, name: str) -> None:
    with sqlite_store.write() as connection:
        said = {"first_name": "=cmd|' /C calc'!A1", "last_name": "Nguyễn", "zip": "02101", "renter": True}
        subscribers.upsert(connection, "ada@city.example", attributes=said, now=NOW, locale="es")
        subscribers.upsert(connection, "bo@city.example", attributes={}, now=NOW)
        assert write_file(connection, tmp_path / name) == 2
    assert not list(tmp_path.glob(".*.part"))
    result = import_file(sqlite_store, tmp_path / name, now=NOW, rejects_folder=tmp_path)
    assert (result.rows, result.unchanged, result.rejected) == (2, 2, 0)
